//! Whatever is lost on the way to the broker comes back by itself, and no request with it is lost.

use std::fs;

use anyhow::{Context, Result};
use edeposit_testkit::{End, FaultProxy, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// The puppet, connected through a proxy.
async fn relayed() -> Result<(World, FaultProxy)> {
    let world = World::puppet(&json!({})).await?;
    let proxy = FaultProxy::to(world.vhost.amqp_port())?;
    let settings = json!({ "RABBITMQ_PORT": proxy.port(), "RABBITMQ_PUPPET_EXCHANGE": "puppet" });
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    Ok((world, proxy))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_hand_when_the_connection_dies_is_answered_after_it() -> Result<()> {
    let (world, proxy) = relayed().await?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 2000}"#);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    assert_eq!(proxy.cut(End::Fin), 2);
    let answer = caller
        .answer_to(&request.uuid().context("uuid")?, PATIENCE)
        .await?;
    // By the handler that was at work already.
    assert_eq!(
        answer.json()?,
        json!({"__nt_name": "Echoed", "text": "slept", "redelivered": false})
    );
    assert!(world.daemon.log().contains("not carried out again"));
    world.daemon.stop()?.success()?;
    assert_eq!(world.vhost.depth("daemon").await?, (0, 0));
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_process_killed_with_a_request_in_hand() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 2000}"#);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    world.daemon.signal(rustix::process::Signal::KILL)?;
    world.until_ready(1).await?;
    world.daemon.start()?.success()?;
    let answer = caller
        .answer_to(&request.uuid().context("uuid")?, PATIENCE)
        .await?;
    assert_eq!(answer.json()?["redelivered"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reconnects_leave_nothing_behind() -> Result<()> {
    let (world, proxy) = relayed().await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("a pid")?;
    let count = |what: &str| {
        fs::read_dir(format!("/proc/{pid}/{what}")).map_or(usize::MAX, Iterator::count)
    };
    // The first time a connection is lost, the client library starts a runtime of its own, once and for all.
    wait_until("both connections are there and cut", PATIENCE, async || {
        proxy.cut(End::Fin) >= 2
    })
    .await?;
    caller.call(ECHO).await?;
    let before = (count("task"), count("fd"));
    // Each session lasts too short to count as good, so the back-off grows.
    for _ in 0..6 {
        wait_until("both connections are there and cut", PATIENCE, async || {
            proxy.cut(End::Fin) >= 2
        })
        .await?;
        let request = caller.request(ECHO);
        caller.publish(&request).await?;
        caller
            .answer_to(&request.uuid().context("uuid")?, 2 * PATIENCE)
            .await?;
    }
    let mut now = before;
    let back = wait_until(
        "threads and descriptors are as before",
        PATIENCE,
        async || {
            now = (count("task"), count("fd"));
            now.0 <= before.0 && now.1 <= before.1
        },
    );
    back.await
        .with_context(|| format!("{before:?} before, {now:?} now"))
}

/// A handler that computes for five heartbeats without a pause: the connections live on, others are answered meanwhile.
#[tokio::test]
async fn a_job_longer_than_the_heartbeat() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_HEARTBEAT": 1 })).await?;
    let caller = world.start().await?;
    let long = caller.request(r#"{"__nt_name": "Block", "milliseconds": 5000}"#);
    caller.publish(&long).await?;
    world.until_ready(0).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    let uuid = long.uuid().context("a UUID")?;
    let answer = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(answer.json()?["text"], "blocked");
    let log = world.daemon.log();
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    Ok(())
}
