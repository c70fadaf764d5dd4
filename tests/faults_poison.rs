//! Requests that take their daemon down with them.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Caller, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

const ABORT: &str = r#"{"__nt_name": "Abort"}"#;
const SLEEP: &str = r#"{"__nt_name": "Sleep", "milliseconds": 300}"#;

/// The exception a caller gets whose request is set aside, as the original's callers see exceptions.
const POISON: &str = "PoisonMessage";

async fn make_quorum(world: &World, queue: &str, key: &str) -> Result<()> {
    world.vhost.delete_queue(queue)?;
    let (connection, channel) = world.vhost.connect().await?;
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let durable = QueueDeclareOptions::durable();
    channel
        .queue_declare(queue.into(), durable, arguments)
        .await?;
    connection.close(200, "done".into()).await?;
    world.vhost.bind(queue, &world.schema.exchange, key).await
}

/// Starts the daemon anew whenever it has died, until so many requests are parked. Returns how often it died.
async fn keep_alive(world: &World, parked: u32) -> Result<u32> {
    let mut deaths = 0;
    wait_until("the poison is parked", 2 * PATIENCE, async || {
        if world.daemon.processes().is_empty() {
            deaths += 1;
            // It may die before it can say that it is ready.
            let _ = world.daemon.start();
        }
        let depth = world.vhost.depth("daemon.parked").await;
        depth.is_ok_and(|(ready, _)| ready == parked)
    })
    .await?;
    Ok(deaths)
}

async fn answers(caller: &Caller, uuids: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for uuid in uuids {
        let answer = caller.answer_to(uuid, PATIENCE).await?;
        names.push(answer.header("exception_name").unwrap_or_default());
    }
    Ok(names)
}

/// One request kills its process, with others in hand beside it and behind it in the queue.
async fn one_is_poison(quorum: bool) -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 4 })).await?;
    if quorum {
        make_quorum(&world, "daemon", "request").await?;
    }
    let caller = world.start().await?;
    let mut innocent = Vec::new();
    let poison = caller.request(ABORT);
    for number in 0..12 {
        if number == 2 {
            caller.publish(&poison).await?;
        }
        let request = caller.request(SLEEP);
        caller.publish(&request).await?;
        innocent.push(request.uuid().context("a UUID")?);
    }
    let deaths = keep_alive(&world, 1).await?;
    assert_eq!(deaths, 3);
    let poisoned = answers(&caller, &[poison.uuid().context("a UUID")?]).await?;
    assert_eq!(poisoned, [POISON]);
    let names: HashSet<String> = answers(&caller, &innocent).await?.into_iter().collect();
    assert_eq!(
        names,
        HashSet::from([String::new()]),
        "no innocent is set aside"
    );

    // It is kept as it came, with the reason, and can be brought back.
    let (_connection, channel) = world.vhost.connect().await?;
    let parked = channel
        .basic_get("daemon.parked".into(), BasicGetOptions::default())
        .await?
        .context("nothing is parked")?;
    assert_eq!(parked.data, ABORT.as_bytes());
    let headers = parked.properties.headers().clone().unwrap_or_default();
    let header = |name: &str| match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(Some(header("UUID")), poison.uuid());
    assert_eq!(header("x-edeposit-exchange"), "puppet");
    assert_eq!(header("x-edeposit-routing-key"), "request");
    assert!(header("x-edeposit-reason").contains("died 3 times"));
    let log = world.daemon.log();
    assert!(log.contains("a request is set aside and parked"), "{log}");
    Ok(())
}

/// A request that aborts the process, on a classic queue: set aside after three deaths, the others are answered.
#[tokio::test]
async fn fault_34_poison_on_a_classic_queue() -> Result<()> {
    one_is_poison(false).await
}

/// The same on a quorum queue.
#[tokio::test]
async fn fault_34_poison_on_a_quorum_queue() -> Result<()> {
    one_is_poison(true).await
}

/// Two requests that kill the process, one after the other in hand together: neither shields the other.
#[tokio::test]
async fn fault_34_two_poisons_at_once() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.caller().await?;
    let mut uuids = Vec::new();
    for _ in 0..2 {
        let request = caller.request(ABORT);
        caller.publish(&request).await?;
        uuids.push(request.uuid().context("a UUID")?);
    }
    let deaths = keep_alive(&world, 2).await?;
    assert_eq!(answers(&caller, &uuids).await?, [POISON, POISON]);
    // The first death may count for both or for one; before the first death there is one start.
    assert!((6..=7).contains(&deaths), "{deaths} starts");
    Ok(())
}

/// The process is killed three times from outside while the same long request is in hand, but had the time to be carried
/// out in between: only deaths with it in hand count.
#[tokio::test]
async fn fault_34_a_request_that_was_only_waiting_is_no_suspect() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 1 })).await?;
    let caller = world.caller().await?;
    let waiting = caller.request(SLEEP);
    for _ in 0..4 {
        let request = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 60000}"#);
        caller.publish(&request).await?;
    }
    caller.publish(&waiting).await?;
    world.daemon.start()?.success()?;
    for ready in [4, 4, 4] {
        world.until_ready(ready).await?;
        world.daemon.signal(rustix::process::Signal::KILL)?;
        wait_until("it is dead", PATIENCE, async || {
            world.daemon.processes().is_empty()
        })
        .await?;
        world.until_ready(5).await?;
        world.daemon.start()?.success()?;
    }
    // The one in hand at all three deaths is set aside; the next is in hand now.
    let set_aside = caller.next(PATIENCE).await?;
    assert_eq!(set_aside.header("exception_name").as_deref(), Some(POISON));
    world.until_ready(3).await?;
    tokio::time::timeout(Duration::from_secs(1), caller.next(PATIENCE))
        .await
        .expect_err("nobody else is set aside");
    Ok(())
}
