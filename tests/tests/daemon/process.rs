//! start, stop, restart and status of a real daemon with a real broker, in all their cases.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use edeposit_testkit::{ClosedPort, FaultProxy, poll_until};
use edeposit_tests::{PATIENCE, World};
use rustix::process::Signal;
use serde_json::json;

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn aleph() -> Result<World> {
    World::aleph(NOWHERE, &json!({})).await
}

/// Ended; its parent may not have asked for its exit code yet.
fn gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_life_from_start_to_stop() -> Result<()> {
    let world = aleph().await?;
    let daemon = &world.daemon;

    let status = daemon.status()?;
    assert_eq!(
        (status.code, status.stdout.as_str()),
        (Some(3), "not running\n")
    );
    let stop = daemon.stop()?;
    assert_eq!(stop.code, Some(0));
    assert_eq!(stop.stdout, "There is no running instance to be stopped.\n");

    let start = daemon.start()?;
    let pid = daemon.pid().unwrap_or_default();
    assert_eq!(start.code, Some(0), "{}", start.stderr);
    assert!(
        start.stderr.starts_with(&format!("started with pid {pid}")),
        "{}",
        start.stderr
    );
    // It was ready when start returned: the consumer is there.
    assert_eq!(world.vhost.depth("daemon").await?.1, 1);
    let mode = fs::metadata(daemon.pid_file())?.permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(
        fs::read_link(format!("/proc/{pid}/cwd"))?,
        std::path::Path::new("/")
    );

    let again = daemon.start()?;
    assert_eq!(again.code, Some(1));
    assert_eq!(again.stdout, "It looks like a daemon is already running!\n");
    let status = daemon.status()?;
    assert_eq!(status.code, Some(0));
    assert!(
        status
            .stdout
            .starts_with(&format!("running with pid {pid}, up ")),
        "{}",
        status.stdout
    );

    let restart = daemon.restart()?;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    let second = daemon.pid().unwrap_or_default();
    assert!(gone(pid) && second != pid);
    // Not two: the old consumer is gone.
    world.until_consuming().await?;

    assert_eq!(daemon.stop()?.code, Some(0));
    assert!(gone(second), "stop returned before the end");
    assert!(!daemon.pid_file().exists());
    assert_eq!(daemon.status()?.code, Some(3));
    Ok(())
}

#[tokio::test]
async fn restart_starts_what_is_not_running() -> Result<()> {
    let world = aleph().await?;
    let restart = world.daemon.restart()?;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    assert!(restart.stderr.contains("started with pid "));
    Ok(())
}

/// The PID file of a killed daemon: the next start takes it over.
#[tokio::test]
async fn fault_42_a_stale_pid_file_is_taken_over() -> Result<()> {
    let world = aleph().await?;
    world.daemon.start()?.success()?;
    let pid = world.daemon.pid().unwrap_or_default();
    world.daemon.signal(Signal::KILL)?;
    poll_until("it is gone", PATIENCE, || Ok(gone(pid).then_some(())))?;
    assert!(world.daemon.pid_file().exists());
    assert_eq!(world.daemon.status()?.code, Some(3));
    world.daemon.start()?.success()?;
    assert_ne!(world.daemon.pid(), Some(pid));
    Ok(())
}

/// The PID file is a link: refused, its target untouched.
#[tokio::test]
async fn fault_44_a_pid_file_that_is_a_symlink_is_refused() -> Result<()> {
    let world = aleph().await?;
    let target = world.daemon.home().join("precious");
    fs::write(&target, "precious")?;
    symlink(&target, world.daemon.pid_file())?;
    let start = world.daemon.start()?;
    assert_eq!(start.code, Some(1));
    assert!(
        start.stderr.contains("symbolic link") && start.stderr.contains("--pid-file"),
        "{}",
        start.stderr
    );
    assert_eq!(fs::read_to_string(target)?, "precious");
    Ok(())
}

/// The PID file names a stranger's process: it is never signalled.
#[tokio::test]
async fn fault_42_a_recycled_pid_is_never_signalled() -> Result<()> {
    let world = aleph().await?;
    let mut stranger = Command::new("sleep")
        .arg("300")
        .stdout(Stdio::null())
        .spawn()?;
    fs::write(world.daemon.pid_file(), format!("{}\n", stranger.id()))?;
    let stop = world.daemon.stop()?;
    assert_eq!(stop.code, Some(0));
    assert_eq!(stop.stdout, "There is no running instance to be stopped.\n");
    let stranger_lives = stranger.try_wait()?.is_none();
    fs::write(world.daemon.pid_file(), format!("{}\n", stranger.id()))?;
    let start = world.daemon.start()?;
    let lives_still = stranger.try_wait()?.is_none();
    stranger.kill()?;
    stranger.wait()?;
    assert!(stranger_lives && lives_still);
    assert_eq!(start.code, Some(0), "{}", start.stderr);
    Ok(())
}

