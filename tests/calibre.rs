//! calibredaemon over RabbitMQ: the real binary and the real converter. Needs the Debian packages calibre, bubblewrap and
//! poppler-utils.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::{Answer, Caller, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const CONVERSION: Duration = Duration::from_secs(60);
const BOOKS: usize = 50;
const JOBS: u32 = 2;

const CZECH: &str = "Příklad\n\nPříliš žluťoučký kůň úpěl ďábelské ódy.\n";

/// The daemon, with a directory of its own for temporary files. `calibre` and `amqp` are further settings.
async fn world(calibre: Value, amqp: Value) -> Result<World> {
    let schema = Schema::new("convert");
    let world = World::new("edeposit_amqp_calibredaemon", "CALIBRE", schema, &amqp).await?;
    fs::create_dir(jobs(&world))?;
    let mut settings = json!({ "TEMP_DIR": jobs(&world), "MAX_JOBS": JOBS, "SANDBOX": "required" });
    for (name, value) in calibre.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    world.daemon.write_settings("calibre.json", &settings)?;
    Ok(world)
}

/// With a shell script in place of the converter, and without a sandbox, so that test and script can see each other.
async fn world_with_script(script: &str, amqp: Value) -> Result<World> {
    let world = world(json!({}), amqp).await?;
    let path = world.daemon.home().join("ebook-convert");
    fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    let settings = json!({ "TEMP_DIR": jobs(&world), "MAX_JOBS": JOBS, "SANDBOX": "off", "EBOOK_CONVERT": path });
    world.daemon.write_settings("calibre.json", &settings)?;
    Ok(world)
}

