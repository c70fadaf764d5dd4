//! Answers by direct reply-to, on a connection of their own.
//!
//! RabbitMQ reads such an address as a term of its own language. One that a caller made up can end the whole connection it
//! is published on, and that must not be the one that other answers go by. When the connection is lost, what was under way
//! is tried again, one answer at a time and each on a new connection: so the address that ends it is found out, and only
//! its answer is given up.

use std::sync::Arc;

use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use tokio::sync::RwLock;

use crate::link::connect_small;
use crate::message::Outgoing;
use crate::publisher::Publisher;
use crate::{ConnectionParams, PublishError};

/// The name a caller gives for direct reply-to; the broker makes it an address that begins with this and a dot.
const PREFIX: &str = "amq.rabbitmq.reply-to.";

/// AMQP's reply code of an error of the broker's own.
const INTERNAL_ERROR: u16 = 541;

/// Whether a routing key of the default exchange is an address of direct reply-to.
#[must_use]
pub fn is_direct(routing_key: &str) -> bool {
    routing_key.starts_with(PREFIX)
}

/// Publishes direct replies; connects at the first.
pub struct DirectReplies {
    params: ConnectionParams,
    in_flight: usize,
    /// Held for writing by who is alone on the connection.
    publisher: RwLock<Option<Arc<Publisher>>>,
}

impl DirectReplies {
    /// Connects with these parameters; up to `in_flight` answers at once.
    #[must_use]
    pub fn new(params: &ConnectionParams, in_flight: usize) -> Self {
        Self {
            params: params.clone(),
            in_flight,
            publisher: RwLock::new(None),
        }
    }

    /// Publishes one answer.
    ///
    /// # Errors
    /// [`PublishError::Denied`]: the address ends the connection. Others as [`Publisher::publish`].
    pub async fn publish(&self, address: &str, message: &Outgoing) -> Result<(), PublishError> {
        {
            let publisher = self.publisher.read().await;
            if let Some(publisher) = publisher.as_ref() {
                match publisher.publish_unrouted("", address, message).await {
                    Err(e) if e.is_session_lost() => {}
                    result => return result,
                }
            }
        }
        self.publish_alone(address, message).await
    }

    async fn publish_alone(&self, address: &str, message: &Outgoing) -> Result<(), PublishError> {
        let mut current = self.publisher.write().await;
        let fresh = match current.take() {
            // Somebody who was alone before us has made it.
            Some(publisher) if publisher.is_connected() => publisher,
            _ => {
                let link = connect_small(&self.params).await;
                let link =
                    link.map_err(|e| PublishError::NotSent(std::io::Error::other(e).into()))?;
                Arc::new(Publisher::new(link, &self.params, self.in_flight))
            }
        };
        match fresh.publish_unrouted("", address, message).await {
            Err(PublishError::Lost(e)) if is_the_brokers_own(&e) => Err(PublishError::Denied {
                exchange: String::new(),
                code: INTERNAL_ERROR,
                reason: format!("the address '{address}' ends the connection: {e}"),
            }),
            result => {
                if !matches!(&result, Err(e) if e.is_session_lost()) {
                    *current = Some(fresh);
                }
                result
            }
        }
    }
}

/// Whether the broker itself failed over what it was told. It also closes a connection for other reasons, such as being
/// stopped.
fn is_the_brokers_own(error: &lapin::Error) -> bool {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) => matches!(
            amqp.kind(),
            AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR)
        ),
        _ => false,
    }
}
