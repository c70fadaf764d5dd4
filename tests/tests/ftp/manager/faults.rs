//! ftp_managerd beside others at work, without root, killed, and on a full disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_ftp::{ImportLock, UserName};
use edeposit_testkit::{
    DaemonUnderTest, ProFtpd, RabbitNode, Schema, bin_dir, poll_until, skip, wait_until,
};
use edeposit_tests::{PATIENCE, World};
use rustix::process::{Signal, geteuid};
use serde_json::json;

use super::*;

/// Defects 7 and 8: two daemons change the file, and nothing is lost, everybody else's lines stay, the file is never readable for others, and a server that
/// reads its configuration meanwhile lives on.
#[tokio::test]
async fn two_hundred_users_at_once() -> Result<()> {
    let server = ProFtpd::start()?;
    server.add_account("rucni", "foreign")?;
    let by_hand = fs::read_to_string(server.login_file())?;
    let by_hand = format!(
        "# accounts\n\n{by_hand}jan@host:*:1000:1000:Jan Novak,,,:/srv:/bin/sh\n# six:fields:1:2:x:/home\n"
    );
    fs::write(server.login_file(), &by_hand)?;
    let world = world(&server).await?;
    let first = world.start().await?;
    let other = DaemonUnderTest::new(PROGRAM)?;
    other.connect_to(&world.vhost, "FTP", &json!({}))?;
    other.write_settings("ftp.json", &server.settings())?;
    other.start()?.success()?;
    let second = world.caller().await?;

    let ended = Arc::new(AtomicBool::new(false));
    let watching = {
        let (ended, file) = (Arc::clone(&ended), server.login_file());
        std::thread::spawn(move || -> Result<BTreeSet<u32>> {
            let mut modes = BTreeSet::new();
            while !ended.load(Ordering::Relaxed) {
                modes.insert(mode(&file)?);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(modes)
        })
    };
    let mut waiting = BTreeSet::new();
    for number in 0..100 {
        for (caller, letter) in [(&first, 'a'), (&second, 'b')] {
            let request = caller.request(add(&format!("{letter}{number:02}"), "heslo").to_string());
            caller.publish(&request).await?;
            waiting.insert(request.uuid().context("no UUID")?);
        }
    }
    while !waiting.is_empty() {
        let next = waiting.len().saturating_sub(20);
        wait_until("twenty answers", PATIENCE, async || {
            for answer in first.unclaimed().into_iter().chain(second.unclaimed()) {
                assert_eq!(answer.text(), "true");
                assert!(waiting.remove(&answer.header("UUID").unwrap_or_default()));
            }
            waiting.len() <= next
        })
        .await?;
        server.hup()?;
    }
    drop(second);
    wait_until("one caller is left", PATIENCE, async || {
        let queue = &world.schema.output_queue;
        world
            .vhost
            .depth(queue)
            .await
            .is_ok_and(|(_, callers)| callers == 1)
    })
    .await?;
    ended.store(true, Ordering::Relaxed);
    let modes = watching
        .join()
        .map_err(|_| anyhow::anyhow!("the watch failed"))??;
    assert_eq!(modes, BTreeSet::from([0o600]));

    other.stop()?.success()?;
    let added = |daemon: &DaemonUnderTest| daemon.log().matches("a user was added").count();
    let (one, two) = (added(&world.daemon), added(&other));
    assert!(one > 0 && two > 0 && one + two == 200, "{one} and {two}");
    let users = call(&first, list()).await?;
    let users: Vec<String> = serde_json::from_value(users["users"].clone())?;
    assert_eq!(users.len(), 202);
    assert!(users.is_sorted());
    assert!(users.iter().any(|name| name == "jan@host"));
    assert!(fs::read_to_string(server.login_file())?.starts_with(&by_hand));
    assert_eq!(entries(&server.path("home"))?.len(), 201);
    assert!(server.accepts("b99", "heslo")?);
    assert!(server.accepts("rucni", "foreign")?);

    // changing and removing leaves them too
    assert_eq!(call(&first, change("a00", "nove")).await?, json!(true));
    assert_eq!(call(&first, remove("a01")).await?, json!(true));
    let file = fs::read_to_string(server.login_file())?;
    assert!(file.starts_with(&by_hand));
    assert_eq!(file.lines().count(), by_hand.lines().count() + 199);

    // ProFTPD's own tool can still work on the file
    let passwd = format!("--file={}", server.login_file().display());
    let mut tool = Command::new("/usr/sbin/ftpasswd")
        .args([
            "--change-password",
            "--passwd",
            "--name=b99",
            "--stdin",
            &passwd,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    tool.stdin.take().context("no stdin")?.write_all(b"jine")?;
    assert!(tool.wait()?.success());
    assert!(server.accepts("b99", "jine")?);
    assert_eq!(call(&first, change("a00", "dalsi")).await?, json!(true));
    assert_eq!(mode(&server.login_file())?, 0o600);
    assert!(server.accepts("b99", "jine")? && server.accepts("a00", "dalsi")?);
    Ok(())
}

/// Defect 11: a user whose files are being imported is removed when the import is over.
#[tokio::test]
async fn a_removal_waits_for_the_import() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    let user = UserName::new("argo").context("no name")?;
    let importing = ImportLock::try_acquire(&settings(&world)?, &user)?.context("it is locked")?;
    let request = caller.request(remove("argo").to_string());
    caller.publish(&request).await?;
    wait_until("the daemon has the request", PATIENCE, async || {
        world
            .vhost
            .depth(&world.schema.input_queue)
            .await
            .is_ok_and(|(ready, _)| ready == 0)
    })
    .await?;
    // a login takes longer than a removal would
    assert!(server.accepts("argo", "heslo")?);
    assert!(server.home("argo").exists() && caller.unclaimed().is_empty());
    drop(importing);
    let answer = caller
        .answer_to(&request.uuid().context("no UUID")?, PATIENCE)
        .await?;
    assert_eq!(answer.text(), "true");
    assert!(!server.home("argo").exists());
    Ok(())
}

/// A daemon killed while it adds users: each is there with home and password or not at all, and all are in the end.
#[tokio::test]
async fn killed_in_between() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    let mut waiting = Vec::new();
    for number in 0..12 {
        let request = caller.request(add(&format!("u{number}"), "heslo").to_string());
        caller.publish(&request).await?;
        waiting.push(request);
    }
    for users in [2, 6] {
        poll_until("some users are there", PATIENCE, || {
            let file = fs::read_to_string(server.login_file())?;
            Ok((file.lines().count() >= users).then_some(()))
        })?;
        world.daemon.signal(Signal::KILL)?;
        // its last thread has ended when the PID file's lock is free
        wait_until("it is gone", PATIENCE, async || {
            world
                .daemon
                .status()
                .is_ok_and(|outcome| outcome.code == Some(3))
        })
        .await?;
        for line in fs::read_to_string(server.login_file())?.lines() {
            let name = line.split(':').next().unwrap_or_default();
            assert!(
                server
                    .home(name)
                    .join("delete_me_to_import_files.txt")
                    .exists(),
                "{line}"
            );
        }
        world.daemon.start()?.success()?;
    }
    for request in &waiting {
        let answer = caller
            .answer_to(&request.uuid().context("no UUID")?, PATIENCE)
            .await?;
        assert_eq!(answer.text(), "true");
    }
    assert_eq!(fs::read_to_string(server.login_file())?.lines().count(), 12);
    assert_eq!(entries(&server.path("home"))?.len(), 12);
    assert!(server.accepts("u3", "heslo")?);
    Ok(())
}

/// Without root the daemon works on a tree of its own, and tells that it leaves owners as they are. What it has no right to is
/// told in the original's words.
#[tokio::test]
async fn without_root() -> Result<()> {
    if !geteuid().is_root() {
        skip("all the other tests show it when they are not run by root");
        return Ok(());
    }
    let server = ProFtpd::start()?;
    let schema = Schema::new("ftp");
    let vhost = RabbitNode::shared()?.vhost(PROGRAM)?;
    vhost.declare(&schema).await?;
    // where anybody may read it, unlike perhaps the directory it was built in
    let program = server.path(PROGRAM);
    fs::copy(bin_dir()?.join(PROGRAM), &program)?;
    let script = server.path("as_nobody");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nexec setpriv --reuid nobody --regid nogroup --clear-groups {} \"$@\"\n",
            program.display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let daemon = DaemonUnderTest::at(&script)?;
    daemon.connect_to(&vhost, "FTP", &json!({}))?;
    let mut settings = server.settings();
    settings["PROFTPD_USERS_GID"] = json!(65534);
    daemon.write_settings("ftp.json", &settings)?;
    fs::create_dir(server.path("state"))?;
    let status = Command::new("chown")
        .args(["-R", "nobody:nogroup"])
        .args([daemon.home(), &server.path("home"), &server.path("state")])
        .status()?;
    assert!(status.success());
    let world = World {
        daemon,
        vhost,
        schema,
    };
    let caller = world.start().await?;
    // the directory of the password file is still root's
    for (request, function) in [
        (add("argo", "heslo"), "add_user"),
        (remove("argo"), "remove_user"),
        (change("argo", "heslo"), "change_password"),
        (list(), "list_users"),
    ] {
        let (kind, text, _) = refusal(&caller, request).await?;
        assert_eq!(kind, "AssertionError");
        assert_eq!(
            text,
            format!("You have to be root to run function '{function}'.")
        );
    }
    let nobody = fs::metadata(server.path("home"))?;
    for path in [server.path("conf"), server.login_file()] {
        std::os::unix::fs::chown(path, Some(nobody.uid()), Some(nobody.gid()))?;
    }
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    assert!(
        world.daemon.log().contains("not running as root"),
        "{}",
        world.daemon.log()
    );
    assert_eq!(mode(&server.login_file())?, 0o600);
    assert_eq!(fs::metadata(server.home("argo"))?.uid(), nobody.uid());
    let mut session = server.login("argo", "heslo")?;
    session.mkdir("k")?;
    session.put("k/book.pdf", b"x")?;
    assert_eq!(call(&caller, change("argo", "nove")).await?, json!(true));
    assert!(!server.accepts("argo", "heslo")? && server.accepts("argo", "nove")?);
    assert_eq!(call(&caller, remove("argo")).await?, json!(true));
    assert!(entries(&server.path("home"))?.is_empty());
    assert!(!server.accepts("argo", "nove")?);
    Ok(())
}

/// A disk that is full in the middle of a write: the old file stays whole, and no home is left. Then there is room again.
#[tokio::test]
async fn a_full_disk() -> Result<()> {
    const LIMIT: usize = 1 << 20;
    let server = ProFtpd::start()?;
    let schema = Schema::new("ftp");
    let vhost = RabbitNode::shared()?.vhost(PROGRAM)?;
    vhost.declare(&schema).await?;
    let script = server.path("limited");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nexec prlimit --fsize={LIMIT} {} \"$@\"\n",
            bin_dir()?.join(PROGRAM).display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let daemon = DaemonUnderTest::at(&script)?;
    daemon.connect_to(&vhost, "FTP", &json!({}))?;
    daemon.write_settings("ftp.json", &server.settings())?;
    let world = World {
        daemon,
        vhost,
        schema,
    };
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    let small = fs::read(server.login_file())?;
    let mut large = small.clone();
    large.extend(b"#".repeat(LIMIT - small.len() - 10));
    large.push(b'\n');
    fs::write(server.login_file(), &large)?;
    let (kind, text, _) = refusal(&caller, add("host", "heslo")).await?;
    assert_eq!(kind, "IOError");
    assert!(text.contains("ftpd.passwd.new"), "{text}");
    assert_eq!(fs::read(server.login_file())?, large);
    assert_eq!(entries(&server.path("home"))?, ["argo"]);
    let beside = entries(&server.path("conf"))?;
    assert!(
        !beside.contains(&"ftpd.passwd.new".to_owned()),
        "{beside:?}"
    );
    assert_eq!(call(&caller, list()).await?["users"], json!(["argo"]));
    fs::write(server.login_file(), small)?;
    assert_eq!(call(&caller, add("host", "heslo")).await?, json!(true));
    assert!(server.accepts("argo", "heslo")? && server.accepts("host", "heslo")?);
    Ok(())
}
