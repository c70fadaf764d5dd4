//! A connection for publishing: its channels are in confirm mode, and waiting for the broker has a limit.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::time::{Instant, timeout};

use crate::PublishError;
use crate::link::Link;
use crate::refusal::refusal;

/// Prepares a channel before anything is published on it.
pub(crate) type Prepare =
    Box<dyn Fn(Channel) -> BoxFuture<'static, Result<(), lapin::Error>> + Send + Sync>;

/// The connection.
pub(crate) struct Confirming {
    pub(crate) link: Link,
    /// How long the broker may take.
    pub(crate) limit: Duration,
    pub(crate) prepare: Option<Prepare>,
    /// When the broker last took messages again, after it had blocked publishing.
    unblocked: Mutex<Option<Instant>>,
}

impl Confirming {
    /// The broker may take as long as `limit`.
    pub(crate) fn new(link: Link, limit: Duration) -> Self {
        Self {
            link,
            limit,
            prepare: None,
            unblocked: Mutex::new(None),
        }
    }

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
    /// right; when it takes messages again, the clock starts anew.
    ///
    /// It is one timer and no more: one that rang before all others, and was set anew with every message, would wake the
    /// runtime each time.
    pub(crate) async fn within_limit<F: Future + Unpin>(
        &self,
        mut future: F,
    ) -> Result<F::Output, PublishError> {
        loop {
            let since = Instant::now();
            if let Ok(output) = timeout(self.limit, &mut future).await {
                return Ok(output);
            }
            if !self.was_blocked(since) {
                return Err(PublishError::Timeout { after: self.limit });
            }
        }
    }

    /// The broker takes messages again.
    pub(crate) fn unblocked(&self) {
        if let Ok(mut unblocked) = self.unblocked.lock() {
            *unblocked = Some(Instant::now());
        }
    }

    /// Whether the broker has blocked publishing now, or had at that time.
    fn was_blocked(&self, since: Instant) -> bool {
        let status = self.link.connection().status();
        let unblocked = self.unblocked.lock().ok().and_then(|at| *at);
        status.connected() && (status.blocked() || unblocked >= Some(since))
    }
}

/// What an error of the client library means for the message that was on its way.
pub(crate) fn denied_or_lost(exchange: &str, error: lapin::Error) -> PublishError {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) if refusal(&error).is_some() => {
            PublishError::Denied {
                exchange: exchange.to_owned(),
                code: amqp.get_id(),
                reason: amqp.get_message().to_string(),
            }
        }
        _ => PublishError::Lost(error),
    }
}
