//! The caller sees answers as they are on the wire, and finds its own among others.

use std::time::Duration;

use anyhow::Result;
use edeposit_testkit::{Caller, PATIENCE, RabbitNode, Schema, Vhost};
use futures::StreamExt;
use futures::future::try_join_all;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};

/// A stand-in for a daemon: sends every request back with its UUID.
async fn echo(vhost: &Vhost, schema: &Schema) -> Result<Connection> {
    let (connection, channel) = vhost.connect().await?;
    let mut requests = channel
        .basic_consume(
            schema.input_queue.as_str().into(),
            "echo".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let exchange = schema.exchange.clone();
    tokio::spawn(async move {
        while let Some(Ok(request)) = requests.next().await {
            let headers = request.properties.headers().clone().unwrap_or_default();
            let properties = BasicProperties::default()
                .with_content_type("application/json".into())
                .with_delivery_mode(2)
                .with_headers(headers);
            answer(&channel, &exchange, "result", &request.data, properties).await;
            let _ = request.ack(BasicAckOptions::default()).await;
        }
    });
    Ok(connection)
}

async fn answer(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) {
    let _ = channel
        .basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            body,
            properties,
        )
        .await;
}

#[tokio::test]
async fn many_calls_at_once_each_get_their_own_answer() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("calls")?;
    let schema = Schema::aleph();
    vhost.declare(&schema).await?;
    let _echo = echo(&vhost, &schema).await?;
    let caller = Caller::connect(&vhost, &schema).await?;
    let calls = (0..50).map(|number| caller.call(format!("{{\"number\": {number}}}")));
    for (number, answer) in try_join_all(calls).await?.iter().enumerate() {
        assert_eq!(answer.json()?["number"], number);
        assert_eq!(answer.exchange, "search");
        assert_eq!(answer.routing_key, "result");
        assert_eq!(answer.content_type(), Some("application/json"));
        assert_eq!(answer.delivery_mode(), Some(2));
        assert!(!answer.is_exception());
    }
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_request_may_be_anything() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("anything")?;
    let schema = Schema::new("search");
    vhost.declare(&schema).await?;
    vhost.bind("daemon", "search", "#.request").await?;
    let _echo = echo(&vhost, &schema).await?;
    let caller = Caller::connect(&vhost, &schema).await?;

    let numbered = caller
        .request(b"\xff\x00".as_slice())
        .with_routing_key("a.b.request")
        .with_header("UUID", AMQPValue::LongInt(7));
    caller.publish(&numbered).await?;
    let answer = caller.next(PATIENCE).await?;
    assert_eq!(answer.body, b"\xff\x00");
    assert_eq!(answer.uuid(), Some(AMQPValue::LongInt(7)));
    assert_eq!(answer.header("UUID"), None);

    let bare = caller
        .request("no headers at all")
        .with_properties(BasicProperties::default());
    caller.publish(&bare).await?;
    assert_eq!(caller.next(PATIENCE).await?.text(), "no headers at all");
    Ok(())
}

#[tokio::test]
async fn what_does_not_come_is_an_error() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("silence")?;
    let schema = Schema::aleph();
    vhost.declare(&schema).await?;
    let caller = Caller::connect(&vhost, &schema).await?;
    let nowhere = caller.request("x").with_routing_key("nowhere");
    assert!(caller.publish(&nowhere).await.is_err(), "not routed");
    let request = caller.request("nobody reads this");
    caller.publish(&request).await?;
    let uuid = request.uuid().unwrap_or_default();
    let error = caller.answer_to(&uuid, Duration::from_millis(100)).await;
    assert!(format!("{:#}", error.unwrap_err()).contains(&uuid));
    Ok(())
}
