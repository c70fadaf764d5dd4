//! Channels with one message in flight each: what becomes of it is never in doubt.

use std::pin::pin;
use std::sync::Mutex;

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

/// The channels, opened as they are needed and kept.
pub(crate) struct Solo {
    /// Those without anything in flight.
    idle: Mutex<Vec<Channel>>,
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
                .map_err(PublishError::NotSent)?,
        };
        let confirmation = confirming
            .within_limit(pin!(confirmed(&channel, message)))
            .await?
            .map_err(|e| denied_or_lost(message.exchange.as_str(), e))?;
        // Only a channel without anything in flight is used again.
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(channel);
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

    fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().ok()?;
        // One that was closed meanwhile would lose the message before it is sent.
        idle.retain(|channel| channel.status().connected());
        idle.pop()
    }
}

/// Publishes on a channel that has nothing in flight, and waits for the confirm.
async fn confirmed(
    channel: &Channel,
    message: &Addressed<'_>,
) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions {
        mandatory: message.mandatory,
        ..BasicPublishOptions::default()
    };
    let confirm = channel
        .basic_publish(
            message.exchange.clone(),
            message.key.clone(),
            options,
            message.body,
            message.properties.clone(),
        )
        .await?;
    confirm.await
}
