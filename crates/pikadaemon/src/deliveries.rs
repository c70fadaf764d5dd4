//! The deliveries in hand: from the consumer, by way of the handler, to the acknowledgement.
//!
//! One task deals with all of them, so that those that are finished at once are acknowledged at once.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Fuse, FusedFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::BasicCancelOptions;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::Session;
use crate::daemon::Plan;
use crate::link::Link;
use crate::message::{Message, OnMessage, Settle};
use crate::settling::Settling;

/// How long an orderly goodbye may take.
pub(crate) const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The deliveries of one session.
pub(crate) struct Deliveries {
    link: Link,
    channel: Channel,
    consumer: Consumer,
    session: Arc<Session>,
    handler: Arc<dyn OnMessage>,
    in_hand: FuturesUnordered<BoxFuture<'static, Finished>>,
    settling: Settling,
    /// The batch that is on its way: how many deliveries it settles.
    batch: Fuse<BoxFuture<'static, Result<usize, lapin::Error>>>,
    /// When it has to have left.
    batch_until: Instant,
}

/// A delivery's number and what to do with it, or why it cannot be settled.
type Finished = Result<(u64, Settle), String>;

impl Deliveries {
    pub(crate) fn new(
        link: Link,
        channel: Channel,
        consumer: Consumer,
        session: Arc<Session>,
        handler: Arc<dyn OnMessage>,
    ) -> Self {
        Self {
            link,
            channel,
            consumer,
            session,
            handler,
            in_hand: FuturesUnordered::new(),
            settling: Settling::default(),
            batch: Fuse::terminated(),
            batch_until: Instant::now(),
        }
    }

    /// The connection they come by.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Deals with what comes, for ever. Returns why it is over.
    pub(crate) async fn run(&mut self, plan: &Plan) -> String {
        loop {
            let settled = self.tell_settled(plan);
            let waits = self.settling.is_waiting();
            let result = match settled {
                Err(reason) => Err(reason),
                Ok(()) => tokio::select! {
                    delivery = self.consumer.next() => match delivery {
                        Some(Ok(delivery)) => {
                            self.begin(delivery);
                            Ok(())
                        }
                        Some(Err(e)) => Err(format!("consuming: {e}")),
                        None => Err(format!(
                            "the consumer was cancelled; was queue '{}' deleted?", plan.queue
                        )),
                    },
                    Some(finished) = self.in_hand.next() => self.finished(finished),
                    sent = in_time(self.batch_until, &mut self.batch), if waits => {
                        self.sent(sent)
                    }
                },
            };
            if let Err(reason) = result {
                return reason;
            }
        }
    }

    /// Gives a delivery to the handler.
    fn begin(&mut self, delivery: Delivery) {
        let number = delivery.delivery_tag;
        self.settling.delivered(number);
        let message = Message {
            exchange: delivery.exchange.into(),
            routing_key: delivery.routing_key.into(),
            redelivered: delivery.redelivered,
            properties: self.link.restored(delivery.properties),
            body: delivery.data,
        };
        let (handler, session) = (Arc::clone(&self.handler), Arc::clone(&self.session));
        let handling = async move {
            let settle = handler.on_message_received(message, &session).await;
            settle.map(|s| (number, s)).map_err(|e| e.to_string())
        };
        // A handler that panics costs the session, as any doubt does, but not the daemon.
        let handling = AssertUnwindSafe(handling).catch_unwind();
        let failed = |_| Err("a message handler failed".to_owned());
        self.in_hand
            .push(Box::pin(handling.map(move |r| r.unwrap_or_else(failed))));
    }

    /// Enters this one and all others that are finished.
    fn finished(&mut self, first: Finished) -> Result<(), String> {
        let mut next = Some(first);
        while let Some(finished) = next {
            let (number, settle) = finished?;
            self.settling.settled(number, settle);
            next = self.in_hand.next().now_or_never().flatten();
        }
        Ok(())
    }

    /// Begins to tell the broker what is settled, unless the last batch is still on its way.
    fn tell_settled(&mut self, plan: &Plan) -> Result<(), String> {
        while self.settling.is_waiting() {
            if !self.batch.is_terminated() {
                match (&mut self.batch).now_or_never() {
                    Some(sent) => self.sent(Some(sent))?,
                    None => break,
                }
            }
            if let Some(batch) = self.settling.batch() {
                self.batch = batch.send(self.channel.clone()).boxed().fuse();
                self.batch_until = Instant::now() + plan.params.connection.publish_timeout;
                // It is on its way by this. Nobody is woken when it has left: that is of interest only to the next one.
                if let Some(sent) = (&mut self.batch).now_or_never() {
                    self.sent(Some(sent))?;
                }
            }
        }
        Ok(())
    }

    /// A batch has left, or not in time.
    fn sent(&mut self, sent: Option<Result<usize, lapin::Error>>) -> Result<(), String> {
        match sent {
            Some(Ok(deliveries)) => {
                self.settling.sent(deliveries);
                Ok(())
            }
            Some(Err(e)) => Err(format!("acknowledging: {e}")),
            None => Err("acknowledging takes too long".to_owned()),
        }
    }

    /// Takes nothing new, finishes what is in hand within `limit`, and closes the connection. Returns how many deliveries
    /// could not be finished; the broker puts them back into the queue.
    pub(crate) async fn drain(mut self, plan: &Plan, limit: Duration) -> usize {
        self.cancel(plan).await;
        // What the broker had delivered before it knew is in hand as well.
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            self.begin(delivery);
        }
        // What is left when the time is over stays in the queue.
        let _ = timeout(limit, self.finish(plan)).await;
        self.in_hand.clear();
        let _ = timeout(CLOSE_LIMIT, self.finish(plan)).await;
        self.link.close(CLOSE_LIMIT).await;
        self.settling.unfinished()
    }

    /// Has the broker deliver nothing more. What is in hand goes on meanwhile.
    async fn cancel(&mut self, plan: &Plan) {
        let (channel, tag) = (self.channel.clone(), self.consumer.tag());
        let cancel = channel.basic_cancel(tag, BasicCancelOptions::default());
        // Without an answer the connection is as good as gone, and closing it has the same effect.
        let mut cancel = pin!(timeout(CLOSE_LIMIT, cancel));
        tokio::select! {
            _ = &mut cancel => return,
            () = self.finish(plan) => {}
        }
        let _ = cancel.await;
    }

    /// Waits for all that are in hand and tells the broker.
    async fn finish(&mut self, plan: &Plan) {
        loop {
            let settled = self.tell_settled(plan);
            let result = match settled {
                Err(reason) => Err(reason),
                Ok(()) => tokio::select! {
                    Some(finished) = self.in_hand.next() => self.finished(finished),
                    sent = in_time(self.batch_until, &mut self.batch), if !self.batch.is_terminated() => {
                        self.sent(sent)
                    }
                    else => return,
                },
            };
            if let Err(reason) = result {
                warn!(
                    reason,
                    "a request could not be finished or acknowledged while stopping; it stays in the queue"
                );
            }
        }
    }
}

/// Other than the timer itself, this costs nothing as long as it is not waited for.
async fn in_time<F: Future + Unpin>(until: Instant, sending: &mut F) -> Option<F::Output> {
    timeout_at(until, sending).await.ok()
}
