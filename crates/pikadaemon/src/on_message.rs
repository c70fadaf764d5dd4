//! What deals with deliveries.

use std::sync::Arc;

use edeposit_amqp::{Message, PublishError, Settle};
use futures::future::BoxFuture;

use crate::Session;

/// Deals with deliveries (the original's `onMessageReceived`). Called concurrently, for as many at once as the prefetch
/// allows, but all in one task: work that takes long or blocks belongs in a task of its own.
pub trait OnMessage: Send + Sync + 'static {
    /// A session is set up, the first or a new one; no delivery of it has been handed over yet, and none of an earlier one
    /// is in hand any more. Default: nothing.
    fn on_session(&self, _session: &Arc<dyn Session>) {}

    /// Deals with one delivery and says what becomes of it. An error means that an answer may not have reached the
    /// broker: the session is given up and the delivery goes back to the queue.
    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a dyn Session,
    ) -> BoxFuture<'a, Result<Settle, PublishError>>;
}
