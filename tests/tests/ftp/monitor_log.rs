//! ftp_monitord and ProFTPD's log: rotated by the real logrotate, truncated, and written to while nobody reads.
//!
//! Homes are looked at once at the start only, so that all that is imported later is the log's doing.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::monitored::{BOOK, CSV, LOCK, Monitored, items, next};
use anyhow::{Context, Result};
use edeposit_testkit::{Caller, FtpSession, wait_until};
use edeposit_tests::PATIENCE;
use rustix::process::Signal;
use serde_json::json;

/// Uploads a book, deletes the lock file, and sees it imported.
async fn hand_in(
    monitored: &Monitored,
    reader: &Caller,
    user: &str,
    session: &mut FtpSession,
    book: &str,
) -> Result<()> {
    session.put(book, BOOK)?;
    session.delete(LOCK)?;
    let (_, message) = next(reader).await?;
    assert_eq!(message["username"], user);
    assert_eq!(items(&message), [format!("EbookFile {book}")]);
    monitored.imported(user).await
}

/// Runs logrotate, with the configuration that the manual has for this log.
fn rotate(monitored: &Monitored) -> Result<()> {
    let at = |name: &str| monitored.server.path(name).display().to_string();
    let conf = monitored.server.path("conf/logrotate.conf");
    fs::write(
        &conf,
        format!(
            "{} {{\n rotate 7\n missingok\n notifempty\n compress\n delaycompress\n create 640 root adm\n postrotate\n \
             kill -HUP {}\n endscript\n}}\n",
            at("log/extended.log"),
            monitored.server.pid().context("no server")?
        ),
    )?;
    let output = Command::new("/usr/sbin/logrotate")
        .args(["--force", "--state", &at("conf/logrotate.state")])
        .arg(&conf)
        .output()
        .context("running logrotate: apt-get install logrotate")?;
    anyhow::ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// Defect 10: sessions that go on over two rotations, and those that begin after them, are all noticed.
#[tokio::test]
async fn rotation() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut a = monitored.user("a")?;
    let reader = monitored.world.start().await?;
    hand_in(&monitored, &reader, "a", &mut a, "a1.epub").await?;
    rotate(&monitored)?;
    assert!(monitored.server.path("log/extended.log.1").exists());
    let mut b = monitored.user("b")?;
    hand_in(&monitored, &reader, "a", &mut a, "a2.epub").await?;
    hand_in(&monitored, &reader, "b", &mut b, "b1.epub").await?;
    let old = fs::read_to_string(monitored.server.path("log/extended.log.1"))?;
    assert!(old.contains("a2.epub, a, STOR"), "{old}");
    rotate(&monitored)?;
    assert!(monitored.server.path("log/extended.log.2.gz").exists());
    // a's log has been deleted, but is still written to
    hand_in(&monitored, &reader, "a", &mut a, "a3.epub").await?;
    hand_in(&monitored, &reader, "b", &mut b, "b2.epub").await?;
    let mut c = monitored.user("c")?;
    hand_in(&monitored, &reader, "c", &mut c, "c1.epub").await?;
    // restarted, it goes on with the rotated log too
    monitored.world.daemon.restart()?.success()?;
    hand_in(&monitored, &reader, "b", &mut b, "b3.epub").await?;
    hand_in(&monitored, &reader, "c", &mut c, "c2.epub").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

#[tokio::test]
async fn truncation_in_the_middle() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    for book in ["1.epub", "2.epub", "3.epub"] {
        hand_in(&monitored, &reader, "argo", &mut session, book).await?;
        fs::File::options()
            .write(true)
            .open(monitored.server.log_file())?
            .set_len(0)?;
    }
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// The log does not exist before the first login; it is waited for, whatever its name.
#[tokio::test]
async fn a_log_that_is_not_there_yet() -> Result<()> {
    let monitored = Monitored::new(&json!({"LOG_FILE": "/no/such/file"})).await?;
    let log = monitored.server.log_file();
    let _ = fs::remove_file(&log);
    let name = log.to_str().context("no text")?;
    monitored
        .world
        .daemon
        .run(&["start", "-n", name])?
        .success()?;
    let reader = monitored.world.caller().await?;
    let mut session = monitored.user("argo")?;
    hand_in(&monitored, &reader, "argo", &mut session, "1.epub").await?;
    let log = monitored.world.daemon.log();
    assert!(log.contains(&format!("Monitoring file '{name}'.")), "{log}");
    let outcome = monitored.world.daemon.run(&["start", "--filename", name])?;
    assert_eq!(outcome.code, Some(1));
    monitored.world.daemon.stop()?.success()?;
    Ok(())
}

/// Defect 11: a lock file deleted from a directory below. Lines that are none of the log's are counted, not fatal.
#[tokio::test]
async fn ways_to_delete_the_lock_file() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    fs::write(monitored.server.path("log/other"), "")?;
    let mut log = fs::File::options()
        .append(true)
        .open(monitored.server.log_file())?;
    std::io::Write::write_all(&mut log, b"nonsense\n\xff\xfe\n, ,\n")?;
    session.mkdir("k")?;
    session.put("k/1.csv", CSV.as_bytes())?;
    session.command("CWD k")?;
    session.command(&format!("DELE ../{LOCK}"))?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["MetadataFile 1.csv"]);
    monitored.imported("argo").await?;
    assert!(monitored.world.daemon.log().contains("unreadable=1"));
    // a record of the past starts nothing
    let line = format!(
        "{}, argo, DELE, 1\n",
        monitored.path("argo", LOCK).display()
    );
    std::io::Write::write_all(&mut log, line.as_bytes())?;
    session.command("CWD /")?;
    hand_in(&monitored, &reader, "argo", &mut session, "2.epub").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Defect 10: what was triggered while nobody watched, and a log that is gone altogether.
#[tokio::test]
async fn daemon_down_during_the_trigger() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let (mut a, mut b) = (monitored.user("a")?, monitored.user("b")?);
    let reader = monitored.world.start().await?;
    hand_in(&monitored, &reader, "a", &mut a, "a1.epub").await?;
    monitored.world.daemon.signal(Signal::KILL)?;
    a.put("a2.epub", BOOK)?;
    a.delete(LOCK)?;
    monitored.world.daemon.start()?.success()?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile a2.epub"]);
    monitored.imported("a").await?;
    monitored.world.daemon.stop()?.success()?;
    b.put("b1.epub", BOOK)?;
    b.delete(LOCK)?;
    fs::remove_file(monitored.server.log_file())?;
    monitored.world.daemon.start()?.success()?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile b1.epub"]);
    monitored.imported("b").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// The missing lock file is the truth: the log may say nothing at all.
#[tokio::test]
async fn homes_are_looked_at() -> Result<()> {
    let monitored = Monitored::new(&json!({"SCAN_INTERVAL": 1})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    session.put("1.epub", BOOK)?;
    fs::remove_file(monitored.path("argo", LOCK))?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile 1.epub"]);
    monitored.imported("argo").await?;
    // a home with its lock file is left alone
    session.put("2.epub", BOOK)?;
    let rest = reader.next(Duration::from_secs(3)).await;
    assert!(rest.is_err());
    wait_until("the daemon is well", PATIENCE, async || {
        monitored
            .world
            .daemon
            .status()
            .is_ok_and(|status| status.code == Some(0))
    })
    .await
}
