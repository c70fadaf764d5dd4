//! Faults of the broker, and of what is in it.

use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Cluster, LoadPlan, QueueType, Schema, random, wait_until};
use edeposit_tests::{Gate, PATIENCE, World};
use serde_json::json;

use crate::world::{
    ECHO, NO_SESSION, alone, answered, in_hand, quick, quick_and, sleep, until_holds, until_logged,
};

/// The operator closes the daemon's connections, with a request in hand: a new session, and the request is answered.
#[tokio::test]
async fn fault_12_connections_closed_by_the_operator() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    world.daemon.start()?.success()?;
    let caller = world.caller().await?;
    let gate = Gate::new(&world.daemon);
    let request = in_hand(&world, &caller, gate.request()).await?;
    drop(caller);
    wait_until(
        "both connections are listed and closed",
        PATIENCE,
        async || {
            world
                .vhost
                .close_all_connections()
                .is_ok_and(|closed| closed >= 2)
        },
    )
    .await?;
    until_logged(&world, NO_SESSION, 0).await?;
    gate.open()?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    answered(&world, &caller, &request).await?;
    let log = world.daemon.log();
    assert!(
        log.matches("pikadaemon::daemon: consuming").count() >= 2,
        "{log}"
    );
    Ok(())
}

/// RabbitMQ is stopped and started, then its machine: each time one new session, and no ghost of the old consumer.
#[tokio::test]
async fn fault_13_stopped_and_started() -> Result<()> {
    let (node, world) = alone().await?;
    world.daemon.start()?.success()?;
    node.stop_app()?;
    until_logged(&world, NO_SESSION, 0).await?;
    assert_eq!(world.daemon.status()?.code, Some(0));
    node.start_app()?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    drop(caller);
    let told = world.daemon.log().matches(NO_SESSION).count();
    node.kill()?;
    until_logged(&world, NO_SESSION, told).await?;
    node.start_again()?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    world.daemon.stop()?.success()?;
    Ok(())
}

/// The broker is killed (kill -9) under load, at random moments: what it has confirmed is answered.
#[tokio::test]
async fn fault_14_killed_under_load() -> Result<()> {
    const ROUNDS: usize = 3;
    let mut random = random();
    let (node, mut world) = alone().await?;
    let journal = world.daemon.home().join("journal");
    world.daemon.set_env("EDEPOSIT_PUPPET_JOURNAL", &journal);
    world.daemon.start()?.success()?;
    let load = LoadPlan::endless()
        .rate(400.0)
        .work(Duration::from_millis(5))
        .journal(&journal)
        .start(&world.vhost, &world.schema)?;
    for _ in 0..ROUNDS {
        let before = load.account().answered_once;
        wait_until("answers come", 2 * PATIENCE, async || {
            load.account().answered_once > before + 100
        })
        .await?;
        tokio::time::sleep(Duration::from_millis(random.u64(..700))).await;
        node.kill()?;
        node.start_again()?;
    }
    let account = load.finish_complete(3 * PATIENCE).await?;
    println!("{account}");
    assert!(account.exceptions.is_empty(), "{account}");
    world.until_consuming().await
}

/// One node of three is killed under load, queues being of type quorum, the daemon's own first: it goes on as soon as it
/// has a broker again, and no request is missing.
#[tokio::test]
async fn fault_14_a_node_of_a_cluster_killed() -> Result<()> {
    let cluster = Cluster::start(3)?;
    let vhost = cluster.vhost("cluster")?;
    let schema = Schema::new("puppet").with_queues(QueueType::Quorum);
    vhost.declare(&schema).await?;
    cluster.node(0).flush_schema()?;
    let daemon = edeposit_testkit::DaemonUnderTest::new("edeposit-test-puppet")?;
    let port = cluster.node(1).amqp_port();
    daemon.connect_to(
        &vhost,
        "PUPPET",
        &quick_and(json!({ "RABBITMQ_PORT": port })),
    )?;
    daemon.start()?.success()?;
    let load = LoadPlan::endless().rate(100.0).start(&vhost, &schema)?;
    for victim in [2, 1] {
        let before = load.account().answered_once;
        wait_until("answers come", 2 * PATIENCE, async || {
            load.account().answered_once > before + 50
        })
        .await?;
        cluster.kill(victim)?;
        cluster.start_node(victim)?;
    }
    let account = load.finish_complete(3 * PATIENCE).await?;
    println!("{account}");
    assert!(account.exceptions.is_empty(), "{account}");
    Ok(())
}

/// The queue is deleted under the consumer: the log says so, and it is consumed again when it is there again.
#[tokio::test]
async fn fault_21_queue_deleted() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    let caller = world.start().await?;
    world.vhost.delete_queue("daemon")?;
    until_logged(&world, "has no queue 'daemon'", 0).await?;
    world.vhost.declare(&world.schema).await?;
    world.until_consuming().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    Ok(())
}

