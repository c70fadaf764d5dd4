//! ltpd over RabbitMQ: the real binary, callers in Rust and Python, and the archive's side by SFTP.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::sip::{self, Change, Watch};
use edeposit_testkit::{Caller, DaemonUnderTest, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use rustix::process::Signal;
use serde_json::{Value, json};

const PROGRAM: &str = "edeposit_amqp_ltpd";
const U: &str = "6f1c2d34-5e67-4a89-9b01-23456789abcd";
const RECORD: &str = include_str!("../crates/submodules/ltp/testdata/record.xml");

/// Bytes of a publication whose export takes long enough to be killed in.
const LARGE: usize = 30_000_000;

/// A daemon's world, and its export directory.
struct Place {
    world: World,
    out: PathBuf,
}

impl Place {
    async fn new(settings: &Value) -> Result<Self> {
        let world = World::new(PROGRAM, "LTP", Schema::new("ltp"), &json!({})).await?;
        let out = world.daemon.home().join("edep2ltp");
        std::fs::create_dir(&out)?;
        let place = Self { world, out };
        place.configure(&place.world.daemon, settings)?;
        Ok(place)
    }

    fn configure(&self, daemon: &DaemonUnderTest, more: &Value) -> Result<()> {
        let mut settings = json!({ "EXPORT_DIR": self.out, "MIN_FREE_BYTES": 0 });
        for (name, value) in more.as_object().into_iter().flatten() {
            settings[name] = value.clone();
        }
        daemon.write_settings("ltp.json", &settings).map(drop)
    }

    fn package(&self) -> PathBuf {
        self.out.join(format!("complete_{U}"))
    }

    /// One whole package, and nothing beside it.
    fn verify(&self) -> Result<()> {
        sip::verify(&self.package(), U)?;
        let visible = sip::visible(&self.out)?;
        ensure!(visible == [format!("complete_{U}")], "{visible:?}");
        let rubbish = sip::rubbish(&self.out)?;
        ensure!(rubbish.is_empty(), "{rubbish:?}");
        Ok(())
    }
}

fn export(data: &[u8]) -> String {
    json!({
        "__nt_name": "ExportRequest",
        "aleph_record": RECORD,
        "book_uuid": U,
        "urn_nbn": "urn:nbn:cz:nk-0012ab",
        "url": "https://edeposit.example/kniha/1",
        "filename": "Les.a.louka.epub",
        "b64_data": BASE64_STANDARD.encode(data),
    })
    .to_string()
}

fn tracking() -> String {
    json!({"__nt_name": "TrackingRequest", "book_uuid": U}).to_string()
}

async fn state(caller: &Caller) -> Result<(Value, Value)> {
    let mut answer = caller.call(tracking()).await?.json()?;
    assert_eq!(answer["__nt_name"], "TrackingResponse");
    assert_eq!(answer["book_id"], U);
    Ok((answer["error"].take(), answer["exported"].take()))
}

/// Runs commands of the archive's client against OpenSSH's SFTP server.
fn sftp(dir: &Path, commands: &str) -> Result<()> {
    let mut child = Command::new("sftp")
        .args(["-D", "/usr/lib/openssh/sftp-server", "-b", "-"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("OpenSSH's sftp is missing; run the tests by: cargo xtask test")?;
    child
        .stdin
        .take()
        .context("stdin")?
        .write_all(commands.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "sftp: {status}");
    Ok(())
}

/// A book's whole way: exported, fetched, reported, and exported again.
#[tokio::test]
async fn from_the_request_to_the_archive_and_back() -> Result<()> {
    let place = Place::new(&json!({ "CHECKSUMS": ["MD5", "SHA256"] })).await?;
    let caller = place.world.start().await?;
    let watch = Watch::new(&place.out)?;
    let book = sip::epub(200_000)?;
    let answer = caller.call(export(&book)).await?;
    assert_eq!(answer.text(), "true");
    assert_eq!(answer.content_type(), Some("application/json"));
    assert_eq!(watch.changes()?, [Change::MovedTo(format!("complete_{U}"))]);
    place.verify()?;
    assert_eq!(state(&caller).await?, (json!("complete_"), json!(false)));

    let archive = tempfile::tempdir()?;
    let remote = place.package();
    let remote = remote.display();
    sftp(archive.path(), &format!("get -r {remote}\n"))?;
    let fetched = archive.path().join(format!("complete_{U}"));
    sip::verify(&fetched, U)?;
    assert_eq!(
        std::fs::read(fetched.join(format!("original/oc_{U}.epub")))?,
        book
    );
    let done = place.out.join(format!("done_{U}"));
    sftp(
        archive.path(),
        &format!("rename {remote} {}\n", done.display()),
    )?;
    assert_eq!(state(&caller).await?, (json!("done_"), json!(true)));

    assert_eq!(caller.call(export(b"second")).await?.text(), "true");
    assert_eq!(state(&caller).await?, (json!("complete_"), json!(false)));
    place.verify()
}

/// What cannot be done is an exception, and the same process carries out the next request.
#[tokio::test]
async fn exceptions_and_then_the_next_request() -> Result<()> {
    let place = Place::new(&json!({ "MAX_FILE_SIZE": 1000 })).await?;
    let caller = place.world.start().await?;
    let pid = place.world.daemon.pid();
    let bad = |name: &str, value: Value| -> Result<String> {
        let mut body: Value = serde_json::from_str(&export(b"x"))?;
        body[name] = value;
        Ok(body.to_string())
    };
    for (body, name, message) in [
        (tracking(), "ValueError", "not found!"),
        (
            bad("book_uuid", json!("../x"))?,
            "ValueError",
            "'../x' is not a valid book_uuid!",
        ),
        (
            bad("book_uuid", json!(""))?,
            "ValueError",
            "'' is not a valid book_uuid!",
        ),
        (
            bad("b64_data", json!("abc"))?,
            "TypeError",
            "Incorrect padding",
        ),
        (
            bad("b64_data", json!("A".repeat(4000)))?,
            "ValueError",
            "MAX_FILE_SIZE",
        ),
        (
            bad("aleph_record", json!("x"))?,
            "ValueError",
            "There is no <record>",
        ),
        (bad("url", json!(null))?, "TypeError", ""),
    ] {
        let answer = caller.call(body).await?;
        assert_eq!(answer.header("exception_name").as_deref(), Some(name));
        let told = answer.header("exception").context("no exception")?;
        assert!(told.contains(message), "{told}");
    }
    assert_eq!(sip::visible(&place.out)?, [""; 0]);
    assert_eq!(caller.call(export(b"x")).await?.text(), "true");
    place.verify()?;
    assert_eq!(place.world.daemon.pid(), pid);
    Ok(())
}

/// What keeps the daemon from working is told by `start`, which fails.
#[tokio::test]
async fn nothing_starts_with_wrong_settings() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let daemon = &place.world.daemon;
    let refused = |words: &[&str]| -> Result<()> {
        let start = daemon.start()?;
        assert_eq!(start.code, Some(1));
        let said = start.stdout + &start.stderr;
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        Ok(())
    };
    place.configure(daemon, &json!({ "DIR_MODE": "0777" }))?;
    refused(&["DIR_MODE", "0777", "ltp.json"])?;
    place.configure(daemon, &json!({ "EXPORT_DIR": place.out.join("missing") }))?;
    refused(&["No such file or directory", "edep2ltp/missing"])?;
    place.configure(daemon, &json!({}))?;
    daemon.write_settings("marcxml2mods.json", &json!({ "CASE_SELECTION": "any" }))?;
    refused(&["CASE_SELECTION", "marcxml2mods.json"])?;
    daemon.write_settings("marcxml2mods.json", &json!({}))?;
    daemon.start()?.success()?;

    // nor is a daemon that runs taken down for them
    let pid = daemon.pid();
    daemon.write_settings("marcxml2mods.json", &json!({ "CASE_SELECTION": "any" }))?;
    assert_eq!(daemon.restart()?.code, Some(1));
    assert_eq!(daemon.pid(), pid);
    Ok(())
}

/// kill -9 at random moments of an export of a large file. What is there afterwards is a whole package or none; after the
/// restart the request is carried out again, and there is one whole package and no rubbish.
#[tokio::test]
async fn killed_in_the_middle_of_an_export() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let daemon = &place.world.daemon;
    let mut longest = Duration::ZERO;
    let mut in_the_middle = 0;
    for round in 0..7_u8 {
        let caller = place.world.start().await?;
        let data: Vec<u8> = std::iter::repeat_n(round, LARGE).collect();
        let request = caller.request(export(&data));
        caller.publish(&request).await?;
        wait_until("the export begins", PATIENCE, async || {
            sip::rubbish(&place.out).is_ok_and(|left| !left.is_empty())
        })
        .await?;
        let uuid = request.uuid().context("no UUID")?;
        if round == 0 {
            // how long one takes that is left alone
            let begun = Instant::now();
            wait_until("the export ends", PATIENCE, async || {
                sip::rubbish(&place.out).is_ok_and(|left| left.is_empty())
            })
            .await?;
            longest = begun.elapsed();
            assert_eq!(caller.answer_to(&uuid, PATIENCE).await?.text(), "true");
            place.verify()?;
            daemon.stop()?.success()?;
            continue;
        }
        // The moment is what is random here; nothing is waited for.
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        daemon.signal(Signal::KILL)?;
        wait_until("it is gone", PATIENCE, async || {
            daemon.processes().is_empty()
        })
        .await?;
        if place.package().exists() {
            sip::verify(&place.package(), U)?;
        }
        let left = sip::rubbish(&place.out)?;
        in_the_middle += u32::from(left.iter().any(|name| name.starts_with(".tmp-")));
        daemon.start()?.success()?;
        // it may have been answered just before
        let answer = caller.answer_to(&uuid, PATIENCE).await?;
        assert_eq!(answer.text(), "true");
        wait_until("nothing is left to do", PATIENCE, async || {
            let queue = place.world.vhost.queue("daemon");
            queue.is_ok_and(|queue| queue.is_some_and(|q| q.ready + q.unacked == 0))
        })
        .await?;
        place.verify()?;
        let file = place.package().join(format!("original/oc_{U}.epub"));
        assert_eq!(std::fs::read(file)?, data);
        daemon.stop()?.success()?;
    }
    assert!(
        in_the_middle >= 2,
        "only {in_the_middle} times, of {longest:?}"
    );
    println!("killed {in_the_middle} of 6 times in the middle of {longest:?}");
    Ok(())
}

/// Two daemons with one export directory, one queue, and many requests for the same book; one of them is restarted again
/// and again, which must not clear away what the other works on.
#[tokio::test]
async fn two_daemons_share_a_directory() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let caller = place.world.start().await?;
    let second = DaemonUnderTest::new(PROGRAM)?;
    let exchange = json!({ "RABBITMQ_LTP_EXCHANGE": place.world.schema.exchange });
    second.connect_to(&place.world.vhost, "LTP", &exchange)?;
    place.configure(&second, &json!({}))?;
    second.start()?.success()?;
    let mut requests = Vec::new();
    for size in 1..=30 {
        let request = caller.request(export(&vec![7; size * 20_000]));
        caller.publish(&request).await?;
        requests.push(request);
    }
    for _ in 0..4 {
        second.restart()?.success()?;
    }
    for request in &requests {
        let uuid = request.uuid().context("no UUID")?;
        assert_eq!(caller.answer_to(&uuid, PATIENCE).await?.text(), "true");
    }
    place.verify()?;
    for daemon in [&place.world.daemon, &second] {
        daemon.stop()?.success()?;
        let log = daemon.log();
        assert!(!log.contains("ERROR"), "{log}");
    }
    Ok(())
}