/// Starting fails: the exit code is 1, stderr is one line with these words, and nothing is left.
fn assert_fails(world: &World, words: &[&str]) -> Result<()> {
    let start = world.daemon.start()?;
    assert_eq!(start.code, Some(1), "{}", start.stderr);
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    for word in words {
        assert!(
            start.stderr.contains(word),
            "no {word:?} in: {}",
            start.stderr
        );
    }
    assert!(!world.daemon.pid_file().exists());
    assert_eq!(world.daemon.status()?.code, Some(3));
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_said_with_what_to_run() -> Result<()> {
    let world = aleph().await?;
    world.vhost.delete_queue("daemon")?;
    assert_fails(
        &world,
        &[
            "no queue 'daemon'",
            "edeposit_amqp_tool --host aleph --create",
        ],
    )?;

    let world = aleph().await?;
    world.vhost.delete_exchange("search")?;
    assert_fails(&world, &["no exchange 'search'", "--create"])?;

    let world = World::aleph(NOWHERE, &json!({ "RABBITMQ_ALEPH_VIRTUALHOST": "nowhere" })).await?;
    assert_fails(
        &world,
        &[
            "no virtual host 'nowhere'",
            "edeposit_amqp_tool --host aleph --create",
        ],
    )
}

#[tokio::test]
async fn a_wrong_password_is_said_but_not_shown() -> Result<()> {
    let world = World::aleph(NOWHERE, &json!({ "RABBITMQ_USER_PASSWORD": "TopSecret" })).await?;
    assert_fails(&world, &["refuses user 'guest'", "RABBITMQ_USER_PASSWORD"])?;
    assert!(!world.daemon.log().contains("TopSecret"));
    Ok(())
}

#[tokio::test]
async fn an_unreachable_broker_is_said() -> Result<()> {
    let closed = ClosedPort::new()?;
    let world = World::aleph(NOWHERE, &json!({ "RABBITMQ_PORT": closed.port() })).await?;
    assert_fails(
        &world,
        &[
            "can't reach RabbitMQ",
            &closed.port().to_string(),
            "RABBITMQ_PORT",
        ],
    )?;
    let stderr = world.daemon.start()?.stderr;
    assert_eq!(stderr.matches("refused").count(), 1, "{stderr}");
    Ok(())
}

#[tokio::test]
async fn a_silent_broker_is_given_up_in_time() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port();
    let settings = json!({ "RABBITMQ_PORT": port, "RABBITMQ_CONNECT_TIMEOUT": 1 });
    let world = World::aleph(NOWHERE, &settings).await?;
    assert_fails(&world, &["did not answer within 1 s"])?;
    Ok(())
}

#[tokio::test]
async fn something_else_than_a_broker_is_said() -> Result<()> {
    let world = World::aleph(NOWHERE, &json!({})).await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    world.daemon.connect_to(
        &world.vhost,
        "ALEPH",
        &json!({ "RABBITMQ_PORT": port, "RABBITMQ_CONNECT_TIMEOUT": 3 }),
    )?;
    assert_fails(&world, &["no AMQP 0-9-1 broker"])
}

#[tokio::test]
async fn broken_settings_are_said_with_their_place() -> Result<()> {
    let world = aleph().await?;
    fs::write(
        world.daemon.home().join("edeposit/amqp.json"),
        "{\"RABBITMQ_HOST\": \n oops}",
    )?;
    assert_fails(&world, &["edeposit/amqp.json", "line 2"])?;
    world
        .daemon
        .connect_to(&world.vhost, "ALEPH", &json!({ "RABBITMQ_PORT": "abc" }))?;
    assert_fails(&world, &["amqp.json", "RABBITMQ_PORT", "abc"])
}

/// Settings broken under a running daemon: SIGHUP does not read them, `restart` refuses to take it down.
#[tokio::test]
async fn fault_51_broken_settings_do_not_take_a_running_daemon_down() -> Result<()> {
    let world = aleph().await?;
    world.daemon.start()?.success()?;
    let pid = world.daemon.pid().unwrap_or_default();
    fs::write(world.daemon.home().join("edeposit/amqp.json"), "{oops}")?;
    world.daemon.signal(Signal::HUP)?;
    poll_until("the log is reopened", PATIENCE, || {
        Ok(world.daemon.log().contains("SIGHUP: ").then_some(()))
    })?;
    assert!(world.consuming().await && !gone(pid));
    let restart = world.daemon.restart()?;
    assert_eq!(restart.code, Some(1));
    assert!(
        restart.stderr.starts_with("the daemon cannot start: ")
            && restart.stderr.contains("edeposit/amqp.json, line 1"),
        "{}",
        restart.stderr
    );
    assert!(!gone(pid));
    assert_eq!(world.daemon.pid(), Some(pid));
    // But it can be stopped.
    assert_eq!(world.daemon.stop()?.code, Some(0));
    assert!(gone(pid));
    Ok(())
}

