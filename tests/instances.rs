//! Several instances of one daemon share its queue: on one machine by `--name`, on several without anything.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use edeposit_testkit::{Caller, DaemonUnderTest, wait_until};
use edeposit_tests::{PATIENCE, World};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The puppet, commanded as an operator does it: the PID file follows from the name.
fn by_name(world: &mut World) {
    let home = world.daemon.home().to_path_buf();
    world.daemon.set_env("RUNTIME_DIRECTORY", home);
}

fn pid_file(world: &World, name: &str) -> PathBuf {
    world.daemon.home().join(format!("{name}.pid"))
}

fn pid(world: &World, name: &str) -> Result<i32> {
    let text = fs::read_to_string(pid_file(world, name))?;
    Ok(text.lines().next().context("an empty PID file")?.parse()?)
}

/// A command with the instance's name; its log goes beside the PID file, also for root.
fn command(world: &World, name: &str, words: &[&str]) -> Result<edeposit_testkit::Outcome> {
    let log = world.daemon.home().join(format!("{name}.log"));
    let log = log.to_str().context("a path")?;
    world
        .daemon
        .run_plain(&[words, &["--name", name, "--log-file", log]].concat())
}

fn log(world: &World, name: &str) -> String {
    fs::read_to_string(world.daemon.home().join(format!("{name}.log"))).unwrap_or_default()
}

fn request(caller: &Caller) -> edeposit_testkit::RawRequest {
    caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 20}"#)
}

async fn until_consumers(world: &World, count: u32) -> Result<()> {
    let what = format!("{count} instances consume");
    wait_until(&what, PATIENCE, async || {
        world
            .vhost
            .depth("daemon")
            .await
            .is_ok_and(|(_, consumers)| consumers == count)
    })
    .await
}

/// How many requests an instance says, at its end, that it received.
fn received(world: &World, name: &str) -> Result<u32> {
    let log = log(world, name);
    let before = log.rsplit_once(" requests (").context("no end")?.0;
    Ok(before.rsplit(' ').next().context("no number")?.parse()?)
}

#[tokio::test]
async fn two_names_are_two_daemons_with_one_queue() -> Result<()> {
    let mut world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 2 })).await?;
    by_name(&mut world);
    command(&world, "one", &["start"])?.success()?;

    // The same name is the same daemon; the way to a second one is told.
    let again = command(&world, "one", &["start"])?;
    assert_eq!(again.code, Some(1));
    assert_eq!(again.stdout, "It looks like a daemon is already running!\n");
    assert!(again.stderr.contains("--name"), "{}", again.stderr);

    command(&world, "two", &["start"])?.success()?;
    let (one, two) = (pid(&world, "one")?, pid(&world, "two")?);
    assert_ne!(one, two);
    until_consumers(&world, 2).await?;
    for (name, pid) in [("one", one), ("two", two)] {
        let status = command(&world, name, &["status"])?;
        assert_eq!(status.code, Some(0));
        assert!(
            status
                .stdout
                .starts_with(&format!("running with pid {pid}, "))
        );
    }
    // Without the name, it is another daemon, which does not run.
    let plain = world.daemon.run_plain(&["status"])?;
    assert_eq!(
        (plain.code, plain.stdout.as_str()),
        (Some(3), "not running\n")
    );

    let caller = world.caller().await?;
    let mut waiting = HashSet::new();
    for _ in 0..200 {
        let request = request(&caller);
        waiting.insert(request.uuid().context("a UUID")?);
        caller.publish(&request).await?;
    }
    while !waiting.is_empty() {
        let answer = caller.next(PATIENCE).await?;
        assert!(
            waiting.remove(&answer.header("UUID").context("no UUID")?),
            "once each"
        );
    }

    command(&world, "one", &["stop"])?.success()?;
    assert!(!pid_file(&world, "one").exists());
    assert_eq!(pid(&world, "two")?, two, "the other one is left alone");
    until_consumers(&world, 1).await?;
    command(&world, "two", &["stop"])?.success()?;
    let shares = (received(&world, "one")?, received(&world, "two")?);
    println!("shares: {shares:?}");
    assert_eq!(shares.0 + shares.1, 200);
    assert!(shares.0.abs_diff(shares.1) <= 60, "{shares:?}");
    Ok(())
}

/// Injected: one of two instances is killed under load. The other answers everything, and the killed one's name is free again.
#[tokio::test]
async fn fault_41_one_of_two_instances_killed_under_load() -> Result<()> {
    let mut world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 4 })).await?;
    by_name(&mut world);
    command(&world, "one", &["start"])?.success()?;
    command(&world, "two", &["start"])?.success()?;
    until_consumers(&world, 2).await?;
    let caller = world.caller().await?;
    let mut waiting = HashSet::new();
    for _ in 0..300 {
        let request = request(&caller);
        waiting.insert(request.uuid().context("a UUID")?);
        caller.publish(&request).await?;
    }
    let mut answered = 0;
    let mut twice = 0;
    while !waiting.is_empty() {
        let answer = caller.next(PATIENCE).await?;
        // What was published but not acknowledged when the process died is answered again: at least once.
        if !waiting.remove(&answer.header("UUID").context("no UUID")?) {
            twice += 1;
        }
        answered += 1;
        if answered == 50 {
            let pid = Pid::from_raw(pid(&world, "one")?).context("a pid")?;
            kill_process(pid, Signal::KILL)?;
        }
    }
    assert!(twice <= 4, "{twice}: more than the killed one had in hand");
    until_consumers(&world, 1).await?;
    assert_eq!(command(&world, "two", &["status"])?.code, Some(0));

    // What is left of it is no hindrance.
    let status = command(&world, "one", &["status"])?;
    assert_eq!(status.code, Some(3), "{}", status.stdout);
    command(&world, "one", &["start"])?.success()?;
    until_consumers(&world, 2).await?;
    command(&world, "two", &["stop"])?.success()?;
    assert!(received(&world, "two")? >= 150);
    Ok(())
}

/// Two machines, as far as the daemons can tell: the same name, nothing else in common but the queue.
#[tokio::test]
async fn the_same_name_on_two_machines() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    let other = DaemonUnderTest::new("edeposit-test-puppet")?;
    let settings = json!({ "RABBITMQ_PUPPET_EXCHANGE": world.schema.exchange });
    other.connect_to(&world.vhost, "PUPPET", &settings)?;
    other.start()?.success()?;
    until_consumers(&world, 2).await?;
    // The broker tells them apart.
    wait_until("two consumer tags are listed", PATIENCE, async || {
        let consumers = world.vhost.list("consumers").unwrap_or_default();
        let tags = consumers
            .iter()
            .filter_map(|one| one["consumer_tag"].as_str());
        tags.collect::<HashSet<_>>().len() == 2
    })
    .await?;
    other.stop()?.success()?;
    until_consumers(&world, 1).await
}
