//! Looking at what is in a virtual host without changing it: kinds of exchanges and queues, and rights.
//!
//! Each question is one that RabbitMQ refuses, and the refusal is the answer. It closes the channel, so each has a channel of
//! its own.

use std::time::Duration;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueDeclareOptions,
};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ExchangeKind};
use tokio::time::sleep;

use crate::deadline::within;
use crate::fitness::{Difference, ExchangeProperties, Properties, QueueProperties};
use crate::link::Link;
use crate::{ConnectError, ConnectionParams, refusal, said, short};

/// How often it is looked whether RabbitMQ has said that it takes no messages.
const LOOK_FOR_ALARM: Duration = Duration::from_millis(20);

/// More properties than anything can have that differs from what is wanted.
const MOST_TRIES: usize = 24;

/// What could be seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It is so.
    Yes(T),
    /// The user may not see it: the right to configure is missing.
    NotAllowed,
    /// RabbitMQ said something else; its words.
    Unclear(String),
}

/// Whether the user has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// It has.
    Yes,
    /// It has not; RabbitMQ's words.
    No(String),
    /// RabbitMQ said something else; its words.
    Unclear(String),
}

/// Looks of what kind an exchange is. It has to be there: see [`check_exchange`](crate::check_exchange).
///
/// # Errors
/// The broker does not answer, or the connection is lost.
pub async fn inspect_exchange(
    params: &ConnectionParams,
    link: &Link,
    exchange: &str,
) -> Result<Seen<ExchangeProperties>, ConnectError> {
    let step = "looking at the exchange";
    learn(
        params,
        link,
        step,
        async |channel: Channel, wanted: ExchangeProperties| {
            let options = ExchangeDeclareOptions {
                durable: wanted.durable,
                auto_delete: wanted.auto_delete,
                internal: wanted.internal,
                ..ExchangeDeclareOptions::default()
            };
            let kind = ExchangeKind::Custom(wanted.kind);
            channel
                .exchange_declare(short(exchange), kind, options, wanted.arguments)
                .await
        },
    )
    .await
}

/// Looks of what kind a queue is. It has to be there: see [`check_queue`](crate::check_queue).
///
/// # Errors
/// The broker does not answer, or the connection is lost.
pub async fn inspect_queue(
    params: &ConnectionParams,
    link: &Link,
    queue: &str,
) -> Result<Seen<QueueProperties>, ConnectError> {
    let step = "looking at the queue";
    learn(
        params,
        link,
        step,
        async |channel: Channel, wanted: QueueProperties| {
            let options = QueueDeclareOptions {
                durable: wanted.durable,
                auto_delete: wanted.auto_delete,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(short(queue), options, wanted.arguments)
                .await
                .map(drop)
        },
    )
    .await
}

/// Declares again and again, each time with what is known by then.
async fn learn<P: Properties>(
    params: &ConnectionParams,
    link: &Link,
    step: &'static str,
    declare: impl AsyncFn(Channel, P) -> Result<(), lapin::Error>,
) -> Result<Seen<P>, ConnectError> {
    let mut known = P::default();
    for _ in 0..MOST_TRIES {
        let channel = link.channel(params).await?;
        let error = match within(params, step, declare(channel.clone(), known.clone())).await? {
            Ok(()) => {
                close(params, channel).await;
                return Ok(Seen::Yes(known));
            }
            Err(error) => error,
        };
        let words = said(&error);
        match refusal(&error) {
            Some(AMQPSoftError::ACCESSREFUSED) => return Ok(Seen::NotAllowed),
            Some(AMQPSoftError::PRECONDITIONFAILED)
                if Difference::read(&words).is_some_and(|differs| known.adopt(&differs)) => {}
            Some(_) => return Ok(Seen::Unclear(words)),
            None => return Err(ConnectError::from_step(params, step, error)),
        }
    }
    Ok(Seen::Unclear("its properties have no end".to_owned()))
}

/// Whether the user may publish with this exchange and key.
///
/// To be asked last: the connection may be of no use afterwards, see [`Link::is_blocked`].
///
/// RabbitMQ looks at the rights before it looks at the message. The message that is sent has an expiration that is no
/// number, which RabbitMQ refuses: it never reaches a queue.
///
/// # Errors
/// The broker does not answer, or the connection is lost.
pub async fn may_publish(
    params: &ConnectionParams,
    link: &Link,
    exchange: &str,
    key: &str,
) -> Result<Right, ConnectError> {
    let step = "asking whether the user may publish";
    let channel = link.channel(params).await?;
    let refused = BasicProperties::default().with_expiration("never".into());
    let asking = async {
        // The answer to the message is waited for: the refusal, or a confirm that nobody expects.
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let options = BasicPublishOptions::default();
        let sent = channel
            .basic_publish(short(exchange), short(key), options, &[], refused)
            .await?;
        sent.await.map(drop)
    };
    // With a memory or disk alarm RabbitMQ reads nothing more from a connection that has published.
    let blocked = async {
        while !link.is_blocked() {
            sleep(LOOK_FOR_ALARM).await;
        }
    };
    let asked = tokio::select! {
        asked = within(params, step, asking) => asked?,
        () = blocked => return Ok(Right::Unclear("it takes no messages now, by its memory or disk alarm".to_owned())),
    };
    right(params, step, "invalid expiration", asked)
}

/// Whether the user may consume this queue.
///
/// RabbitMQ looks at the rights before it looks at the arguments. The consumer that is asked for has a priority that is no
/// number, which RabbitMQ refuses: it never comes into being.
///
/// # Errors
/// The broker does not answer, or the connection is lost.
pub async fn may_consume(
    params: &ConnectionParams,
    link: &Link,
    queue: &str,
) -> Result<Right, ConnectError> {
    let step = "asking whether the user may consume";
    let channel = link.channel(params).await?;
    let mut refused = FieldTable::default();
    refused.insert("x-priority".into(), AMQPValue::LongString("none".into()));
    let options = BasicConsumeOptions::default();
    let asking = channel.basic_consume(short(queue), short(""), options, refused);
    let asked = within(params, step, asking).await?.map(drop);
    right(params, step, "x-priority", asked)
}

/// What the answer to a question says that RabbitMQ refuses in any case: `expected` is in its words if the user has the
/// right.
fn right(
    params: &ConnectionParams,
    step: &'static str,
    expected: &str,
    asked: Result<(), lapin::Error>,
) -> Result<Right, ConnectError> {
    let error = match asked {
        Ok(()) => return Ok(Right::Unclear("it did not object".to_owned())),
        Err(error) => error,
    };
    let words = said(&error);
    match refusal(&error) {
        Some(AMQPSoftError::ACCESSREFUSED) => Ok(Right::No(words)),
        Some(AMQPSoftError::PRECONDITIONFAILED) if words.contains(expected) => Ok(Right::Yes),
        Some(_) => Ok(Right::Unclear(words)),
        None => Err(ConnectError::from_step(params, step, error)),
    }
}

async fn close(params: &ConnectionParams, channel: Channel) {
    // It goes with the connection anyhow.
    let _ = within(params, "closing a channel", channel.close(200, "OK".into())).await;
}
