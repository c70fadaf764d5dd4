//! Settling deliveries: what is settled while one batch is on its way to the broker goes into the next.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use lapin::{Channel, Error};
use tokio::time::{Instant, timeout_at};

use crate::message::Settle;
use crate::settling::Settling;

/// Settles the deliveries of one consumer.
pub struct Acknowledger {
    channel: Channel,
    limit: Duration,
    settling: Settling,
    /// The batch that is on its way: how many deliveries it settles.
    batch: Fuse<BoxFuture<'static, Result<usize, Error>>>,
    /// When it has to have left.
    batch_until: Instant,
}

impl Acknowledger {
    pub(crate) fn new(channel: Channel, limit: Duration) -> Self {
        Self {
            channel,
            limit,
            settling: Settling::default(),
            batch: Fuse::terminated(),
            batch_until: Instant::now(),
        }
    }

    /// The delivery of this number has come.
    pub fn delivered(&mut self, number: u64) {
        self.settling.delivered(number);
    }

    /// The delivery of this number is dealt with. The broker is told by [`Acknowledger::tell`].
    pub fn settled(&mut self, number: u64, settle: Settle) {
        self.settling.settled(number, settle);
    }

    /// Whether anything has been settled that the broker has not begun to be told.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.settling.is_waiting()
    }

    /// Whether a batch is on its way to the broker.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        !self.batch.is_terminated()
    }

    /// How many deliveries the broker does not know to be settled.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.settling.unfinished()
    }

    /// Begins to tell the broker what is settled, unless the last batch is still on its way.
    ///
    /// # Errors
    /// The broker cannot be told; the reason.
    pub fn tell(&mut self) -> Result<(), String> {
        while self.settling.is_waiting() {
            if self.is_telling() {
                match (&mut self.batch).now_or_never() {
                    Some(sent) => self.sent(Some(sent))?,
                    None => break,
                }
            }
            if let Some(batch) = self.settling.batch() {
                self.batch = batch.send(self.channel.clone()).boxed().fuse();
                self.batch_until = Instant::now() + self.limit;
                // Polling it once puts it on its way. Nobody is woken when it has left: only the next batch needs to know.
                if let Some(sent) = (&mut self.batch).now_or_never() {
                    self.sent(Some(sent))?;
                }
            }
        }
        Ok(())
    }

    /// Waits until the batch that is on its way has left; for ever, if there is none. May be dropped while it waits.
    ///
    /// # Errors
    /// It could not be sent, or not in time; the reason.
    pub async fn told(&mut self) -> Result<(), String> {
        if !self.is_telling() {
            return std::future::pending().await;
        }
        let sent = timeout_at(self.batch_until, &mut self.batch).await;
        self.sent(sent.ok())
    }

    fn sent(&mut self, sent: Option<Result<usize, Error>>) -> Result<(), String> {
        match sent {
            Some(Ok(deliveries)) => {
                self.settling.sent(deliveries);
                Ok(())
            }
            Some(Err(e)) => Err(format!("acknowledging: {e}")),
            None => Err("acknowledging takes too long".to_owned()),
        }
    }
}
