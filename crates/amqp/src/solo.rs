//! Channels with one message in flight each: what becomes of it is never in doubt.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;

use crate::PublishError;
use crate::confirming::{Confirming, denied_or_lost};

/// At most so many; more gain nothing.
const MAX_CHANNELS: usize = 32;

/// A message and where it goes.
pub(crate) struct Addressed<'a> {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    pub(crate) mandatory: bool,
    pub(crate) properties: &'a BasicProperties,
    pub(crate) body: &'a [u8],
}

/// Waits until all that was published on a channel is confirmed.
type Waiting = Fuse<BoxFuture<'static, Result<(), lapin::Error>>>;

/// A channel without anything in flight.
struct Idle {
    channel: Arc<Channel>,
    /// What the last message was waited for by. The library's thread wakes us with a lock held, which dropping this takes:
    /// done at once, each would often wait for the other. There is time for it when the channel is used again.
    _waited: Option<Waiting>,
}

/// The channels, opened as they are needed and kept.
pub(crate) struct Solo {
    idle: Mutex<Vec<Idle>>,
    permits: Semaphore,
}

impl Solo {
    /// Up to `in_flight` of them, at most 32.
    pub(crate) fn new(in_flight: usize) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(in_flight.clamp(1, MAX_CHANNELS)),
        }
    }

    /// Publishes on a channel of the message's own, and waits for its confirm. If it is given up in flight, the channel is
    /// not used again.
    pub(crate) async fn publish(
        &self,
        confirming: &Confirming,
        message: &Addressed<'_>,
    ) -> Result<(), PublishError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let channel = match self.idle_channel() {
            Some(channel) => channel,
            None => confirming
                .within_limit(confirming.open_channel())
                .await?
                .map(Arc::new)
                .map_err(PublishError::NotSent)?,
        };
        let mut waiting = None;
        let confirmation = confirming
            .within_limit(pin!(confirmed(&channel, message, &mut waiting)))
            .await?
            .map_err(|e| denied_or_lost(message.exchange.as_str(), e))?;
        // Only a channel without anything in flight is used again.
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(Idle {
                channel,
                _waited: waiting,
            });
        }
        let exchange = || message.exchange.to_string();
        let routing_key = || message.key.to_string();
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Err(PublishError::Returned {
                    exchange: exchange(),
                    routing_key: routing_key(),
                    reason: returned.reply_text.to_string(),
                })
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(PublishError::Refused {
                exchange: exchange(),
                routing_key: routing_key(),
            }),
        }
    }

    fn idle_channel(&self) -> Option<Arc<Channel>> {
        let mut idle = self.idle.lock().ok()?;
        // One that was closed meanwhile would lose the message before it is sent.
        idle.retain(|idle| idle.channel.status().connected());
        idle.pop().map(|idle| idle.channel)
    }
}

/// Publishes on a channel that has nothing in flight, and waits for the confirm. What it waited by is put into `waiting`.
async fn confirmed(
    channel: &Arc<Channel>,
    message: &Addressed<'_>,
    waiting: &mut Option<Waiting>,
) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions {
        mandatory: message.mandatory,
        ..BasicPublishOptions::default()
    };
    let publishing = async {
        let leaving = channel.basic_publish(
            message.exchange.clone(),
            message.key.clone(),
            options,
            message.body,
            message.properties.clone(),
        );
        leaving.await?.await
    };
    let mut publishing = pin!(publishing);
    poll_fn(|cx| {
        if waiting
            .as_ref()
            .is_none_or(|waiting| !waiting.is_terminated())
        {
            // Looked at, but not waited for: that would wake us when the message has left, which is of no interest and costs
            // more than all that is done here. It is on its way by the first look.
            if let Some(confirmation) = publishing.as_mut().now_or_never() {
                return Poll::Ready(confirmation);
            }
            let waiting = waiting.get_or_insert_with(|| {
                let channel = Arc::clone(channel);
                async move { channel.wait_for_confirms().await.map(drop) }
                    .boxed()
                    .fuse()
            });
            ready!(waiting.poll_unpin(cx))?;
        }
        publishing.as_mut().poll(cx)
    })
    .await
}
