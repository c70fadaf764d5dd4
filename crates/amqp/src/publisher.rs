//! Publishing with confirms.
//!
//! Every message is confirmed, and mandatory unless its publisher says otherwise. Small ones share a channel, the [`Lane`], any number of them in flight. What
//! needs care has a channel of its own while it is in flight ([`Solo`]): large messages, which would hold the others up;
//! those for the default exchange, whose routing key is a queue of somebody's choice; one that is published again because
//! the broker refused it, or because what became of it on the lane is not known. A message that is alone goes by a channel
//! of its own as well, which is the shorter way.
//!
//! A caller that takes answers by direct reply-to has to consume on the very channels it publishes on: see
//! [`Publisher::on_new_channel`]. Its messages all have channels of their own.

use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit, oneshot};
use tokio::time::Instant;
use tracing::warn;

use crate::confirming::{Confirming, denied_or_lost};
use crate::lane::{End, Lane, Letter, Verdict};
use crate::link::Link;
use crate::message::Outgoing;
use crate::solo::{Addressed, Solo};
use crate::{ConnectionParams, PublishError};

/// At most so many messages are in flight on the lane.
const MOST_ON_LANE: usize = 512;
/// Larger bodies have a channel of their own, in bytes.
const LARGEST_ON_LANE: usize = 16 * 1024;
/// The same for headers, whose names and texts are counted.
const LONGEST_HEADERS_ON_LANE: usize = 4 * 1024;
/// Pause before a message that the broker refused is offered again.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);
/// Lanes are opened so far apart: while the broker closes one after the other, messages have channels of their own.
const LANE_PAUSE: Duration = Duration::from_secs(1);

/// A connection that publishes with confirms; see the module's concept. Dropping it closes the connection at once.
pub struct Publisher {
    confirming: Confirming,
    solo: Solo,
    /// Taken by the message that is alone.
    alone: Semaphore,
    lane: Mutex<Option<(Lane, Instant)>>,
    opening_lane: AsyncMutex<()>,
    most_on_lane: usize,
    offers_again: bool,
}

impl Publisher {
    /// Publishes on this connection, with up to `in_flight` small messages (at most 512) waiting for their confirms at
    /// once, and up to 32 others.
    #[must_use]
    pub fn new(link: Link, params: &ConnectionParams, in_flight: usize) -> Self {
        Self {
            confirming: Confirming::new(link, params.connection.publish_timeout),
            solo: Solo::new(in_flight),
            alone: Semaphore::new(1),
            lane: Mutex::new(None),
            opening_lane: AsyncMutex::new(()),
            most_on_lane: in_flight.clamp(1, MOST_ON_LANE),
            offers_again: true,
        }
    }

    /// Has every channel prepared by `prepare` before the first message is published on it. Each channel then has one
    /// message in flight.
    #[must_use]
    pub fn on_new_channel<F>(mut self, prepare: F) -> Self
    where
        F: Fn(Channel) -> BoxFuture<'static, Result<(), lapin::Error>> + Send + Sync + 'static,
    {
        self.confirming.prepare = Some(Box::new(prepare));
        self
    }

    /// Does not offer a message again that the broker refuses: for programs whose user decides.
    #[must_use]
    pub fn refused_at_once(mut self) -> Self {
        self.offers_again = false;
        self
    }

