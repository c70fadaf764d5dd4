//! antivirusd over RabbitMQ: the real binary, a real clamd, and callers who wait for verdicts.

use std::net::TcpListener;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::clamd::{Clamd, EICAR_BASE64};
use edeposit_testkit::{Caller, Outcome, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

const CLEAN_BASE64: &str = "bmXFoWtvZG7DvSBvYnNhaA==";

async fn world(settings: &Value) -> Result<World> {
    let schema = Schema::new("antivirus");
    let world = World::new("edeposit_amqp_antivirusd", "ANTIVIRUS", schema, &json!({})).await?;
    world.daemon.write_settings("antivirus.json", settings)?;
    Ok(world)
}

fn request(filename: &str, data: &str) -> String {
    json!({"__nt_name": "ScanFile", "filename": filename, "b64_data": data}).to_string()
}

async fn scan(caller: &Caller, filename: &str, data: &str) -> Result<Value> {
    caller.call(request(filename, data)).await?.json()
}

/// Whether an answer is a find of EICAR.
fn is_found(answer: &Value) -> bool {
    let found = answer["result"].as_object().and_then(|r| r.values().next());
    found == Some(&json!(["FOUND", "Eicar-Test-Signature.UNOFFICIAL"]))
}

#[tokio::test]
async fn eicar_is_found_and_a_clean_file_is_clean() -> Result<()> {
    let clamd = Clamd::start()?;
    let world = world(&json!({ "CONF_PATH": clamd.conf() })).await?;
    let caller = world.start().await?;
    let found = scan(&caller, "/home/novak/eicar.com", EICAR_BASE64).await?;
    assert!(is_found(&found), "{found}");
    assert_eq!(found["filename"], "/home/novak/eicar.com");
    let name = "/home/plone/nahráno/příloha č. 1.pdf";
    let clean = scan(&caller, name, CLEAN_BASE64).await?;
    assert_eq!(
        clean,
        json!({"__nt_name": "ScanResult", "filename": name, "result": {}})
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &BASE64_STANDARD.decode(EICAR_BASE64)?)?;
    let packed = BASE64_STANDARD.encode(gzip.finish()?);
    assert!(is_found(&scan(&caller, "eicar.com.gz", &packed).await?));
    // names that broke the original's scan
    for name in ["a\nb", "a: b", "../../etc/passwd", &"x".repeat(300)] {
        assert!(
            is_found(&scan(&caller, name, EICAR_BASE64).await?),
            "{name}"
        );
    }
    Ok(())
}

/// What is no verdict is an exception, and the same process answers the next request.
#[tokio::test]
async fn exceptions_and_then_the_next_request() -> Result<()> {
    let clamd = Clamd::start()?;
    let world = world(&json!({ "CLAMD_ADDRESS": format!("127.0.0.1:{}", clamd.port()) })).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let eleven_mb = "A".repeat(11 * 1024 * 1024 / 3 * 4);
    for (body, name, message) in [
        (request("x", &eleven_mb), "ScanError", "StreamMaxLength"),
        (request("x", "abc"), "TypeError", "Incorrect padding"),
        (request("a\0b", ""), "TypeError", "null bytes"),
        (
            r#"{"__nt_name": "ScanFile", "filename": null, "b64_data": ""}"#.to_owned(),
            "AttributeError",
            "'NoneType' object has no attribute 'rfind'",
        ),
    ] {
        let answer = caller.call(body).await?;
        assert_eq!(answer.header("exception_name").as_deref(), Some(name));
        let told = answer.header("exception").context("no exception")?;
        assert!(told.contains(message), "{told}");
    }
    assert!(is_found(&scan(&caller, "x", EICAR_BASE64).await?));
    assert_eq!(world.daemon.pid(), pid);
    Ok(())
}

/// A request that comes while clamd is down waits for it.
#[tokio::test]
async fn clamd_is_down_and_comes_back() -> Result<()> {
    let mut clamd = Clamd::prepare()?;
    let world = world(&json!({ "CONF_PATH": clamd.conf(), "TIMEOUT": 60 })).await?;
    let caller = world.start().await?;
    let waiting = caller.request(request("x", EICAR_BASE64));
    caller.publish(&waiting).await?;
    wait_until("the daemon misses clamd", PATIENCE, async || {
        world.daemon.log().contains("no clamd answers")
    })
    .await?;
    assert!(caller.unclaimed().is_empty());
    clamd.run()?;
    let uuid = waiting.uuid().context("no UUID")?;
    let answer = caller.answer_to(&uuid, PATIENCE).await?.json()?;
    assert!(is_found(&answer), "{answer}");
    // restarted, it is asked again
    clamd.stop()?;
    clamd.run()?;
    assert!(is_found(&scan(&caller, "x", EICAR_BASE64).await?));
    Ok(())
}

/// freshclam's log is the answer, and clamscan, chosen by the settings file, uses what it fetched.
#[tokio::test]
async fn clamscan_and_an_update() -> Result<()> {
    let clamd = Clamd::prepare()?;
    let signatures = clamd.path("custom.ndb");
    std::fs::write(&signatures, "Second-Signature:0:0:7365636f6e64\n")?;
    let conf = clamd.path("freshclam.conf");
    let user = std::process::Command::new("id").arg("-un").output()?;
    std::fs::write(
        &conf,
        format!(
            "DatabaseDirectory {}\nDatabaseOwner {}\nScriptedUpdates no\nDatabaseMirror 127.0.0.1\n\
             ExcludeDatabase main\nExcludeDatabase daily\nExcludeDatabase bytecode\n\
             DatabaseCustomURL file://{}\nMaxAttempts 1\nConnectTimeout 5\n",
            clamd.path("db").display(),
            String::from_utf8(user.stdout)?.trim(),
            signatures.display()
        ),
    )?;
    let world = world(&json!({
        "USE_CLAMD": false,
        "CLAMSCAN_DATABASE": clamd.path("db"),
        "FRESHCLAM_ARGS": [format!("--config-file={}", conf.display()), "--stdout"],
    }))
    .await?;
    let caller = world.start().await?;
    let second = "c2Vjb25k";
    assert_eq!(scan(&caller, "x", second).await?["result"], json!({}));
    let answer = caller.call(r#"{"__nt_name": "UpdateDatabase"}"#).await?;
    let updated = answer.json()?;
    assert_eq!(updated["__nt_name"], "DatabaseUpdated");
    let log = updated["log"].as_str().context("no log")?;
    assert!(log.contains("custom.ndb"), "{log}");
    let found = scan(&caller, "x", second).await?;
    let verdict = found["result"].as_object().and_then(|r| r.values().next());
    assert_eq!(
        verdict,
        Some(&json!(["FOUND", "Second-Signature.UNOFFICIAL"]))
    );
    assert!(is_found(&scan(&caller, "x", EICAR_BASE64).await?));
    Ok(())
}

/// A daemon that is stopped in the middle of an update leaves no program behind, and the request is carried out later.
#[tokio::test]
async fn stopped_in_the_middle_of_an_update() -> Result<()> {
    let world = world(&json!({})).await?;
    let script = world.daemon.home().join("freshclam");
    let pids = world.daemon.home().join("pids");
    let write = |text: &str| -> Result<()> {
        std::fs::write(&script, format!("#!/bin/sh\n{text}\n"))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        Ok(std::fs::set_permissions(&script, mode)?)
    };
    write(&format!("sleep 600 & echo $$ $! >{}; wait", pids.display()))?;
    world.daemon.write_settings(
        "antivirus.json",
        &json!({ "USE_CLAMD": false, "FRESHCLAM": script, "FRESHCLAM_ARGS": ["x"] }),
    )?;
    let mut amqp: Value = serde_json::from_slice(&std::fs::read(
        world.daemon.home().join("edeposit/amqp.json"),
    )?)?;
    amqp["RABBITMQ_DRAIN_TIMEOUT"] = json!(1);
    world.daemon.write_settings("amqp.json", &amqp)?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "UpdateDatabase"}"#);
    caller.publish(&request).await?;
    wait_until("the update runs", PATIENCE, async || {
        std::fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))
    })
    .await?;
    world.daemon.stop()?.success()?;
    let started = std::fs::read_to_string(&pids)?;
    for pid in started.split_whitespace() {
        wait_until("what it started ends", PATIENCE, async || {
            // a zombie, which somebody else has to ask for its status, has no command line
            std::fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty())
        })
        .await?;
    }
    assert!(caller.unclaimed().is_empty());
    write("echo done")?;
    world.daemon.start()?.success()?;
    let uuid = request.uuid().context("no UUID")?;
    let answer = caller.answer_to(&uuid, PATIENCE).await?.json()?;
    assert_eq!(
        answer,
        json!({"__nt_name": "DatabaseUpdated", "log": "done\n"})
    );
    Ok(())
}

