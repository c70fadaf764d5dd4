//! Publishing with confirms.
//!
//! Every message is mandatory and confirmed. On one channel the client library may pair a returned message with the
//! wrong confirm, so a channel has one message in flight; several messages at once use several channels, which are opened
//! as needed and kept.

use std::sync::Mutex;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::link::Link;
use crate::message::Outgoing;
use crate::{ConnectionParams, PublishError};

const PERSISTENT: u8 = 2;
/// At most so many messages in flight; more channels gain nothing.
const MAX_CHANNELS: usize = 32;
/// Pause before a message that the broker refused is offered again.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// The publishing connection of a session.
pub(crate) struct Publisher {
    link: Link,
    limit: Duration,
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
}

impl Publisher {
    pub(crate) fn new(link: Link, params: &ConnectionParams, in_flight: usize) -> Self {
        Self {
            link,
            limit: params.connection.publish_timeout,
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(in_flight.clamp(1, MAX_CHANNELS)),
        }
    }

    pub(crate) fn into_link(self) -> Link {
        self.link
    }

    /// Publishes a message and returns when the broker has confirmed it.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + self.limit;
        let mut told = false;
        loop {
            match self.publish_once(exchange, routing_key, message).await {
                Err(PublishError::Refused { .. }) if Instant::now() + REFUSED_PAUSE < deadline => {
                    if !std::mem::replace(&mut told, true) {
                        warn!(
                            exchange,
                            routing_key,
                            "RabbitMQ refuses a message (is the queue full?), trying again"
                        );
                    }
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    async fn publish_once(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let key = short(routing_key)?;
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let channel = match self.idle.lock().ok().and_then(|mut idle| idle.pop()) {
            Some(channel) => channel,
            None => self.within_limit(self.open_channel()).await??,
        };
        let properties = BasicProperties::default()
            .with_content_type(message.content_type.into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(message.headers.clone());
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let confirmation = self
            .within_limit(async {
                channel
                    .basic_publish(short(exchange)?, key, options, &message.body, properties)
                    .await?
                    .await
                    .map_err(PublishError::from)
            })
            .await??;
        // Only a channel without anything in flight is used again.
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(channel);
        }
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Err(PublishError::Returned {
                    exchange: exchange.to_owned(),
                    routing_key: routing_key.to_owned(),
                    reason: returned.reply_text.to_string(),
                })
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(PublishError::Refused {
                exchange: exchange.to_owned(),
                routing_key: routing_key.to_owned(),
            }),
        }
    }

    /// Makes sure that a queue of this name is there; if not, a durable one is made. One that is there may be as it likes.
    pub(crate) async fn ensure_queue(&self, queue: &str) -> Result<(), PublishError> {
        match self.declare_queue(queue, true).await {
            Err(PublishError::Denied { .. }) => self.declare_queue(queue, false).await,
            result => result,
        }
    }

    async fn declare_queue(&self, queue: &str, passive: bool) -> Result<(), PublishError> {
        let options = QueueDeclareOptions {
            passive,
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.within_limit(async {
            // A channel of its own: if the broker denies it, it closes the channel.
            let channel = self.link.connection().create_channel().await?;
            channel
                .queue_declare(short(queue)?, options, FieldTable::default())
                .await?;
            channel.close(200, "OK".into()).await?;
            Ok(())
        })
        .await?
    }

    async fn open_channel(&self) -> Result<Channel, PublishError> {
        let channel = self.link.connection().create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }

    /// Bounds a wait for the broker. While the broker has blocked publishing (it is short of memory or disk), waiting is
    /// right, and the clock stands.
    async fn within_limit<F: Future>(&self, future: F) -> Result<F::Output, PublishError> {
        tokio::pin!(future);
        loop {
            if let Ok(output) = timeout(self.limit, &mut future).await {
                return Ok(output);
            }
            if !self.link.connection().status().blocked() {
                return Err(PublishError::Timeout { after: self.limit });
            }
        }
    }
}

/// AMQP's short strings have at most 255 bytes; the library's own conversion panics over that.
fn short(text: &str) -> Result<ShortString, PublishError> {
    ShortString::try_new(text).map_err(|_| PublishError::RoutingKeyTooLong { length: text.len() })
}
