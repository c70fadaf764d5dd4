//! A consumer: the deliveries of one queue, from a connection of its own.
//!
//! Deliveries come through [`Consumer::next`], each with a number by which its [`Acknowledger`] settles it. A broker may
//! lose a consumer without a word, so being alive has to be proved: a [`Liveness`] asks on the very channel that consumes.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Error};
use tokio::time::timeout;

use crate::acknowledger::Acknowledger;
use crate::checks::PASSIVE_QUEUE;
use crate::{Link, Message, short};

/// What to consume, and how.
#[derive(Clone, Debug)]
pub struct Consuming<'a> {
    /// The queue. It must exist.
    pub queue: &'a str,
    /// The consumer's tag; empty: the broker makes one.
    pub tag: &'a str,
    /// Most deliveries that are not settled, at once.
    pub prefetch: u16,
    /// Whether nobody else may consume the queue.
    pub exclusive: bool,
}

/// A delivery: a message and its number, by which it is settled.
#[derive(Debug)]
pub struct Delivery {
    /// Counts the deliveries of this consumer, from 1.
    pub number: u64,
    /// What was delivered.
    pub message: Message,
}

/// A consumer of one queue. Dropping it closes its connection at once; see [`Consumer::close`].
pub struct Consumer {
    link: Link,
    channel: Channel,
    deliveries: lapin::Consumer,
    queue: String,
}

impl Consumer {
    /// Starts to consume by this channel, which must be one of the link's and be used for nothing else.
    ///
    /// # Errors
    /// The broker's refusal.
    pub async fn start(
        link: Link,
        channel: Channel,
        consuming: &Consuming<'_>,
    ) -> Result<Self, Error> {
        // Before consuming: the client library's own buffer has no limit.
        channel
            .basic_qos(consuming.prefetch, BasicQosOptions::default())
            .await?;
        let options = BasicConsumeOptions {
            exclusive: consuming.exclusive,
            ..BasicConsumeOptions::default()
        };
        let (queue, tag) = (short(consuming.queue), short(consuming.tag));
        let deliveries = channel
            .basic_consume(queue, tag, options, FieldTable::default())
            .await?;
        Ok(Self {
            link,
            channel,
            deliveries,
            queue: consuming.queue.to_owned(),
        })
    }

    /// The connection.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Waits for the next delivery. May be dropped while it waits.
    ///
    /// # Errors
    /// Why there will be none any more.
    pub async fn next(&mut self) -> Result<Delivery, String> {
        let delivery = self.deliveries.next().await;
        self.received(delivery)
    }

    /// The next delivery, if it is here already.
    ///
    /// # Errors
    /// As [`Consumer::next`].
    pub fn next_ready(&mut self) -> Option<Result<Delivery, String>> {
        let delivery = self.deliveries.next().now_or_never()?;
        Some(self.received(delivery))
    }

    fn received(
        &self,
        delivery: Option<Result<lapin::message::Delivery, Error>>,
    ) -> Result<Delivery, String> {
        match delivery {
            Some(Ok(delivery)) => Ok(Delivery {
                number: delivery.delivery_tag,
                message: Message {
                    exchange: delivery.exchange.into(),
                    routing_key: delivery.routing_key.into(),
                    redelivered: delivery.redelivered,
                    properties: self.link.restored(delivery.properties),
                    body: delivery.data,
                },
            }),
            Some(Err(e)) => Err(format!("consuming: {e}")),
            None => Err(format!(
                "the consumer was cancelled; was queue '{}' deleted?",
                self.queue
            )),
        }
    }

    /// What settles its deliveries. Telling the broker may take as long as `limit`.
    #[must_use]
    pub fn acknowledger(&self, limit: Duration) -> Acknowledger {
        Acknowledger::new(self.channel.clone(), limit)
    }

    /// What proves that it consumes. The broker may take as long as `limit`.
    #[must_use]
    pub fn liveness(&self, limit: Duration) -> Liveness {
        Liveness {
            channel: self.channel.clone(),
            queue: self.queue.clone(),
            limit,
        }
    }

    /// Has the broker deliver nothing more. Returns when it has agreed, or when `limit` is over: without an answer the
    /// connection is as good as gone, and closing it has the same effect.
    pub fn cancel(&self, limit: Duration) -> impl Future<Output = ()> + use<> {
        let (channel, tag) = (self.channel.clone(), self.deliveries.tag());
        async move {
            let cancel = channel.basic_cancel(tag, BasicCancelOptions::default());
            let _ = timeout(limit, cancel).await;
        }
    }

    /// Deletes the queue, and closes the connection. Either may take as long as `limit`, and may fail.
    pub async fn delete_queue_and_close(self, limit: Duration) {
        drop(self.deliveries);
        let deleting = self
            .channel
            .queue_delete(short(&self.queue), QueueDeleteOptions::default());
        let _ = timeout(limit, deleting).await;
        self.link.close(limit).await;
    }

    /// Closes the connection in an orderly way, waiting at most `limit` for the broker. What is not settled goes back to
    /// the queue.
    pub async fn close(self, limit: Duration) {
        self.link.close(limit).await;
    }
}

/// Proves that a consumer is one.
#[derive(Clone)]
pub struct Liveness {
    channel: Channel,
    queue: String,
    limit: Duration,
}

impl Liveness {
    /// Asks the broker, on the very channel that consumes, whether the queue has a consumer. A broker that has lost ours
    /// says so on that channel, or does not answer there.
    ///
    /// # Errors
    /// The consumer is lost, or in doubt; the reason.
    pub async fn prove(self) -> Result<(), String> {
        let Self {
            channel,
            queue,
            limit,
        } = self;
        let asking = channel.queue_declare(short(&queue), PASSIVE_QUEUE, FieldTable::default());
        match timeout(limit, asking).await {
            Ok(Ok(found)) if found.consumer_count() > 0 => Ok(()),
            Ok(Ok(_)) => Err(format!("queue '{queue}' has lost its consumer")),
            Ok(Err(e)) => Err(format!("liveness check: {e}")),
            Err(_) => Err("RabbitMQ does not answer the liveness check".to_owned()),
        }
    }
}
