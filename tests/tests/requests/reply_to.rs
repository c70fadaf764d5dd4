//! Requests that say by AMQP's own means where their answer is to go.

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, Schema, Vhost, wait_for, wait_until};
use edeposit_tests::{PATIENCE, World};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use serde_json::{Value, json};
use tokio::time::timeout;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;
const DIRECT: &str = "amq.rabbitmq.reply-to";

fn rpc(reply_to: &str, correlation_id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_reply_to(reply_to.into())
        .with_correlation_id(correlation_id.into())
}

fn with_uuid(properties: BasicProperties, uuid: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), AMQPValue::LongString(uuid.into()));
    properties.with_headers(headers)
}

async fn ask(channel: &Channel, properties: BasicProperties, body: &str) -> Result<()> {
    channel
        .basic_publish(
            "puppet".into(),
            "request".into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            properties,
        )
        .await?;
    Ok(())
}

async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    channel
        .queue_declare(
            queue.into(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        )
        .await?;
    Ok(())
}

async fn take(channel: &Channel, queue: &str) -> Result<Delivery> {
    let what = format!("a message in {queue}");
    wait_for(&what, PATIENCE, async || {
        let options = BasicGetOptions { no_ack: true };
        Ok(channel
            .basic_get(queue.into(), options)
            .await?
            .map(|message| message.delivery))
    })
    .await
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a AMQPValue> {
    delivery.properties.headers().as_ref()?.inner().get(name)
}

fn correlation_id(delivery: &Delivery) -> Option<&str> {
    let id = delivery.properties.correlation_id().as_ref();
    id.map(|id| id.as_str())
}

fn kind(delivery: &Delivery) -> Option<&str> {
    let kind = delivery.properties.kind().as_ref();
    kind.map(|kind| kind.as_str())
}

fn json_of(delivery: &Delivery) -> Result<Value> {
    Ok(serde_json::from_slice(&delivery.data)?)
}

#[tokio::test]
async fn answered_in_the_queue_named_with_the_correlation_id_and_without_a_uuid() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let _caller = world.start().await?;
    let (_connection, channel) = world.vhost.connect().await?;
    declare(&channel, "mine").await?;
    ask(&channel, rpc("mine", "c-1"), ECHO).await?;
    let answer = take(&channel, "mine").await?;
    assert_eq!(correlation_id(&answer), Some("c-1"));
    assert_eq!(header(&answer, "UUID"), None);
    assert_eq!(kind(&answer), None);
    assert_eq!(answer.exchange.as_str(), "");
    assert_eq!(*answer.properties.delivery_mode(), Some(2));
    let content_type = answer.properties.content_type().as_ref();
    assert_eq!(content_type.map(|t| t.as_str()), Some("application/json"));
    assert_eq!(json_of(&answer)?["text"], "x");

    // A UUID is kept, and neither is needed.
    ask(&channel, with_uuid(rpc("mine", "c-2"), "u-2"), ECHO).await?;
    let answer = take(&channel, "mine").await?;
    assert_eq!(correlation_id(&answer), Some("c-2"));
    assert_eq!(
        header(&answer, "UUID"),
        Some(&AMQPValue::LongString("u-2".into()))
    );
    let bare = BasicProperties::default().with_reply_to("mine".into());
    ask(&channel, bare, ECHO).await?;
    assert_eq!(correlation_id(&take(&channel, "mine").await?), None);

    world.daemon.stop()?.success()?;
    assert!(world.daemon.log().contains("3 requests"));
    assert!(world.daemon.log().contains("0 dropped"));
    Ok(())
}

