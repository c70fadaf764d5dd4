//! The means of these tests: what they tell must be true.

use std::time::Duration;

use anyhow::Result;
use edeposit_testkit::{Alarm, End, LoadPlan, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

use crate::world::{ECHO, alone, quick};

/// A load through sound connections: every request is answered once, and executed once by the journal too.
#[tokio::test]
async fn a_load_without_faults_is_perfect() -> Result<()> {
    let mut world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 100 })).await?;
    let journal = world.daemon.home().join("journal");
    world.daemon.set_env("EDEPOSIT_PUPPET_JOURNAL", &journal);
    world.daemon.start()?.success()?;
    let load = LoadPlan::new(5000)
        .journal(&journal)
        .start(&world.vhost, &world.schema)?;
    let account = load.finish_complete(2 * PATIENCE).await?;
    println!("{account}");
    assert!(account.is_perfect(), "{account}");
    assert_eq!((account.requests, account.executions), (5000, Some(5000)));
    Ok(())
}

/// A load whose own connections are cut: it comes back, publishes again what is in doubt, and loses nothing; a request
/// that is executed twice is seen.
#[tokio::test]
async fn a_load_survives_its_own_connections() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    world.daemon.start()?.success()?;
    let load = LoadPlan::new(3000)
        .rate(1000.0)
        .start(&world.vhost, &world.schema)?;
    for round in 1..4 {
        wait_until("answers come", PATIENCE, async || {
            load.account().answered_once > round * 500
        })
        .await?;
        load.publishing().cut(End::Reset);
        load.reading().cut(End::Reset);
    }
    let account = load.finish_complete(2 * PATIENCE).await?;
    println!("{account}");
    assert_eq!(account.requests, 3000);
    assert!(account.reader_connections >= 4, "{account}");
    // The daemon's own connections were sound.
    assert_eq!(
        (account.answered_again, account.executed_again),
        (0, 0),
        "{account}"
    );
    Ok(())
}

/// Requests that nobody answers are missing, by name.
#[tokio::test]
async fn a_load_without_a_daemon_misses_everything() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    let load = LoadPlan::new(3).start(&world.vhost, &world.schema)?;
    wait_until("all are confirmed", PATIENCE, async || {
        let account = load.account();
        account.requests == 3 && account.unconfirmed == 0
    })
    .await?;
    let account = load.finish(Duration::from_millis(200)).await?;
    assert_eq!((account.missing, account.some_missing.len()), (3, 3));
    assert!(!account.is_perfect());
    Ok(())
}

/// What is done to a node has its effect, and can be undone: alarms, the longest frame.
#[tokio::test]
async fn a_node_is_harmed_and_mended() -> Result<()> {
    let (node, world) = alone().await?;
    for (alarm, name) in [(Alarm::Memory, "memory"), (Alarm::Disk, "disk")] {
        node.raise(alarm)?;
        wait_until("the alarm is raised", PATIENCE, async || {
            node.eval("rabbit_alarm:get_alarms().")
                .is_ok_and(|alarms| alarms.contains(name))
        })
        .await?;
        node.clear(alarm)?;
        wait_until("the alarm is over", PATIENCE, async || {
            node.eval("rabbit_alarm:get_alarms().")
                .is_ok_and(|alarms| alarms == "[]")
        })
        .await?;
    }
    node.set_frame_max(8192)?;
    let (connection, _channel) = world.vhost.connect().await?;
    assert_eq!(connection.configuration().frame_max(), 8192);
    let caller = world.start().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    Ok(())
}
