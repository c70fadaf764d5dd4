//! calibredaemon over RabbitMQ: the real binary and the real converter. Needs the Debian packages calibre, bubblewrap and
//! poppler-utils.

mod ends;
mod world;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use world::*;

fn output_of(program: &str, path: &Path, more: &[&str]) -> Result<String> {
    let output = Command::new(program).arg(path).args(more).output()?;
    assert!(output.status.success(), "{program}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn a_czech_text_becomes_an_epub_and_a_pdf() -> Result<()> {
    let world = world(json!({})).await?;
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
    let world = world(json!({})).await?;
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

/// Where there is no bubblewrap the log warns and books are converted; if the settings require it, the daemon says why it
/// does not start.
#[tokio::test]
async fn without_bubblewrap() -> Result<()> {
    let mut world = world(json!({})).await?;
    let programs = world.daemon.home().join("programs");
    fs::create_dir(&programs)?;
    for program in ["ebook-convert", "setsid", "setpriv", "prlimit"] {
        symlink(Path::new("/usr/bin").join(program), programs.join(program))?;
    }
    world.daemon.set_env("PATH", &programs);
    let refused = world.daemon.start()?;
    assert_eq!(refused.code, Some(1));
    let reason = "SANDBOX is required: bubblewrap is not installed";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);

    set(&world, json!({ "SANDBOX": "auto" }))?;
    let caller = world.start().await?;
    let warning = "conversions run without a sandbox";
    assert!(
        world.daemon.log().contains(warning),
        "{}",
        world.daemon.log()
    );
    book(&answer(&caller, request("txt", "pdf", CZECH.as_bytes())).await?)?;
    world.daemon.stop()?.success()?;
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
    set(
        &world,
        json!({ "SANDBOX": "off", "EBOOK_CONVERT": script_path(&world), "TIMEOUT": 1 }),
    )?;
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