#[tokio::test]
async fn exceptions_and_progress_go_the_same_way() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let (_connection, channel) = world.vhost.connect().await?;
    declare(&channel, "mine").await?;
    ask(&channel, rpc("mine", "bad"), "asd").await?;
    let refused = take(&channel, "mine").await?;
    assert_eq!(correlation_id(&refused), Some("bad"));
    assert_eq!(
        header(&refused, "exception_name"),
        Some(&AMQPValue::LongString("ValueError".into()))
    );
    assert_eq!(header(&refused, "UUID"), None);

    let request = r#"{"__nt_name": "Vyhod", "co": "send_back"}"#;
    ask(&channel, rpc("mine", "p"), request).await?;
    for (mark, body) in [
        (Some("progress"), json!({"krok": 1})),
        (Some("progress"), json!("žluť")),
        (None, Value::Null),
    ] {
        let message = take(&channel, "mine").await?;
        assert_eq!(correlation_id(&message), Some("p"));
        assert_eq!(kind(&message), mark);
        assert_eq!(json_of(&message)?, body);
    }

    // A correlation id alone asks for the mark; old callers, who have none, get progress as they always did.
    let request = caller
        .request(request)
        .with_properties(with_uuid(rpc("", "ignored"), "u"));
    caller.publish(&request).await?;
    for mark in [Some("progress"), Some("progress"), None] {
        let message = caller.answer_to("u", PATIENCE).await?;
        let found = message.properties.kind().as_ref();
        assert_eq!(found.map(|kind| kind.as_str()), mark);
        assert_eq!(*message.properties.correlation_id(), None);
        assert_eq!(message.headers().inner().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn direct_reply_to() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let (connection, channel) = world.vhost.connect().await?;
    let no_ack = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let mut answers = channel
        .basic_consume(DIRECT.into(), "".into(), no_ack, FieldTable::default())
        .await?;
    ask(&channel, rpc(DIRECT, "d-1"), ECHO).await?;
    let answer = timeout(PATIENCE, answers.next()).await?.context("none")??;
    assert_eq!(correlation_id(&answer), Some("d-1"));
    assert_eq!(json_of(&answer)?["text"], "x");

    // The caller goes before its answer comes: nothing is left behind, and the daemon goes on.
    let slow = r#"{"__nt_name": "Sleep", "milliseconds": 500}"#;
    ask(&channel, rpc(DIRECT, "d-2"), slow).await?;
    world.until_ready(0).await?;
    connection.close(200, "OK".into()).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    wait_until(
        "the request is settled",
        PATIENCE,
        async || matches!(world.vhost.queue("daemon"), Ok(Some(q)) if q.ready + q.unacked == 0),
    )
    .await?;
    assert_eq!(world.vhost.queue("daemon.parked")?, None);
    world.daemon.stop()?.success()?;
    assert!(world.daemon.log().contains("3 requests (0 redelivered)"));
    Ok(())
}

/// The queue of `reply_to` is gone: the answer is parked, the request settled.
#[tokio::test]
async fn fault_39_an_answer_for_a_queue_that_is_gone_is_parked() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let (_connection, channel) = world.vhost.connect().await?;
    ask(&channel, rpc("gone", "g-1"), ECHO).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    wait_until(
        "it is parked",
        PATIENCE,
        async || matches!(world.vhost.queue("daemon.parked"), Ok(Some(q)) if q.ready == 1),
    )
    .await?;
    let parked = take(&channel, "daemon.parked").await?;
    assert_eq!(correlation_id(&parked), Some("g-1"));
    for (name, value) in [
        ("x-edeposit-exchange", ""),
        ("x-edeposit-routing-key", "gone"),
    ] {
        assert_eq!(
            header(&parked, name),
            Some(&AMQPValue::LongString(value.into()))
        );
    }
    Ok(())
}

/// A daemon whose user may publish to its own exchange, but not to the default one.
async fn restricted(vhost: &Vhost) -> Result<()> {
    RabbitNode::shared()?.create_user("no-default", "secret")?;
    vhost.permit("no-default", "", "^puppet$", ".*")
}

#[tokio::test]
async fn a_daemon_that_may_not_answer_there_gives_the_answer_up_and_goes_on() -> Result<()> {
    let settings = json!({"RABBITMQ_USER_NAME": "no-default", "RABBITMQ_USER_PASSWORD": "secret"});
    let world = World::new(
        "edeposit-test-puppet",
        "PUPPET",
        Schema::new("puppet"),
        &settings,
    )
    .await?;
    restricted(&world.vhost).await?;
    let caller = world.start().await?;
    let (_connection, channel) = world.vhost.connect().await?;
    declare(&channel, "mine").await?;
    ask(&channel, rpc("mine", "c"), ECHO).await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    world.daemon.stop()?.success()?;
    let log = world.daemon.log();
    assert!(log.contains("an answer is lost"), "{log}");
    assert!(log.contains("ACCESS_REFUSED"), "{log}");
    assert!(log.contains("2 requests (0 redelivered)"), "{log}");
    Ok(())
}
