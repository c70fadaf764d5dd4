//! The deliveries in hand: from the consumer, by way of the handler, to the acknowledgement.
//!
//! One task deals with all of them, so that those that are finished at once are acknowledged at once.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::{Acknowledger, Consumer, Delivery, Link, Settle};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::timeout;
use tracing::warn;

use crate::on_message::OnMessage;
use crate::session::Session;

/// How long an orderly goodbye may take.
pub(crate) const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The deliveries of one session.
pub(crate) struct Deliveries {
    consumer: Consumer,
    acknowledger: Acknowledger,
    session: Arc<dyn Session>,
    handler: Arc<dyn OnMessage>,
    in_hand: FuturesUnordered<BoxFuture<'static, Finished>>,
}

/// A delivery's number and what to do with it, or why it cannot be settled.
type Finished = Result<(u64, Settle), String>;

impl Deliveries {
    /// Those of this consumer. Telling the broker what is settled may take as long as `limit`.
    pub(crate) fn new(
        consumer: Consumer,
        limit: Duration,
        session: Arc<dyn Session>,
        handler: Arc<dyn OnMessage>,
    ) -> Self {
        Self {
            acknowledger: consumer.acknowledger(limit),
            consumer,
            session,
            handler,
            in_hand: FuturesUnordered::new(),
        }
    }

    /// The connection they come by.
    pub(crate) fn link(&self) -> &Link {
        self.consumer.link()
    }

    /// Deals with what comes, for ever. Returns why it is over.
    pub(crate) async fn run(&mut self) -> String {
        loop {
            let result = match self.acknowledger.tell() {
                Err(reason) => Err(reason),
                Ok(()) => tokio::select! {
                    delivery = self.consumer.next() => delivery.map(|delivery| self.begin(delivery)),
                    Some(finished) = self.in_hand.next() => self.finished(finished),
                    // The batch on its way is of interest only if another one waits for it.
                    told = self.acknowledger.told(), if self.acknowledger.is_waiting() => told,
                },
            };
            if let Err(reason) = result {
                return reason;
            }
        }
    }

    /// Gives a delivery to the handler.
    fn begin(&mut self, delivery: Delivery) {
        let Delivery { number, message } = delivery;
        self.acknowledger.delivered(number);
        let (handler, session) = (Arc::clone(&self.handler), Arc::clone(&self.session));
        let handling = async move {
            let settle = handler.on_message_received(message, session.as_ref()).await;
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
            self.acknowledger.settled(number, settle);
            next = self.in_hand.next().now_or_never().flatten();
        }
        Ok(())
    }

    /// Takes nothing new, finishes what is in hand within `limit`, and closes the connection. Returns how many deliveries
    /// could not be finished; the broker puts them back into the queue.
    pub(crate) async fn drain(mut self, limit: Duration) -> usize {
        self.cancel().await;
        // What the broker had delivered before it knew is in hand as well.
        while let Some(Ok(delivery)) = self.consumer.next_ready() {
            self.begin(delivery);
        }
        // What is left when the time is over stays in the queue.
        let _ = timeout(limit, self.finish()).await;
        self.in_hand.clear();
        let _ = timeout(CLOSE_LIMIT, self.finish()).await;
        self.consumer.close(CLOSE_LIMIT).await;
        self.acknowledger.unfinished()
    }

    /// Has the broker deliver nothing more. What is in hand goes on meanwhile.
    async fn cancel(&mut self) {
        let mut cancel = pin!(self.consumer.cancel(CLOSE_LIMIT));
        tokio::select! {
            () = &mut cancel => return,
            () = self.finish() => {}
        }
        cancel.await;
    }

    /// Waits for all that are in hand and tells the broker.
    async fn finish(&mut self) {
        loop {
            let result = match self.acknowledger.tell() {
                Err(reason) => Err(reason),
                Ok(()) => tokio::select! {
                    Some(finished) = self.in_hand.next() => self.finished(finished),
                    told = self.acknowledger.told(), if self.acknowledger.is_telling() => told,
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
