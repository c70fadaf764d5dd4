//! A connection for publishing: its channels are in confirm mode, and waiting for the broker has a limit.

use std::time::Duration;

use futures::future::BoxFuture;
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::time::{Instant, timeout};

use crate::PublishError;
use crate::link::Link;
use crate::publish_error::is_channel_error;

/// How often a long wait looks whether the broker has blocked publishing.
const LOOK: Duration = Duration::from_millis(500);

/// Prepares a channel before anything is published on it.
pub(crate) type Prepare =
    Box<dyn Fn(Channel) -> BoxFuture<'static, Result<(), lapin::Error>> + Send + Sync>;

/// The connection.
pub(crate) struct Confirming {
    pub(crate) link: Link,
    /// How long the broker may take.
    pub(crate) limit: Duration,
    pub(crate) prepare: Option<Prepare>,
}

impl Confirming {
    /// Boxed, being rare: it would else be part of every message's publishing.
    pub(crate) fn open_channel(&self) -> BoxFuture<'_, Result<Channel, lapin::Error>> {
        Box::pin(async {
            let channel = self.link.connection().create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            if let Some(prepare) = &self.prepare {
                prepare(channel.clone()).await?;
            }
            Ok(channel)
        })
    }

    /// Bounds a wait for the broker. While the broker has blocked publishing (it is short of memory or disk), waiting is
    /// right, and the clock stands, to half a second.
    pub(crate) async fn within_limit<F: Future + Unpin>(
        &self,
        mut future: F,
    ) -> Result<F::Output, PublishError> {
        let mut left = self.limit;
        loop {
            let since = Instant::now();
            if let Ok(output) = timeout(left.min(LOOK), &mut future).await {
                return Ok(output);
            }
            let status = self.link.connection().status();
            if !(status.blocked() && status.connected()) {
                left = left.saturating_sub(since.elapsed());
            }
            if left.is_zero() {
                return Err(PublishError::Timeout { after: self.limit });
            }
        }
    }
}

/// What an error of the client library means for the message that was on its way.
pub(crate) fn denied_or_lost(exchange: &str, error: lapin::Error) -> PublishError {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) if is_channel_error(&error) => PublishError::Denied {
            exchange: exchange.to_owned(),
            reason: amqp.get_message().to_string(),
        },
        _ => PublishError::Lost(error),
    }
}