/// The system refuses to write (RLIMIT_FSIZE): told, nothing is left, and when it allows it again the same process goes on.
#[tokio::test]
async fn no_room_for_a_while() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let caller = place.world.start().await?;
    let pid = place.world.daemon.pid().context("a pid")?;
    let limit = |limit: &str| -> Result<()> {
        let command = format!("prlimit --pid {pid} --fsize={limit}:unlimited");
        sip::run(&place.out, &command).map(drop)
    };
    limit("500000")?;
    let answer = caller.call(export(&[1; 900_000])).await?;
    assert_eq!(answer.header("exception_name").as_deref(), Some("OSError"));
    assert!(
        answer.text().contains("[Errno 27] File too large"),
        "{}",
        answer.text()
    );
    assert_eq!(sip::visible(&place.out)?, [""; 0]);
    assert_eq!(sip::rubbish(&place.out)?, [""; 0]);
    limit("unlimited")?;
    assert_eq!(caller.call(export(&[1; 900_000])).await?.text(), "true");
    assert_eq!(place.world.daemon.pid(), Some(pid));
    place.verify()
}

/// Somebody else has the lock of the book for longer than a request may take: an exception, and the export that nobody waits
/// for any more does not come true later.
#[tokio::test]
async fn a_lock_that_is_held_too_long() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let mut settings: Value = serde_json::from_slice(&std::fs::read(
        place.world.daemon.home().join("edeposit/amqp.json"),
    )?)?;
    settings["RABBITMQ_LTP_HANDLER_TIMEOUT"] = json!(1);
    place.world.daemon.write_settings("amqp.json", &settings)?;
    let caller = place.world.start().await?;
    let file = std::fs::File::create(place.out.join(".locks").join(U))?;
    file.lock()?;
    assert!(caller.call(export(b"one")).await?.is_exception());
    // another book is not concerned
    let other = caller.call(export(b"x").replace(U, "other")).await?;
    assert_eq!(other.text(), "true");
    file.unlock()?;
    assert!(caller.call(tracking()).await?.is_exception());
    assert_eq!(sip::visible(&place.out)?, ["complete_other"]);
    assert_eq!(caller.call(export(b"two")).await?.text(), "true");
    sip::verify(&place.package(), U)?;
    assert_eq!(sip::rubbish(&place.out)?, [""; 0]);
    Ok(())
}