fn jobs(world: &World) -> PathBuf {
    world.daemon.home().join("jobs")
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

/// The processes that work for this world's daemon, by all that tells: each has the directory of its conversion in its
/// environment, and while it is set up in its arguments.
fn processes(world: &World) -> Vec<String> {
    let jobs = jobs(world).into_os_string().into_encoded_bytes();
    let has = |bytes: &[u8]| bytes.windows(jobs.len()).any(|part| part == jobs);
    let dirs = fs::read_dir("/proc").into_iter().flatten().flatten();
    dirs.filter_map(|entry| {
        let file = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let (environment, arguments) = (file("environ"), file("cmdline"));
        (has(&environment) || has(&arguments)).then(|| {
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            format!("{:?} {arguments}", entry.file_name())
        })
    })
    .collect()
}

/// No process and no file of a conversion; for a moment there may be one that has just been killed.
async fn until_nothing_is_left(world: &World) -> Result<()> {
    until_no_process_is_left(world).await?;
    assert_eq!(files(&jobs(world)), 0);
    Ok(())
}

async fn until_no_process_is_left(world: &World) -> Result<()> {
    let gone = wait_until("no process is left", PATIENCE, async || {
        processes(world).is_empty()
    });
    gone.await.with_context(|| processes(world).join("\n"))
}

async fn until_files(dir: &Path, number: usize) -> Result<()> {
    let what = format!("{number} files in {}", dir.display());
    wait_until(&what, CONVERSION, async || files(dir) == number).await
}

fn request(from: &str, to: &str, book: &[u8]) -> String {
    json!({"__nt_name": "ConversionRequest", "input_format": from, "output_format": to, "b64_data": BASE64_STANDARD.encode(book)}).to_string()
}

/// The book of an answer.
fn book(answer: &Answer) -> Result<Vec<u8>> {
    let response = answer
        .json()
        .with_context(|| format!("{:?}", answer.header("exception")))?;
    assert_eq!(response["__nt_name"], "ConversionResponse", "{response}");
    let text = response["b64_data"].as_str().context("no book")?;
    assert!(text.lines().rev().skip(1).all(|line| line.len() == 80));
    Ok(BASE64_STANDARD.decode(text.replace('\n', ""))?)
}

async fn answer(caller: &Caller, body: String) -> Result<Answer> {
    let request = caller.request(body);
    caller.publish(&request).await?;
    let uuid = request.uuid().context("no UUID")?;
    caller.answer_to(&uuid, CONVERSION).await
}

/// Publishes requests, and returns their UUIDs.
async fn publish(caller: &Caller, number: usize, body: &str) -> Result<HashSet<String>> {
    let mut uuids = HashSet::new();
    for _ in 0..number {
        let request = caller.request(body);
        caller.publish(&request).await?;
        uuids.insert(request.uuid().context("no UUID")?);
    }
    Ok(uuids)
}

/// Takes answers until each of these is answered, with a book. Returns the number of answers.
async fn answers(caller: &Caller, mut waiting: HashSet<String>) -> Result<usize> {
    let mut number = 0;
    while !waiting.is_empty() {
        let answer = caller.next(CONVERSION).await?;
        assert!(!book(&answer)?.is_empty());
        waiting.remove(&uuid(&answer)?);
        number += 1;
    }
    Ok(number)
}

fn uuid(answer: &Answer) -> Result<String> {
    let uuid = answer.uuid().context("an answer without UUID")?;
    Ok(uuid.as_long_string().context("no text")?.to_string())
}

fn output_of(program: &str, path: &Path, more: &[&str]) -> Result<String> {
    let output = Command::new(program).arg(path).args(more).output()?;
    assert!(output.status.success(), "{program}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn a_czech_text_becomes_an_epub_and_a_pdf() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.start().await?;
    let epub = book(&answer(&caller, request("txt", "epub", CZECH.as_bytes())).await?)?;
    let pdf = book(&answer(&caller, request("epub", "pdf", &epub)).await?)?;
    let path = world.daemon.home().join("book.pdf");
    fs::write(&path, pdf)?;
    assert!(output_of("pdfinfo", &path, &[])?.contains("Pages:"));
    let text = output_of("pdftotext", &path, &["-"])?;
    assert!(
        text.contains("Příliš žluťoučký kůň úpěl ďábelské ódy."),
        "{text}"
    );
    world.daemon.stop()?.success()?;
    until_nothing_is_left(&world).await
}

/// Each is an exception with its reason, and the same process answers the next request. Defects 1 and 2: these ended the
/// original's daemon.
#[tokio::test]
async fn what_fails_is_told_and_the_next_is_answered() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let valid = request("txt", "epub", b"x");
    for (body, name, message) in [
        (
            request("epub", "txt", b"none"),
            "UserWarning",
            "Conversion failed:\nexit status 1\n",
        ),
        (
            valid.replace("eA==", "eA="),
            "TypeError",
            "Incorrect padding",
        ),
        (
            request("exe", "txt", b"x"),
            "ValueError",
            "Unsupported input format!",
        ),
        (
            request("txt", "docx", b"x"),
            "ValueError",
            "Unsupported output format!",
        ),
        ("{}".to_owned(), "ValueError", "Unknown type of request"),
    ] {
        let answer = answer(&caller, body).await?;
        assert_eq!(answer.header("exception_name").as_deref(), Some(name));
        let told = answer.header("exception").context("no exception")?;
        assert!(told.starts_with(message), "{told}");
        assert!(!told.contains("Traceback"), "{told}");
        assert!(!answer.text().contains("File \""), "{}", answer.text());
    }
    book(&answer(&caller, valid).await?)?;
    assert_eq!(world.daemon.pid(), pid);

    let script = r#"echo "Kniha „Žluťoučký kůň“ nejde číst" >&2; exit 1"#;
    let world = world_with_script(script, json!({})).await?;
    let caller = world.start().await?;
    for _ in 0..2 {
        let answer = answer(&caller, request("txt", "epub", b"x")).await?;
        let told = answer.header("exception").context("no exception")?;
        assert!(told.ends_with("Kniha „Žluťoučký kůň“ nejde číst"), "{told}");
    }
    Ok(())
}

/// Stopped in the middle: each request is answered once, and nothing is left.
#[tokio::test]
async fn fifty_books_across_a_stop() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.start().await?;
    let mut waiting = publish(&caller, BOOKS, &request("txt", "txt", CZECH.as_bytes())).await?;
    for _ in 0..5 {
        let answer = caller.next(CONVERSION).await?;
        book(&answer)?;
        assert!(waiting.remove(&uuid(&answer)?));
    }
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    world.daemon.start()?.success()?;
    let number = waiting.len();
    assert_eq!(answers(&caller, waiting).await?, number);
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// Killed in the middle, several times at other moments of a conversion: its processes end with the daemon, the next one
/// removes the files, and each request is answered.
#[tokio::test]
async fn fifty_books_across_kills() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.start().await?;
    let mut waiting = publish(&caller, BOOKS, &request("txt", "txt", CZECH.as_bytes())).await?;
    let mut swept = 0;
    for delay in [0, 5, 20, 100, 400] {
        // No request that a daemon died with is in hand any more: one that three died with would be set aside.
        for _ in 0..2 * JOBS {
            let answer = caller.next(CONVERSION).await?;
            book(&answer)?;
            waiting.remove(&uuid(&answer)?);
        }
        // The next conversion is being set up, or runs.
        tokio::time::sleep(Duration::from_millis(delay)).await;
        world.daemon.signal(Signal::KILL)?;
        until_no_process_is_left(&world).await?;
        let left: HashSet<_> = fs::read_dir(jobs(&world))?
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        swept += left.len();
        world.daemon.start()?.success()?;
        let now = fs::read_dir(jobs(&world))?.flatten();
        assert!(
            now.map(|entry| entry.file_name())
                .all(|name| !left.contains(&name))
        );
    }
    assert!(swept > 0);
    answers(&caller, waiting).await?;
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    Ok(())
}