#[tokio::test]
async fn with_wait_it_waits_for_the_broker() -> Result<()> {
    // A port that is closed now and leads to the broker later.
    let closed = ClosedPort::new()?;
    let port = closed.port();
    let world = World::aleph(NOWHERE, &json!({ "RABBITMQ_PORT": port })).await?;
    let start = world.daemon.run(&["start", "--wait"])?;
    assert_eq!(start.code, Some(0), "{}", start.stderr);
    assert!(
        start.stderr.contains("waiting for RabbitMQ"),
        "{}",
        start.stderr
    );
    let _proxy = FaultProxy::on(port, world.vhost.amqp_port())?;
    let caller = world.caller().await?;
    let answer = caller
        .call(r#"{"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-4"}"#)
        .await?;
    assert_eq!(answer.json()?["is_valid"], true);
    Ok(())
}

/// SIGTERM, SIGINT, SIGQUIT in a job: it is answered first, the next one stays in the queue.
#[tokio::test]
async fn fault_40_sigterm_lets_the_request_in_hand_be_answered_first() -> Result<()> {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 1 })).await?;
        let caller = world.start().await?;
        let in_hand = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 1500}"#);
        let waiting = caller.request(r#"{"__nt_name": "Echo", "text": "next"}"#);
        caller.publish(&in_hand).await?;
        caller.publish(&waiting).await?;
        // One is in hand, one waits.
        world.until_ready(1).await?;
        let pid = world.daemon.pid().unwrap_or_default();
        world.daemon.signal(signal)?;
        let answer = caller
            .answer_to(&in_hand.uuid().unwrap_or_default(), PATIENCE)
            .await?;
        assert_eq!(answer.json()?["text"], "slept");
        poll_until("it has ended", PATIENCE, || Ok(gone(pid).then_some(())))?;
        // The other request is neither lost nor answered.
        assert_eq!(world.vhost.depth("daemon").await?, (1, 0));
        assert!(caller.unclaimed().is_empty());
        assert!(!world.daemon.pid_file().exists());
    }
    Ok(())
}

/// A job longer than the drain time: back to the queue.
#[tokio::test]
async fn fault_40_what_cannot_be_finished_in_the_drain_time_goes_back() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_DRAIN_TIMEOUT": 0.5 })).await?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 60000}"#);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    assert_eq!(world.daemon.stop()?.code, Some(0));
    assert_eq!(world.vhost.depth("daemon").await?, (1, 0));
    assert!(
        world
            .daemon
            .log()
            .contains("1 requests were not finished in the drain time")
    );
    Ok(())
}

/// The same in the foreground: code 75.
#[tokio::test]
async fn fault_40_in_the_foreground_the_exit_code_tells_that_requests_went_back() -> Result<()> {
    let mut world = World::puppet(&json!({ "RABBITMQ_DRAIN_TIMEOUT": 0.5 })).await?;
    world.daemon.start_in_foreground(&[])?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 60000}"#);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    world.daemon.signal(Signal::TERM)?;
    assert_eq!(world.daemon.wait_foreground(PATIENCE)?, Some(75));
    assert_eq!(world.vhost.depth("daemon").await?.0, 1);
    Ok(())
}

/// SIGINT while idle in the foreground: code 0.
#[tokio::test]
async fn fault_40_in_the_foreground_it_logs_to_stderr_and_ends_on_sigint() -> Result<()> {
    let mut world = aleph().await?;
    world.daemon.start_in_foreground(&[])?;
    world.until_consuming().await?;
    let second = world.daemon.run(&["start", "-f"])?;
    assert_eq!(second.code, Some(1));
    assert_eq!(
        second.stdout,
        "It looks like a daemon is already running!\n"
    );
    world.daemon.signal(Signal::INT)?;
    assert_eq!(world.daemon.wait_foreground(PATIENCE)?, Some(0));
    assert!(world.daemon.log().contains("consuming"));
    Ok(())
}

#[tokio::test]
async fn the_command_line_teaches() -> Result<()> {
    let world = aleph().await?;
    for help in ["-h", "--help"] {
        let help = world.daemon.run_plain(&[help])?;
        assert_eq!(help.code, Some(0));
        for word in [
            "start",
            "stop",
            "restart",
            "status",
            "--foreground",
            "--settings",
            "--log-file",
            "Exit codes",
        ] {
            assert!(help.stdout.contains(word), "{word}");
        }
    }
    for wrong in [&[][..], &["strat"], &["start", "--nope"]] {
        let outcome = world.daemon.run_plain(wrong)?;
        assert_eq!(outcome.code, Some(2), "{wrong:?}");
        assert!(
            outcome
                .stderr
                .contains("For more information, try '--help'"),
            "{}",
            outcome.stderr
        );
    }
    Ok(())
}