    /// Whether the broker has blocked publishing: it is short of memory or disk.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.confirming.link.is_blocked()
    }

    /// Whether the connection is there, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.confirming.link.connection().status().connected()
    }

    /// The broker takes messages again, after it had blocked publishing: to be called on `ConnectionUnblocked`. Waits for the
    /// broker begin anew; what has queued up needs its time.
    pub fn unblocked(&self) {
        self.confirming.unblocked();
    }

    /// The connection itself, to be closed in an orderly way.
    #[must_use]
    pub fn into_link(self) -> Link {
        self.confirming.link
    }

    /// Publishes a message and returns when the broker has confirmed it. A message the broker refuses is offered again
    /// until `RABBITMQ_PUBLISH_TIMEOUT` is over, which bounds every single wait for the broker as well. It may arrive twice if the broker closes the channel because of another
    /// message.
    ///
    /// May be dropped: the message then arrives or not. A large one that is dropped while the broker has blocked publishing
    /// may end the connection.
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
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish_as(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(), PublishError> {
        self.confirmed(exchange, routing_key, true, properties, body)
            .await
    }

    /// [`Publisher::publish`] without asking the broker to send the message back if no queue takes it (not mandatory):
    /// for the addresses of direct reply-to, which are no queues.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub(crate) async fn publish_unrouted(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let properties = message.properties();
        self.confirmed(exchange, routing_key, false, &properties, &message.body)
            .await
    }

    async fn confirmed(
        &self,
        exchange: &str,
        routing_key: &str,
        mandatory: bool,
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + self.confirming.limit;
        let exchange = fitting(exchange)?;
        let key = fitting(routing_key)?;
        let shares = mandatory
            && self.confirming.prepare.is_none()
            && !exchange.as_str().is_empty()
            && body.len() <= LARGEST_ON_LANE
            && !comes_back_changed(properties);
        let alone = self.alone.try_acquire();
        let verdict = match alone.is_err() && shares {
            true => self.share(&exchange, &key, properties, body).await?,
            false => Verdict::Unsent,
        };
        if verdict == Verdict::Confirmed {
            return Ok(());
        }
        let message = Addressed {
            exchange,
            key,
            mandatory,
            properties,
            body,
        };
        // Boxed, being large: it would else be part of every message's publishing.
        Box::pin(self.publish_alone(message, verdict, alone.ok(), deadline)).await
    }

    /// Publishes on a channel of the message's own, unless it has come back already; one that the broker refuses, again and
    /// again.
    async fn publish_alone(
        &self,
        message: Addressed<'_>,
        shared: Verdict,
        turn: Option<SemaphorePermit<'_>>,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        let exchange = || message.exchange.to_string();
        let routing_key = || message.key.to_string();
        let unclear = shared == Verdict::Unclear;
        let mut result = match shared {
            Verdict::Confirmed => Ok(()),
            Verdict::Returned(reason) => Err(PublishError::Returned {
                exchange: exchange(),
                routing_key: routing_key(),
                reason,
            }),
            Verdict::Refused => Err(PublishError::Refused {
                exchange: exchange(),
                routing_key: routing_key(),
            }),
            Verdict::Unclear | Verdict::Unsent => {
                self.solo.publish(&self.confirming, &message).await
            }
        };
        drop(turn);
        let mut told = false;
        while self.offers_again
            && let Err(PublishError::Refused { .. }) = result
            && Instant::now() + REFUSED_PAUSE < deadline
        {
            if !std::mem::replace(&mut told, true) {
                warn!(
                    exchange = exchange(),
                    routing_key = routing_key(),
                    "RabbitMQ refuses a message (is the queue full?), trying again"
                );
            }
            tokio::time::sleep(REFUSED_PAUSE).await;
            result = self.solo.publish(&self.confirming, &message).await;
        }
        match result {
            // The second time it was not sent, the first time perhaps.
            Err(PublishError::NotSent(e)) if unclear => Err(PublishError::Lost(e)),
            result => result,
        }
    }

    /// Publishes by the lane.
    async fn share(
        &self,
        exchange: &ShortString,
        routing_key: &ShortString,
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<Verdict, PublishError> {
        let lane = match self.open_lane() {
            Some(lane) => Some(lane),
            None => {
                let opening = Box::pin(self.new_lane());
                self.confirming.within_limit(opening).await??
            }
        };
        let Some(lane) = lane else {
            return Ok(Verdict::Unsent);
        };
        let (publisher, verdict) = oneshot::channel();
        let letter = Box::new(Letter {
            exchange: exchange.clone(),
            routing_key: routing_key.clone(),
            properties: properties.clone(),
            body: body.to_vec(),
            publisher,
        });
        let taken = match lane.letters().try_send(letter) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(letter)) => {
                let sending = Box::pin(lane.letters().send(letter));
                self.confirming.within_limit(sending).await?.is_ok()
            }
        };
        if !taken {
            return Ok(Verdict::Unsent);
        }
        match (self.confirming.within_limit(verdict).await?, lane.end()) {
            (Ok(verdict), _) => Ok(verdict),
            (Err(_), End::Closed) => Ok(Verdict::Unclear),
            (Err(_), End::Lost(e)) => Err(PublishError::Lost(e)),
        }
    }

    fn open_lane(&self) -> Option<Lane> {
        let lane = self.lane.lock().ok()?;
        let (lane, _) = lane.as_ref()?;
        lane.is_open().then(|| lane.clone())
    }

    /// Opens a lane, if it is not too soon.
    async fn new_lane(&self) -> Result<Option<Lane>, PublishError> {
        let _turn = self.opening_lane.lock().await;
        if let Some(lane) = self.open_lane() {
            return Ok(Some(lane));
        }
        let last = self
            .lane
            .lock()
            .ok()
            .and_then(|lane| lane.as_ref().map(|(_, since)| *since));
        if last.is_some_and(|since| since.elapsed() < LANE_PAUSE) {
            return Ok(None);
        }
        let channel = self.confirming.open_channel().await;
        let channel = channel.map_err(PublishError::NotSent)?;
        let lane = Lane::start(channel, self.most_on_lane, self.confirming.link.runtime());
        if let Ok(mut current) = self.lane.lock() {
            *current = Some((lane.clone(), Instant::now()));
        }
        Ok(Some(lane))
    }

    /// Makes sure that a queue of this name is there; if not, a durable one is made. One that is there may be as it likes.
    ///
    /// # Errors
    /// It could not be made; see [`PublishError`].
    pub async fn ensure_queue(&self, queue: &str) -> Result<(), PublishError> {
        match self.declare_queue(queue, true).await {
            Err(PublishError::Denied { .. }) => self.declare_queue(queue, false).await,
            result => result,
        }
    }

    async fn declare_queue(&self, queue: &str, passive: bool) -> Result<(), PublishError> {
        let name = fitting(queue)?;
        let options = QueueDeclareOptions {
            passive,
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declaring = pin!(async {
            // A channel of its own: if the broker denies it, it closes the channel.
            let channel = self.confirming.link.connection().create_channel().await?;
            channel
                .queue_declare(name, options, FieldTable::default())
                .await?;
            channel.close(200, "OK".into()).await
        });
        // The default exchange is the one that leads to a queue by its name.
        self.confirming
            .within_limit(declaring)
            .await?
            .map_err(|e| denied_or_lost("", e))
    }
}

/// Whether the broker may return the message other than it was: it takes the header BCC away, and properties that are too
/// long for the client library do not come back at all.
fn comes_back_changed(properties: &BasicProperties) -> bool {
    let Some(headers) = properties.headers() else {
        return false;
    };
    // Name, type and length, and a number at least.
    const FIXED: usize = 16;
    let length = |(name, value): (&ShortString, &AMQPValue)| match value {
        AMQPValue::LongString(text) => FIXED + name.as_str().len() + text.as_bytes().len(),
        AMQPValue::ByteArray(_) | AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) => {
            LONGEST_HEADERS_ON_LANE
        }
        _ => FIXED + name.as_str().len(),
    };
    headers.inner().contains_key("BCC")
        || headers.inner().iter().map(length).sum::<usize>() >= LONGEST_HEADERS_ON_LANE
}

/// AMQP's short strings have at most 255 bytes; the library's own conversion panics over that.
fn fitting(text: &str) -> Result<ShortString, PublishError> {
    ShortString::try_new(text).map_err(|_| PublishError::RoutingKeyTooLong { length: text.len() })
}
