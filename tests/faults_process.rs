//! What can happen to the process of a daemon that has a broker: signals in every state, kill -9, and a machine that runs
//! out of descriptors and memory or whose clock jumps. Rows that need no broker are tested with the daemon wrapper.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edeposit_testkit::{
    Caller, DaemonUnderTest, FaultProxy, RabbitNode, Schema, fake_time_library, poll_until,
    wait_until,
};
use edeposit_tests::{PATIENCE, World};
use rustix::process::Signal;
use serde_json::{Value, json};

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// Ended; its parent may not have asked for its exit code yet.
fn gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn sleep_request(caller: &Caller, milliseconds: u32) -> edeposit_testkit::RawRequest {
    caller.request(format!(
        r#"{{"__nt_name": "Sleep", "milliseconds": {milliseconds}}}"#
    ))
}

fn until_logged(world: &World, words: &str) -> Result<()> {
    poll_until(&format!("{words:?} in the log"), PATIENCE, || {
        Ok(world.daemon.log().contains(words).then_some(()))
    })
}

/// Changes a limit of a running process, as `prlimit` does: `nofile`, `as`.
fn limit(pid: i32, what: &str, value: &str) -> Result<()> {
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--pid={pid}"))
        .arg(format!("--{what}={value}:"));
    ensure!(
        command.status().context("running prlimit")?.success(),
        "prlimit {what}"
    );
    Ok(())
}

/// The daemon in the foreground, consuming, with a caller.
async fn in_foreground(settings: &Value) -> Result<(World, Caller)> {
    let mut world = World::puppet(settings).await?;
    world.daemon.start_in_foreground(&[])?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    Ok((world, caller))
}

/// Ends within so many seconds after SIGTERM, with this exit code, and leaves no PID file.
fn ends(world: &mut World, seconds: u64, code: i32) -> Result<()> {
    let begin = Instant::now();
    world.daemon.signal(Signal::TERM)?;
    let ended = world.daemon.wait_foreground(PATIENCE)?;
    let took = begin.elapsed();
    ensure!(
        ended == Some(code),
        "exit code {ended:?}, {}",
        world.daemon.log()
    );
    ensure!(took < Duration::from_secs(seconds), "it took {took:?}");
    ensure!(!world.daemon.pid_file().exists());
    Ok(())
}

/// SIGTERM while idle: code 0, soon.
#[tokio::test]
async fn fault_40_sigterm_idle() -> Result<()> {
    let (mut world, caller) = in_foreground(&json!({})).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    ends(&mut world, 5, 0)
}

/// SIGTERM twice at once in a job: it is answered nevertheless.
#[tokio::test]
async fn fault_40_sigterm_twice_in_a_job() -> Result<()> {
    let (mut world, caller) = in_foreground(&json!({})).await?;
    let request = sleep_request(&caller, 1500);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    world.daemon.signal(Signal::TERM)?;
    world.daemon.signal(Signal::TERM)?;
    let answer = caller
        .answer_to(&request.uuid().context("a UUID")?, PATIENCE)
        .await?;
    assert_eq!(answer.json()?["text"], "slept");
    assert_eq!(world.daemon.wait_foreground(PATIENCE)?, Some(0));
    Ok(())
}

/// SIGTERM while the broker is away and the daemon waits for its next attempt: code 0, soon.
#[tokio::test]
async fn fault_40_sigterm_in_back_off() -> Result<()> {
    let vhosts = RabbitNode::shared()?;
    let relay = FaultProxy::to(vhosts.amqp_port())?;
    let (mut world, _caller) = in_foreground(&json!({ "RABBITMQ_PORT": relay.port() })).await?;
    drop(relay);
    until_logged(&world, "no session with RabbitMQ")?;
    ends(&mut world, 5, 0)
}

/// SIGTERM while a peer accepts the connection and says nothing: code 0, soon, though the time-out is long.
#[tokio::test]
async fn fault_40_sigterm_during_connect() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let settings =
        json!({ "RABBITMQ_PORT": silent.local_addr()?.port(), "RABBITMQ_CONNECT_TIMEOUT": 60 });
    let mut world = World::puppet(&settings).await?;
    world.daemon.start_in_foreground(&[])?;
    let (_stream, _) = silent.accept()?;
    ends(&mut world, 5, 0)
}

/// SIGTERM while the broker is short of memory and takes no answers: given up in the drain time with code 75, and the
/// request is back in the queue.
#[tokio::test]
async fn fault_40_sigterm_blocked_by_a_memory_alarm() -> Result<()> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("puppet")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    let settings = json!({ "RABBITMQ_PUPPET_EXCHANGE": "puppet", "RABBITMQ_DRAIN_TIMEOUT": 2, "RABBITMQ_PUBLISH_TIMEOUT": 1 });
    daemon.connect_to(&vhost, "PUPPET", &settings)?;
    let mut world = World {
        daemon,
        vhost,
        schema,
    };
    world.daemon.start_in_foreground(&[])?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    caller.publish(&sleep_request(&caller, 5000)).await?;
    world.until_ready(0).await?;
    node.ctl(&["set_vm_memory_high_watermark", "0.0001"])?;
    until_logged(&world, "RabbitMQ has blocked publishing")?;
    ends(&mut world, 12, 75)?;
    node.ctl(&["set_vm_memory_high_watermark", "0.4"])?;
    wait_until(
        "the request is back",
        PATIENCE,
        async || matches!(world.vhost.queue("daemon"), Ok(Some(queue)) if queue.ready == 1),
    )
    .await
}

