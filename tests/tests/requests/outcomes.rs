//! What can happen to a request on its way, and that its caller always hears of it.

use anyhow::Result;
use edeposit_testkit::wait_until;
use edeposit_tests::{PATIENCE, World};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

fn exception(answer: &edeposit_testkit::Answer) -> (String, String) {
    let header = |name| answer.header(name).unwrap_or_default();
    (header("exception_name"), header("exception"))
}

#[tokio::test]
async fn requests_are_handled_side_by_side_up_to_the_prefetch() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 10 })).await?;
    let caller = world.start().await?;
    for _ in 0..15 {
        caller
            .publish(&caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 2000}"#))
            .await?;
    }
    // Ten are in hand at once, five wait.
    world.until_ready(5).await?;
    assert!(caller.unclaimed().is_empty());
    for _ in 0..15 {
        assert_eq!(caller.next(PATIENCE).await?.json()?["text"], "slept");
    }
    Ok(())
}

#[tokio::test]
async fn prefetch_one_keeps_the_order() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 1 })).await?;
    let caller = world.start().await?;
    let first = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 500}"#);
    caller.publish(&first).await?;
    let mut uuids = vec![first.uuid()];
    for _ in 0..20 {
        let request = caller.request(r#"{"__nt_name": "Echo", "text": "x"}"#);
        caller.publish(&request).await?;
        uuids.push(request.uuid());
    }
    for uuid in uuids {
        assert_eq!(caller.next(PATIENCE).await?.header("UUID"), uuid);
    }
    Ok(())
}

#[tokio::test]
async fn large_messages_and_long_exceptions_pass() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let answer = caller
        .call(r#"{"__nt_name": "Large", "bytes": 20000000}"#)
        .await?;
    assert_eq!(
        answer.json()?["text"].as_str().map(str::len),
        Some(20_000_000)
    );
    // Longer than a frame: cut in the headers, whole in the body.
    let message = "m".repeat(300_000);
    let answer = caller
        .call(format!(
            r#"{{"__nt_name": "Panic", "message": "{message}"}}"#
        ))
        .await?;
    let (name, text) = exception(&answer);
    assert_eq!(name, "RuntimeError");
    assert!(text.len() < 131_072, "{}", text.len());
    assert!(answer.text().len() > 300_000);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_no_queue_is_bound_for_is_parked() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    world
        .vhost
        .bind("daemon", "puppet", "nobody.request")
        .await?;
    let request = caller
        .request(r#"{"__nt_name": "Echo", "text": "x"}"#)
        .with_routing_key("nobody.request");
    caller.publish(&request).await?;
    wait_until(
        "the answer is parked and the request settled",
        PATIENCE,
        async || {
            let parked = world.vhost.depth("daemon.parked").await;
            let input = world.vhost.queue("daemon");
            parked.is_ok_and(|(ready, _)| ready == 1)
                && input
                    .is_ok_and(|queue| queue.is_some_and(|queue| queue.ready + queue.unacked == 0))
        },
    )
    .await?;
    assert!(
        world
            .daemon
            .log()
            .contains("no queue takes this answer; it is parked")
    );
    Ok(())
}

/// A queue that refuses all messages.
async fn declare_full(world: &World, queue: &str) -> Result<()> {
    let (connection, channel) = world.vhost.connect().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(0));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    channel
        .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
        .await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_that_a_full_queue_refuses_is_parked() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PUBLISH_TIMEOUT": 1 })).await?;
    world.vhost.delete_queue("plone")?;
    declare_full(&world, "plone").await?;
    world.vhost.bind("plone", "puppet", "result").await?;
    let caller = world.start().await?;
    caller
        .publish(&caller.request(r#"{"__nt_name": "Echo", "text": "x"}"#))
        .await?;
    wait_until("the answer is parked", PATIENCE, async || {
        world
            .vhost
            .depth("daemon.parked")
            .await
            .is_ok_and(|(ready, _)| ready == 1)
    })
    .await?;
    let log = world.daemon.log();
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    assert_eq!(log.matches("trying again").count(), 1, "{log}");
    Ok(())
}

#[tokio::test]
async fn a_request_whose_answer_cannot_even_be_parked_is_kept() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_PUBLISH_TIMEOUT": 1 })).await?;
    declare_full(&world, "daemon.parked").await?;
    world
        .vhost
        .bind("daemon", "puppet", "nobody.request")
        .await?;
    let caller = world.start().await?;
    let nobody = caller.request(r#"{"__nt_name": "Echo", "text": "x"}"#);
    caller
        .publish(&nobody.with_routing_key("nobody.request"))
        .await?;
    wait_until("the daemon says so", PATIENCE, async || {
        world
            .daemon
            .log()
            .contains("nor can it be parked; its request is kept")
    })
    .await?;
    // Others are served meanwhile, in the same session.
    assert!(
        !caller
            .call(r#"{"__nt_name": "Echo", "text": "x"}"#)
            .await?
            .is_exception()
    );
    assert!(!world.daemon.log().contains("no session with RabbitMQ"));
    wait_until("only the kept request is left", PATIENCE, async || {
        world
            .vhost
            .queue("daemon")
            .is_ok_and(|queue| queue.is_some_and(|queue| queue.ready + queue.unacked == 1))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn hostile_text_forges_no_log_line() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let name = format!(
        "x\\n2026-01-01T00:00:00Z ERROR forged: line{}",
        "y".repeat(100_000)
    );
    caller.call(format!(r#"{{"__nt_name": "{name}"}}"#)).await?;
    let log = world.daemon.log();
    assert!(
        log.contains("forged") && log.lines().all(|line| !line.starts_with("2026-01-01")),
        "{log}"
    );
    assert!(log.lines().all(|line| line.len() < 1000));
    Ok(())
}