/// The exchange is deleted while a request is in hand: its answer waits, with its request in the queue, until the
/// exchange is there again.
#[tokio::test]
async fn fault_22_exchange_deleted() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    let caller = world.start().await?;
    let gate = Gate::new(&world.daemon);
    let request = in_hand(&world, &caller, gate.request()).await?;
    world.vhost.delete_exchange("puppet")?;
    gate.open()?;
    until_logged(&world, "has no exchange 'puppet'", 0).await?;
    until_holds(&world.vhost, "daemon", 1).await?;
    world.vhost.declare(&world.schema).await?;
    assert_eq!(answered(&world, &caller, &request).await?["text"], "waited");
    Ok(())
}

/// The binding of the output queue is gone: the answer comes back from the broker, is parked with the reason, counted and
/// logged, and only then is the request settled.
#[tokio::test]
async fn fault_23_binding_removed() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    let caller = world.start().await?;
    let gate = Gate::new(&world.daemon);
    let request = in_hand(&world, &caller, gate.request()).await?;
    world.vhost.unbind("plone", "puppet", "result").await?;
    gate.open()?;
    until_holds(&world.vhost, "daemon.parked", 1).await?;
    until_logged(&world, "no queue takes this answer; it is parked", 0).await?;
    wait_until("the request is settled", PATIENCE, async || {
        let queue = world.vhost.queue("daemon");
        matches!(queue, Ok(Some(queue)) if queue.ready == 0 && queue.unacked == 0)
    })
    .await?;
    let (_connection, channel) = world.vhost.connect().await?;
    let parked = channel
        .basic_get(
            "daemon.parked".into(),
            lapin::options::BasicGetOptions::default(),
        )
        .await?
        .context("the parked answer")?;
    let parked = edeposit_testkit::Answer::from(parked.delivery);
    assert_eq!(parked.header("UUID"), request.uuid());
    assert_eq!(
        parked.header("x-edeposit-routing-key").as_deref(),
        Some("result")
    );
    assert_eq!(parked.json()?["text"], "waited");
    Ok(())
}

/// The output queue is full and refuses: the answer is offered again, its request unsettled, until there is room.
#[tokio::test]
async fn fault_24_queue_full_for_a_while() -> Result<()> {
    let world = World::puppet(&quick_and(json!({ "RABBITMQ_PUBLISH_TIMEOUT": 60 }))).await?;
    let caller = world.start().await?;
    fill_up(&world)?;
    let request = in_hand(&world, &caller, sleep(500)).await?;
    until_logged(&world, "RabbitMQ refuses a message", 0).await?;
    let queue = world.vhost.queue("daemon")?.context("a queue")?;
    assert_eq!(
        (queue.ready, queue.unacked),
        (0, 1),
        "no acknowledgement before"
    );
    world.vhost.clear_policy("full")?;
    answered(&world, &caller, &request).await?;
    assert!(!world.daemon.log().contains(NO_SESSION));
    Ok(())
}

/// The output queue stays full: when the time is over, the answer is parked.
#[tokio::test]
async fn fault_24_queue_full_for_good() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    let caller = world.start().await?;
    fill_up(&world)?;
    in_hand(&world, &caller, ECHO.to_owned()).await?;
    until_holds(&world.vhost, "daemon.parked", 1).await?;
    assert!(!world.daemon.log().contains(NO_SESSION));
    assert_eq!(world.vhost.depth("daemon").await?, (0, 1));
    Ok(())
}

fn fill_up(world: &World) -> Result<()> {
    let full = json!({ "max-length": 0, "overflow": "reject-publish" });
    world.vhost.set_policy("full", "^plone$", &full)
}

/// The broker closes the channel that consumes with an error of its own (406, a delivery unacknowledged for too long): a
/// new session, not a consumer that never hears anything again; the request is answered.
#[tokio::test]
async fn fault_25_channel_error_in_the_consumer() -> Result<()> {
    let (node, world) = alone().await?;
    // Read when a channel is opened; the broker looks once a minute, or when told to.
    node.set_consumer_timeout(Duration::from_millis(1))?;
    world.daemon.start()?.success()?;
    node.set_consumer_timeout(Duration::from_secs(1800))?;
    let caller = world.caller().await?;
    let gate = Gate::new(&world.daemon);
    let request = in_hand(&world, &caller, gate.request()).await?;
    node.eval("[P ! tick || P <- rabbit_channel:list()].")?;
    until_logged(&world, NO_SESSION, 0).await?;
    gate.open()?;
    answered(&world, &caller, &request).await.map(drop)
}

/// The node takes no new connections (maintenance): the session goes on; once it is lost, there is a new one when the node
/// takes connections again.
#[tokio::test]
async fn fault_29_listeners_suspended() -> Result<()> {
    let (node, world) = alone().await?;
    let caller = world.start().await?;
    node.suspend_listeners()?;
    assert!(!caller.call(ECHO).await?.is_exception());
    drop(caller);
    node.ctl(&[
        "close_all_connections",
        "--vhost",
        world.vhost.name(),
        "maintenance",
    ])?;
    until_logged(&world, NO_SESSION, 0).await?;
    node.resume_listeners()?;
    world.until_consuming().await
}
