//! Looking whether what a daemon needs is there.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use crate::connect_error::is;
use crate::deadline::within;
use crate::link::Link;
use crate::{ConnectError, ConnectionParams, short};

pub(crate) const PASSIVE_QUEUE: QueueDeclareOptions = QueueDeclareOptions {
    passive: true,
    durable: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

/// Makes sure that an exchange is there.
///
/// # Errors
/// It is not, or the broker does not answer; see [`ConnectError`].
pub async fn check_exchange(
    params: &ConnectionParams,
    link: &Link,
    exchange: &str,
) -> Result<(), ConnectError> {
    let step = "looking for the exchange";
    let channel = link.channel(params).await?;
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let declaring = channel.exchange_declare(
        short(exchange),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    within(params, step, declaring).await?.map_err(|e| {
        if is_not_found(&e) {
            ConnectError::NoExchange {
                create: params.create_command(),
                virtualhost: params.virtualhost.clone(),
                exchange: exchange.to_owned(),
            }
        } else {
            ConnectError::from_step(params, step, e)
        }
    })
}

/// Makes sure that a queue is there. If it is not, the broker closes the channel.
///
/// # Errors
/// It is not, or the broker does not answer; see [`ConnectError`].
pub async fn check_queue(
    params: &ConnectionParams,
    channel: &Channel,
    queue: &str,
) -> Result<(), ConnectError> {
    let step = "looking for the queue";
    let declaring = channel.queue_declare(short(queue), PASSIVE_QUEUE, FieldTable::default());
    within(params, step, declaring).await?.map_err(|e| {
        if is_not_found(&e) {
            ConnectError::NoQueue {
                create: params.create_command(),
                virtualhost: params.virtualhost.clone(),
                queue: queue.to_owned(),
            }
        } else {
            ConnectError::from_step(params, step, e)
        }
    })?;
    Ok(())
}

fn is_not_found(error: &lapin::Error) -> bool {
    // A queue whose node is down is "not found" too, but is there.
    matches!(
        error.kind(),
        lapin::ErrorKind::ProtocolError(amqp)
            if is(amqp, AMQPSoftError::NOTFOUND) && !amqp.get_message().as_str().contains("down or inaccessible")
    )
}
