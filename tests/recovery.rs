//! Whatever is lost on the way to the broker comes back by itself, and no request with it is lost.

use std::fs;

use anyhow::{Context, Result};
use edeposit_testkit::{End, FaultProxy, RabbitNode, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// The daemon's connections, by the broker's own list.
async fn drop_connections(world: &World) -> Result<()> {
    wait_until(
        "the broker lists the daemon's two connections and closes them",
        PATIENCE,
        async || {
            world
                .vhost
                .close_all_connections()
                .is_ok_and(|closed| closed >= 2)
        },
    )
    .await
}

#[tokio::test]
async fn connections_closed_by_the_operator() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    drop_connections(&world).await?;
    world.until_consuming().await?;
    let answer = world.caller().await?.call(ECHO).await?;
    assert_eq!(answer.json()?["text"], "x");
    let log = world.daemon.log();
    assert!(
        log.contains("no session with RabbitMQ; trying again until there is one"),
        "{log}"
    );
    assert!(
        log.matches("pikadaemon::daemon: consuming").count() >= 2,
        "{log}"
    );
    Ok(())
}

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

#[tokio::test]
async fn the_queue_deleted_under_the_consumer() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    world.vhost.delete_queue("daemon")?;
    wait_until("the daemon says what is missing", PATIENCE, async || {
        world.daemon.log().contains("has no queue 'daemon'")
    })
    .await?;
    world.vhost.declare(&world.schema).await?;
    world.until_consuming().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    Ok(())
}

#[tokio::test]
async fn the_exchange_deleted_before_the_answer() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 1500}"#);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    world.vhost.delete_exchange("puppet")?;
    wait_until("the daemon says what is missing", PATIENCE, async || {
        world.daemon.log().contains("has no exchange 'puppet'")
    })
    .await?;
    assert_eq!(
        world.vhost.depth("daemon").await?.0,
        1,
        "the request is back in its queue"
    );
    world.vhost.declare(&world.schema).await?;
    let answer = caller
        .answer_to(&request.uuid().context("uuid")?, PATIENCE)
        .await?;
    assert_eq!(answer.json()?["text"], "slept");
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

#[tokio::test]
async fn the_broker_stopped_and_started() -> Result<()> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("restart")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = edeposit_testkit::DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(&vhost, "PUPPET", &json!({}))?;
    daemon.start()?.success()?;
    node.ctl(&["stop_app"])?;
    wait_until("the daemon notices", PATIENCE, async || {
        daemon.log().contains("no session with RabbitMQ")
    })
    .await?;
    assert_eq!(daemon.status()?.code, Some(0));
    node.ctl(&["start_app"])?;
    node.ctl(&["await_startup"])?;
    wait_until("it consumes again", PATIENCE, async || {
        vhost
            .depth("daemon")
            .await
            .is_ok_and(|(_, consumers)| consumers == 1)
    })
    .await?;
    let caller = edeposit_testkit::Caller::connect(&vhost, &schema).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    daemon.stop()?.success()?;
    Ok(())
}
