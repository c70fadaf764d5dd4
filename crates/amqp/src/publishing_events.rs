//! What happens to a connection that publishes, apart from the messages on it.

use futures::StreamExt;
use futures::stream::BoxStream;
use tracing::debug;

use crate::Link;
use crate::refusal::refusal;

/// An event of a publishing connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishingEvent {
    /// The broker takes no messages for now: it is short of memory or disk.
    Blocked(String),
    /// The broker takes messages again.
    Unblocked,
    /// The connection is gone or in doubt; the reason.
    Lost(String),
}

/// The events of one connection. To be taken once for each: the client library gives every event to one listener only.
pub struct PublishingEvents(BoxStream<'static, lapin::Event>);

impl PublishingEvents {
    /// The events of this connection from now on.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        Self(link.connection().events_listener().boxed())
    }

    /// Waits for the next event. May be dropped while it waits.
    pub async fn next(&mut self) -> PublishingEvent {
        loop {
            match self.0.next().await {
                Some(lapin::Event::ConnectionBlocked(reason)) => {
                    return PublishingEvent::Blocked(reason);
                }
                Some(lapin::Event::ConnectionUnblocked) => return PublishingEvent::Unblocked,
                // Whoever published on that channel is told, and decides.
                Some(lapin::Event::Error(e)) if refusal(&e).is_some() => {
                    debug!(error = %e, "publishing channel");
                }
                Some(lapin::Event::Error(e)) => {
                    return PublishingEvent::Lost(format!("publishing connection: {e}"));
                }
                Some(event) => debug!(?event, "publishing connection"),
                None => {
                    let reason = "the publishing connection is gone";
                    return PublishingEvent::Lost(reason.to_owned());
                }
            }
        }
    }
}