/// Killed while the sandbox is set up, which takes some milliseconds: bubblewrap alone would leave a process behind then.
#[tokio::test]
async fn no_process_is_left_by_a_kill_at_the_beginning() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.caller().await?;
    for round in 0..12 {
        world.daemon.start()?.success()?;
        publish(&caller, 2, &request("txt", "txt", b"x")).await?;
        wait_until("a conversion begins", CONVERSION, async || {
            !processes(&world).is_empty()
        })
        .await?;
        tokio::time::sleep(Duration::from_millis(round)).await;
        world.daemon.signal(Signal::KILL)?;
        until_no_process_is_left(&world).await?;
    }
    world.daemon.start()?.success()?;
    world.daemon.stop()?.success()?;
    until_nothing_is_left(&world).await
}

/// Without a sandbox the converter and what it started end with the daemon, and what left its process group at the next start.
#[tokio::test]
async fn without_a_sandbox_nothing_is_left_after_a_kill_and_a_start() -> Result<()> {
    let script = r#"d="$(dirname "$0")"
        [ -e "$d/begun" ] && { echo "EPUB output written to $2"; echo book >"$2"; exit; }
        setsid sh -c 'trap "" TERM; while :; do sleep 1; done' &
        touch "$d/begun"; while :; do sleep 1; done"#;
    let world = world_with_script(script, json!({ "RABBITMQ_CALIBRE_PREFETCH": 1 })).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 1, &request("txt", "epub", b"x")).await?;
    let begun = world.daemon.home().join("begun");
    wait_until("it has begun", PATIENCE, async || begun.exists()).await?;
    world.daemon.signal(Signal::KILL)?;
    wait_until("the converter ends", PATIENCE, async || {
        let left = processes(&world);
        !left.is_empty() && left.iter().all(|line| !line.contains("ebook-convert"))
    })
    .await?;
    assert_eq!(files(&jobs(&world)), 1);
    world.daemon.start()?.success()?;
    answers(&caller, waiting).await?;
    until_nothing_is_left(&world).await
}

/// Defect 10: a conversion that does not end in the time to stop is ended, and its request goes back to the queue.
#[tokio::test]
async fn a_stop_ends_conversions_that_do_not_end() -> Result<()> {
    let script = r#"trap '' TERM INT; d="$(dirname "$0")"
        [ -e "$d/quick" ] && { echo "EPUB output written to $2"; echo book >"$2"; exit; }
        setsid sleep 1000 & touch "$d/begun.$$"; while :; do sleep 1; done"#;
    let world = world_with_script(script, json!({ "RABBITMQ_CALIBRE_DRAIN_TIMEOUT": 1 })).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 2, &request("txt", "epub", b"x")).await?;
    until_files(&jobs(&world), 2).await?;
    world.daemon.stop()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    fs::write(world.daemon.home().join("quick"), "")?;
    world.daemon.start()?.success()?;
    assert_eq!(answers(&caller, waiting).await?, 2);
    until_nothing_is_left(&world).await
}