/// kill -9 in a job: the request is delivered again, and the next start takes the stale PID file over.
#[tokio::test]
async fn fault_41_kill_9_in_a_job() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let request = sleep_request(&caller, 2000);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    let pid = world.daemon.pid().context("a pid")?;
    world.daemon.signal(Signal::KILL)?;
    poll_until("it is gone", PATIENCE, || Ok(gone(pid).then_some(())))?;
    assert_eq!(world.daemon.pid(), Some(pid), "the stale file");
    world.daemon.start()?.success()?;
    assert_ne!(world.daemon.pid(), Some(pid));
    let answer = caller
        .answer_to(&request.uuid().context("a UUID")?, PATIENCE)
        .await?;
    assert_eq!(
        answer.json()?,
        json!({ "__nt_name": "Echoed", "text": "slept", "redelivered": true })
    );
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// No descriptor is left when the connections are lost: back-off, no exit, the PID file's lock is kept; with descriptors
/// again, a new session.
#[tokio::test]
async fn fault_47_no_descriptors_left() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("a pid")?;
    limit(pid, "nofile", "3")?;
    // The daemon's two connections; the caller's is another one, and is made anew.
    drop(caller);
    world.vhost.close_all_connections()?;
    until_logged(&world, "Too many open files")?;
    for _ in 0..3 {
        assert_eq!(world.daemon.status()?.code, Some(0));
        assert_eq!(
            world.daemon.start()?.code,
            Some(1),
            "a second one beside it"
        );
    }
    assert!(!gone(pid) && world.daemon.pid() == Some(pid));
    limit(pid, "nofile", "1024")?;
    world.until_consuming().await?;
    assert!(!world.caller().await?.call(ECHO).await?.is_exception());
    world.daemon.stop()?.success()?;
    Ok(())
}

/// The wall clock jumps a day ahead, and two days back, with a request in hand: no time-out, no new session, the request
/// is answered.
#[tokio::test]
async fn fault_48_the_wall_clock_jumps() -> Result<()> {
    let Some(library) = fake_time_library() else {
        eprintln!("not checked: Debian's package faketime is missing");
        return Ok(());
    };
    let mut world = World::puppet(&json!({ "RABBITMQ_HANDLER_TIMEOUT": 60 })).await?;
    let clock = world.daemon.home().join("clock");
    let set = |offset: &str| fs::write(&clock, offset);
    set("+0")?;
    world.daemon.set_env("LD_PRELOAD", library);
    world
        .daemon
        .set_env("FAKETIME_TIMESTAMP_FILE", clock.as_os_str());
    world.daemon.set_env("FAKETIME_NO_CACHE", "1");
    world.daemon.set_env("DONT_FAKE_MONOTONIC", "1");
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let connections = world.vhost.connections()?;
    let mut days = Vec::new();
    for offset in ["+1d", "-1d"] {
        let request = sleep_request(&caller, 1500);
        caller.publish(&request).await?;
        world.until_ready(0).await?;
        set(offset)?;
        let answer = caller
            .answer_to(&request.uuid().context("a UUID")?, PATIENCE)
            .await?;
        assert_eq!(answer.json()?["text"], "slept", "{}", answer.text());
        // Something for the log, whose times tell that the clock has really jumped.
        assert!(caller.call("no JSON").await?.is_exception());
        let log = world.daemon.log();
        days.push(log.lines().last().unwrap_or_default()[..10].to_owned());
    }
    assert!(days[0] > days[1], "{days:?}");
    assert_eq!(world.daemon.pid(), pid);
    for connection in connections {
        assert!(
            world.vhost.connections()?.contains(&connection),
            "a new session"
        );
    }
    let log = world.daemon.log();
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    set("+0")?;
    world.daemon.stop()?.success()?;
    Ok(())
}

/// No memory is left (RLIMIT_AS) in a job: the process ends, its request is back in the queue, and the next start answers it.
#[tokio::test]
async fn fault_49_no_memory_left() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("a pid")?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm
        .split_whitespace()
        .next()
        .context("the size")?
        .parse()?;
    let size = pages * u64::try_from(rustix::param::page_size())?;
    limit(pid, "as", &(size + 50_000_000).to_string())?;
    // What is small still has room.
    assert!(!caller.call(ECHO).await?.is_exception());
    let request = caller.request(r#"{"__nt_name": "Large", "bytes": 110000000}"#);
    caller.publish(&request).await?;
    poll_until("it is gone", PATIENCE, || Ok(gone(pid).then_some(())))?;
    wait_until(
        "the request is back",
        PATIENCE,
        async || matches!(world.vhost.queue("daemon"), Ok(Some(queue)) if queue.ready == 1),
    )
    .await?;
    assert_eq!(world.daemon.status()?.code, Some(3));
    world.daemon.start()?.success()?;
    let answer = caller
        .answer_to(&request.uuid().context("a UUID")?, PATIENCE)
        .await?;
    assert_eq!(answer.json()?["redelivered"], true);
    Ok(())
}
