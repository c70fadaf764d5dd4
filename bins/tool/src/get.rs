//! `--get` and `--peek`: shows the messages of a queue.
//!
//! `--get` takes each message off the queue after it was printed, and waits for more; a message
//! that nobody could read stays. `--peek` shows what is there and leaves it there.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use edeposit_amqp::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions,
};
use edeposit_amqp::types::FieldTable;
use edeposit_amqp::{Channel, RawDelivery};
use edeposit_settings::Submodule;
use futures::StreamExt;

use crate::broker::{Broker, queue_name};
use crate::context::Context;
use crate::message::{Message, Way};
use crate::output;

/// How often `--peek` looks at an empty queue.
const PAUSE: Duration = Duration::from_millis(200);

/// What to read, and for how long.
#[derive(Debug)]
pub struct Reading {
    /// The queue; the submodule's output queue if not said.
    pub queue: Option<String>,
    /// For how long to wait for a message; for ever if not said.
    pub timeout: Option<Duration>,
    /// After how many messages to end.
    pub count: Option<u32>,
    /// Whether to leave them there.
    pub peek: bool,
    /// Whether to print JSON only.
    pub json: bool,
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// So many messages as were asked for, or all, or nobody reads on.
    Done,
    /// By Ctrl-C.
    Interrupted,
    /// No message came in time, after so many that did.
    Timeout(u32),
}

/// Reads.
pub async fn get(context: &Context, submodule: &Submodule, reading: &Reading) -> Result<Ended> {
    let broker = Broker::connect(context, submodule).await?;
    let reader = Reader {
        queue: reading.queue.as_deref().unwrap_or(&submodule.output_queue),
        broker: &broker,
        reading,
    };
    let ended = reader.run().await;
    // What was not acknowledged goes back to its place in the queue.
    broker.close().await;
    ended
}

struct Reader<'a> {
    queue: &'a str,
    broker: &'a Broker<'a>,
    reading: &'a Reading,
}

impl Reader<'_> {
    async fn run(&self) -> Result<Ended> {
        let depth = self.broker.depth(self.queue).await?;
        let channel = self.broker.channel().await?;
        let limit = self.reading.count.unwrap_or(u32::MAX);
        if self.reading.peek {
            return self.peek(&channel, depth.messages, limit).await;
        }
        if self
            .reading
            .timeout
            .is_some_and(|timeout| timeout.is_zero())
        {
            let came = self.fetch(&channel, limit).await?;
            return Ok(if came == limit {
                Ended::Done
            } else {
                Ended::Timeout(came)
            });
        }
        self.consume(&channel).await
    }

    /// Shows what is there. Only an empty queue is waited at, and only as long as told.
    async fn peek(&self, channel: &Channel, there: u32, limit: u32) -> Result<Ended> {
        let Some(timeout) = self.reading.timeout.filter(|_| there == 0) else {
            self.fetch(channel, there.min(limit)).await?;
            return Ok(Ended::Done);
        };
        let end = Instant::now() + timeout;
        loop {
            let there = self.broker.depth(self.queue).await?.messages;
            if there > 0 {
                self.fetch(channel, there.min(limit)).await?;
                return Ok(Ended::Done);
            }
            if Instant::now() >= end {
                return Ok(Ended::Timeout(0));
            }
            tokio::time::sleep(PAUSE.min(timeout)).await;
        }
    }

    /// Asks for messages until there are none, or so many, and says how many came.
    async fn fetch(&self, channel: &Channel, limit: u32) -> Result<u32> {
        let mut came = 0;
        while came < limit {
            let getting =
                channel.basic_get(queue_name(self.queue)?, BasicGetOptions { no_ack: false });
            let got = self
                .broker
                .within("reading", getting)
                .await?
                .map_err(|error| self.failed(&error))?;
            let Some(message) = got else { break };
            came += 1;
            if !self.print(&message.delivery, Way::GetOk(message.message_count))? {
                break;
            }
            if !self.reading.peek {
                self.ack(&message.delivery).await?;
            }
        }
        Ok(came)
    }

    /// Takes messages as they come.
    async fn consume(&self, channel: &Channel) -> Result<Ended> {
        let tag = format!("ctag1.{}", uuid::Uuid::new_v4().simple());
        let starting = async {
            // One at a time: whatever ends this, the next message was not touched.
            channel.basic_qos(1, BasicQosOptions::default()).await?;
            channel
                .basic_consume(
                    queue_name(self.queue)?,
                    tag.as_str().into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map_err(|error| self.failed(&error))
        };
        let mut consumer = self.broker.within("starting to read", starting).await??;
        let mut came = 0;
        loop {
            let next = tokio::select! {
                next = before(self.reading.timeout, consumer.next()) => next,
                _ = tokio::signal::ctrl_c() => return Ok(Ended::Interrupted),
            };
            let delivery = match next {
                None => return Ok(Ended::Timeout(came)),
                Some(Some(Ok(delivery))) => delivery,
                Some(Some(Err(error))) => return Err(self.failed(&error)),
                Some(None) => bail!(
                    "RabbitMQ ended the reading of queue '{}'; was it deleted?",
                    self.queue
                ),
            };
            came += 1;
            if !self.print(&delivery, Way::Deliver(&tag))? {
                return Ok(Ended::Done);
            }
            let last = self.reading.count == Some(came);
            if last {
                let cancelling =
                    channel.basic_cancel(tag.as_str().into(), BasicCancelOptions::default());
                self.broker
                    .within("ending to read", cancelling)
                    .await?
                    .map_err(|error| self.failed(&error))?;
            }
            self.ack(&delivery).await?;
            if last {
                return Ok(Ended::Done);
            }
        }
    }

    /// Prints a message; false if nobody reads any more.
    fn print(&self, delivery: &RawDelivery, way: Way) -> Result<bool> {
        let message = Message { delivery, way };
        let text = if self.reading.json {
            message.json()
        } else {
            message.documented()
        };
        match output::write(&text) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error).context("Can't print a message; it stays in the queue"),
        }
    }

    async fn ack(&self, delivery: &RawDelivery) -> Result<()> {
        let acking = delivery.acker.ack(BasicAckOptions::default());
        let done = self
            .broker
            .within("acknowledging a message", acking)
            .await?;
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(anyhow!("the channel is gone")),
            Err(error) => Err(self.failed(&error)),
        }
        .context("A message was printed that could not be taken off the queue; it will come again")
    }

    fn failed(&self, error: &edeposit_amqp::Error) -> anyhow::Error {
        self.broker
            .refused(&format!("Can't read queue '{}'", self.queue), error)
    }
}

/// None if the time is over before the future is ready.
async fn before<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        None => Some(future.await),
        Some(limit) => tokio::time::timeout(limit, future).await.ok(),
    }
}
