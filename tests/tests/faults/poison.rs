//! Requests that take their daemon down with them, and requests that come again because an acknowledgement never arrived.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Caller, End, FaultProxy, Hole, ProxiedConnection, Way, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

/// A puppet behind a proxy, started, and the connection on which it consumes and acknowledges.
async fn with_its_consuming_connection(
    arguments: &[&str],
) -> Result<(World, FaultProxy, ProxiedConnection)> {
    let mut world = World::puppet(&json!({})).await?;
    let proxy = FaultProxy::to(world.vhost.amqp_port())?;
    let settings = json!({ "RABBITMQ_PORT": proxy.port() });
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    let journal = world.daemon.home().join("journal");
    world.daemon.set_env("EDEPOSIT_PUPPET_JOURNAL", journal);
    world.daemon.run(arguments)?.success()?;
    // The first of the daemon's own; what `start` has looked by is closed.
    let consuming = proxy.open().into_iter().min_by_key(|one| one.number());
    Ok((world, proxy, consuming.context("no connection")?))
}

async fn until_settled(world: &World) -> Result<()> {
    wait_until("the request is settled", PATIENCE, async || {
        let queue = world.vhost.queue("daemon");
        matches!(queue, Ok(Some(queue)) if queue.ready == 0 && queue.unacked == 0)
    })
    .await
}

/// The acknowledgement never arrives (black hole upwards), the answer does; then kill -9: the next process answers once
/// more, with the same UUID and `redelivered`.
#[tokio::test]
async fn fault_38_crash_between_answer_and_acknowledgement() -> Result<()> {
    let (world, proxy, consuming) = with_its_consuming_connection(&["start"]).await?;
    let caller = world.caller().await?;
    // What is held could still arrive when the connection ends.
    consuming.blackhole(Way::Up, Hole::Swallow);
    let request = caller.request(SLEEP);
    caller.publish(&request).await?;
    let uuid = request.uuid().context("a UUID")?;
    let first = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(first.json()?["redelivered"], false);
    world.daemon.signal(rustix::process::Signal::KILL)?;
    wait_until("it is dead", PATIENCE, async || {
        world.daemon.processes().is_empty()
    })
    .await?;
    proxy.cut(End::Reset);
    world.until_ready(1).await?;
    world.daemon.start()?.success()?;
    let second = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(second.json()?["redelivered"], true);
    until_settled(&world).await?;
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// The acknowledgement never arrives, the answer does and is confirmed; then the connection is cut: the request that comes
/// again is only acknowledged. One answer, one execution.
#[tokio::test]
async fn fault_38_connection_lost_between_answer_and_acknowledgement() -> Result<()> {
    let (world, _proxy, consuming) =
        with_its_consuming_connection(&["start", "--metrics", "0"]).await?;
    let caller = world.caller().await?;
    consuming.blackhole(Way::Up, Hole::Swallow);
    let request = caller.request(r#"{"__nt_name": "Count", "number": 7, "milliseconds": 100}"#);
    caller.publish(&request).await?;
    let uuid = request.uuid().context("a UUID")?;
    let answer = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(answer.json()?["number"], 7);
    // The caller may have it before the daemon has the confirm, and without that it would be sent once more.
    wait_until("the answer is confirmed", PATIENCE, async || {
        let metrics = metrics(&world).await.unwrap_or_default();
        metrics.contains("edeposit_requests_total{submodule=\"puppet\",outcome=\"answered\"} 1\n")
    })
    .await?;
    assert!(consuming.cut(End::Reset));
    wait_until("it has come again", PATIENCE, async || {
        world.daemon.log().contains("not carried out again")
    })
    .await?;
    until_settled(&world).await?;
    world.daemon.stop()?.success()?;
    assert!(caller.unclaimed().is_empty(), "one answer");
    let journal = std::fs::read_to_string(world.daemon.home().join("journal"))?;
    assert_eq!(journal.lines().count(), 1, "one execution: {journal}");
    let log = world.daemon.log();
    assert!(
        log.contains("2 requests (1 redelivered), 1 answers"),
        "{log}"
    );
    assert_eq!(world.vhost.depth("daemon").await?, (0, 0));
    Ok(())
}

/// What `/metrics` says.
async fn metrics(world: &World) -> Result<String> {
    let log = world.daemon.log();
    let (_, after) = log.rsplit_once("metrics at http://").context("no line")?;
    let (address, _) = after.split_once('/').context("no path")?;
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
