//! Publishing with confirms.
//!
//! Every message is mandatory and confirmed. On one channel the client library may pair a returned message with the
//! wrong confirm, so a channel has one message in flight; several messages at once use several channels, which are opened
//! as needed and kept.
//!
//! A caller that takes answers by direct reply-to has to consume on the very channels it publishes on: see
//! [`Publisher::on_new_channel`].

use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::direct_replies::is_direct;
use crate::link::Link;
use crate::message::Outgoing;
use crate::publish_error::is_channel_error;
use crate::{ConnectionParams, PublishError};

/// At most so many messages in flight; more channels gain nothing.
const MAX_CHANNELS: usize = 32;
/// Pause before a message that the broker refused is offered again.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// Prepares a channel before anything is published on it.
type Prepare = Box<dyn Fn(Channel) -> BoxFuture<'static, Result<(), lapin::Error>> + Send + Sync>;

/// A connection that publishes with confirms; see the module's concept. Dropping it closes the connection at once.
pub struct Publisher {
    link: Link,
    limit: Duration,
    prepare: Option<Prepare>,
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
}

impl Publisher {
    /// Publishes on this connection, with up to `in_flight` messages (at most 32) waiting for their confirms at once.
    #[must_use]
    pub fn new(link: Link, params: &ConnectionParams, in_flight: usize) -> Self {
        Self {
            link,
            limit: params.connection.publish_timeout,
            prepare: None,
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(in_flight.clamp(1, MAX_CHANNELS)),
        }
    }

    /// Has every channel prepared by `prepare` before the first message is published on it.
    #[must_use]
    pub fn on_new_channel<F>(mut self, prepare: F) -> Self
    where
        F: Fn(Channel) -> BoxFuture<'static, Result<(), lapin::Error>> + Send + Sync + 'static,
    {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Whether the connection is there, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.connection().status().connected()
    }

    /// The connection itself, to be closed in an orderly way.
    #[must_use]
    pub fn into_link(self) -> Link {
        self.link
    }

    /// Publishes a message and returns when the broker has confirmed it. A message the broker refuses is offered again
    /// until `RABBITMQ_PUBLISH_TIMEOUT` is over.
    ///
    /// Must be awaited to its end: a channel whose message is given up in flight is not used again.
    ///
    /// # Errors
    /// It is not known to be safe in the broker; see [`PublishError`].
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        self.publish_as(exchange, routing_key, &message.properties(), &message.body)
            .await
    }

    /// [`Publisher::publish`] with properties of one's own.
    pub(crate) async fn publish_as(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + self.limit;
        let mut told = false;
        loop {
            match self
                .publish_once(exchange, routing_key, properties, body)
                .await
            {
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
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(), PublishError> {
        let key = short(routing_key)?;
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let channel = match self.idle_channel() {
            Some(channel) => channel,
            None => self
                .within_limit(self.open_channel())
                .await?
                .map_err(PublishError::NotSent)?,
        };
        let options = BasicPublishOptions {
            // An address of direct reply-to is no queue: the broker would return even a message that it has delivered.
            mandatory: !(exchange.is_empty() && is_direct(routing_key)),
            ..BasicPublishOptions::default()
        };
        let confirmation = self
            .within_limit(async {
                channel
                    .basic_publish(short(exchange)?, key, options, body, properties.clone())
                    .await?
                    .await
                    .map_err(|e| denied_or_lost(exchange, e))
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
        let name = short(queue)?;
        let options = QueueDeclareOptions {
            passive,
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declaring = async {
            // A channel of its own: if the broker denies it, it closes the channel.
            let channel = self.link.connection().create_channel().await?;
            channel
                .queue_declare(name, options, FieldTable::default())
                .await?;
            channel.close(200, "OK".into()).await
        };
        // The default exchange is the one that leads to a queue by its name.
        self.within_limit(declaring)
            .await?
            .map_err(|e| denied_or_lost("", e))
    }

    fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().ok()?;
        // One that was closed meanwhile would lose the message before it is sent.
        idle.retain(|channel| channel.status().connected());
        idle.pop()
    }

    async fn open_channel(&self) -> Result<Channel, lapin::Error> {
        let channel = self.link.connection().create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        if let Some(prepare) = &self.prepare {
            prepare(channel.clone()).await?;
        }
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

fn denied_or_lost(exchange: &str, error: lapin::Error) -> PublishError {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) if is_channel_error(&error) => PublishError::Denied {
            exchange: exchange.to_owned(),
            reason: amqp.get_message().to_string(),
        },
        _ => PublishError::Lost(error),
    }
}

/// AMQP's short strings have at most 255 bytes; the library's own conversion panics over that.
fn short(text: &str) -> Result<ShortString, PublishError> {
    ShortString::try_new(text).map_err(|_| PublishError::RoutingKeyTooLong { length: text.len() })
}