/// With no prefetch set, as many files leave the queue as are scanned at once.
#[tokio::test]
async fn files_wait_in_the_queue_not_in_memory() -> Result<()> {
    let never_answers = TcpListener::bind("127.0.0.1:0")?;
    let address = never_answers.local_addr()?.to_string();
    let world = world(&json!({ "CLAMD_ADDRESS": address, "MAX_JOBS": 2 })).await?;
    let caller = world.caller().await?;
    for _ in 0..5 {
        let request = caller.request(request("x", CLEAN_BASE64));
        caller.publish(&request).await?;
    }
    world.until_ready(5).await?;
    world.daemon.start()?.success()?;
    world.until_ready(3).await
}

/// Settings that cannot be used fail `start`, and `restart` before it takes the running daemon down.
#[tokio::test]
async fn settings_are_checked_before_anything_is_touched() -> Result<()> {
    let clamd = Clamd::start()?;
    let good = json!({ "CONF_PATH": clamd.conf() });
    let mut world = world(&json!({ "TIMEOUT": 0 })).await?;
    let refused = |outcome: Outcome, words: &str| {
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    };
    let file = world.daemon.home().join("edeposit/antivirus.json");
    let takes = "cannot be used, it takes seconds from 0.001 to 86400";
    let in_file = format!("TIMEOUT in {}: '0' {takes}", file.display());
    refused(world.daemon.start()?, &in_file);
    assert_eq!(world.daemon.pid(), None);

    // anybody's variable
    world.daemon.set_env("TIMEOUT", "abc");
    world.daemon.set_env("EDEPOSIT_ANTIVIRUS_TIMEOTU", "7");
    world.daemon.write_settings("antivirus.json", &good)?;
    let caller = world.start().await?;
    let warning = "EDEPOSIT_ANTIVIRUS_TIMEOTU in the environment is ignored: unknown name, \
                   did you mean EDEPOSIT_ANTIVIRUS_TIMEOUT?";
    assert!(
        world.daemon.log().contains(warning),
        "{}",
        world.daemon.log()
    );
    let pid = world.daemon.pid().context("no pid")?;

    world
        .daemon
        .write_settings("antivirus.json", &json!({ "TIMEOUT": 0 }))?;
    refused(world.daemon.restart()?, &in_file);
    world.daemon.write_settings("antivirus.json", &good)?;
    world.daemon.set_env("EDEPOSIT_ANTIVIRUS_TIMEOUT", "abc");
    let in_environment = format!("EDEPOSIT_ANTIVIRUS_TIMEOUT in the environment: 'abc' {takes}");
    refused(world.daemon.restart()?, &in_environment);
    assert_eq!(world.daemon.pid(), Some(pid));
    assert!(is_found(&scan(&caller, "x", EICAR_BASE64).await?));

    world.daemon.set_env("EDEPOSIT_ANTIVIRUS_TIMEOUT", "20");
    world.daemon.restart()?.success()?;
    assert_ne!(world.daemon.pid(), Some(pid));
    Ok(())
}