/// Defect 10: a large file was in memory three times. Here it is there as the message and, while that is read, as the text
/// in it; never as bytes.
#[tokio::test]
async fn a_large_file_in_memory() -> Result<()> {
    let place = Place::new(&json!({})).await?;
    let caller = place.world.start().await?;
    let pid = place.world.daemon.pid().context("a pid")?;
    let peak = || -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.context("no VmHWM")?.trim().trim_end_matches(" kB");
        Ok(kib.parse::<usize>()? * 1024)
    };
    let before = peak()?;
    let body = export(&vec![8; LARGE]);
    let size = body.len();
    assert_eq!(caller.call(body).await?.text(), "true");
    let more = peak()? - before;
    assert!(more < size / 2 * 5, "{more} bytes for {size}");
    place.verify()
}

/// A caller written in Python, as the deposit system's front end is.
#[tokio::test]
async fn a_python_caller_is_served() -> Result<()> {
    let python = std::env::var_os("EDEPOSIT_TEST_PYTHON").context(
        "EDEPOSIT_TEST_PYTHON names no Python with pika; run the tests by: cargo xtask test",
    )?;
    let place = Place::new(&json!({})).await?;
    place.world.daemon.start()?.success()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/caller.py");
    let call = |body: String| -> Result<Value> {
        let mut child = Command::new(&python)
            .arg(&script)
            .arg(place.world.vhost.amqp_url())
            .arg(&place.world.schema.exchange)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = json!([{ "body": body }]).to_string();
        child
            .stdin
            .take()
            .context("stdin")?
            .write_all(requests.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the caller: {}", output.status);
        let mut answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        answers.pop().context("no answer")
    };
    let answer = call(export(&sip::epub(1000)?))?;
    assert_eq!(answer["body"], "true");
    assert_eq!(answer["content_type"], "application/json");
    place.verify()?;
    std::fs::rename(place.package(), place.out.join(format!("{U}_ok")))?;
    let answer = call(tracking())?;
    let body = answer["body"].as_str().context("a body")?;
    assert_eq!(
        serde_json::from_str::<Value>(body)?,
        json!({"__nt_name": "TrackingResponse", "book_id": U, "exported": true, "error": "_ok"})
    );
    let refused = call(export(b"").replace(U, ".."))?;
    assert_eq!(refused["headers"]["exception_name"], "ValueError");
    Ok(())
}