/// systemd sends SIGTERM to all processes of a unit: the daemon finishes what it has in hand all the same.
#[tokio::test]
async fn a_signal_to_all_processes_ends_no_conversion() -> Result<()> {
    let world = world(json!({}), json!({})).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 2, &request("txt", "pdf", CZECH.as_bytes())).await?;
    wait_until("the converters run", CONVERSION, async || {
        let converters = processes(&world)
            .iter()
            .filter(|line| line.contains("python"))
            .count();
        converters >= 2
    })
    .await?;
    world.daemon.signal(Signal::TERM)?;
    for process in processes(&world) {
        let pid = process.split('"').nth(1).and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw).context("no pid")?;
        // Some of them are short-lived.
        let _ = kill_process(pid, Signal::TERM);
    }
    assert_eq!(answers(&caller, waiting).await?, 2);
    wait_until("the daemon ends", PATIENCE, async || {
        world.daemon.pid().is_none()
    })
    .await?;
    until_nothing_is_left(&world).await
}

/// Defect 3: a conversion several heartbeats long is carried out once and answered once, on the connection it came by.
#[tokio::test]
async fn heartbeats_go_on_beside_a_long_conversion() -> Result<()> {
    let script = r#"sleep 9; echo run >>"$(dirname "$0")/runs"; echo "EPUB output written to $2"; echo book >"$2""#;
    let world = world_with_script(script, json!({ "RABBITMQ_HEARTBEAT": 2 })).await?;
    let caller = world.start().await?;
    let answer = answer(&caller, request("txt", "epub", b"x")).await?;
    assert_eq!(book(&answer)?, b"book\n");
    let runs = fs::read_to_string(world.daemon.home().join("runs"))?;
    assert_eq!(runs, "run\n");
    let log = world.daemon.log();
    assert_eq!(log.matches("consuming queue=").count(), 1, "{log}");
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// Defect 3: one that hangs is ended, answered, and not delivered again.
#[tokio::test]
async fn a_timed_out_request_is_answered_and_not_requeued() -> Result<()> {
    let world = world_with_script("echo begun; sleep 1000", json!({})).await?;
    let path = world.daemon.home().join("ebook-convert");
    let settings =
        json!({ "TEMP_DIR": jobs(&world), "SANDBOX": "off", "EBOOK_CONVERT": path, "TIMEOUT": 1 });
    world.daemon.write_settings("calibre.json", &settings)?;
    let caller = world.start().await?;
    let answer = answer(&caller, request("txt", "epub", b"x")).await?;
    assert_eq!(
        answer.header("exception").as_deref(),
        Some("Conversion failed:\nkilled after 1 s (TIMEOUT)\nbegun")
    );
    world.until_ready(0).await?;
    world.daemon.stop()?.success()?;
    world.until_ready(0).await?;
    until_nothing_is_left(&world).await
}

/// Defect 13: with no prefetch set, as many books leave the queue as are converted at once.
#[tokio::test]
async fn books_wait_in_the_queue_not_in_memory() -> Result<()> {
    let script = r#"until [ -e "$(dirname "$0")/go" ]; do sleep 0.05; done; echo "EPUB output written to $2"; echo book >"$2""#;
    let world = world_with_script(script, json!({})).await?;
    let caller = world.caller().await?;
    let waiting = publish(&caller, 10, &request("txt", "epub", b"x")).await?;
    world.until_ready(10).await?;
    world.daemon.start()?.success()?;
    until_files(&jobs(&world), JOBS as usize).await?;
    world.until_ready(10 - JOBS).await?;
    fs::write(world.daemon.home().join("go"), "")?;
    assert_eq!(answers(&caller, waiting).await?, 10);
    Ok(())
}

/// Defect 9: the daemon's memory for a book of 32 MiB, both ways, is a few times its size; the original's was a dozen times.
#[tokio::test]
async fn a_large_book_takes_a_few_times_its_size() -> Result<()> {
    const SIZE: usize = 32 << 20;
    let script = r#"echo "EPUB output written to $2"; cp "$1" "$2""#;
    let world = world_with_script(script, json!({})).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("no pid")?;
    let peak = || -> Result<usize> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: usize = line
            .context("no VmHWM")?
            .trim_end_matches("kB")
            .trim()
            .parse()?;
        Ok(kib << 10)
    };
    book(&answer(&caller, request("txt", "epub", b"x")).await?)?;
    let before = peak()?;
    let sent: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    assert!(book(&answer(&caller, request("txt", "epub", &sent)).await?)? == sent);
    let times = (peak()? - before) as f64 / SIZE as f64;
    println!("{times:.1} times its size");
    assert!(times < 8.0, "{times}");
    Ok(())
}
