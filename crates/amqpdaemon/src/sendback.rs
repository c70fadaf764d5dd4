//! Progress messages from a handler to its caller.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::Exception;

/// Where a handler's progress messages go.
pub(crate) trait Progress: Send + Sync {
    /// Publishes one message under the request's routing key and UUID; done when the broker has confirmed it.
    fn publish(&self, body: Vec<u8>) -> BoxFuture<'_, Result<(), Exception>>;

    /// The request's UUID as text.
    fn uuid(&self) -> &str;

    /// Whether the broker has delivered the request before.
    fn redelivered(&self) -> bool;
}

/// Sends progress messages to the caller while a handler works (the original's `send_back`).
///
/// A progress message goes out exactly as an answer does, with the same routing key, UUID and properties, any number
/// of times; the caller tells it from the answer by its type. The answer itself is what the handler returns.
#[derive(Clone)]
pub struct Sendback(Arc<dyn Progress>);

impl Sendback {
    pub(crate) fn new(progress: Arc<dyn Progress>) -> Self {
        Self(progress)
    }

    /// Sends one progress message and waits until the broker has confirmed it. If the connection is lost meanwhile, it is
    /// sent on the next one; only the handler's time limit bounds the wait.
    ///
    /// # Errors
    /// The message cannot be serialized, or the request is answered already.
    pub async fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), Exception> {
        self.0.publish(edeposit_serializers::to_vec(message)?).await
    }

    /// The request's UUID, for log lines. A UUID that is no string is shown as text.
    #[must_use]
    pub fn uuid(&self) -> &str {
        self.0.uuid()
    }

    /// Whether the broker has delivered this request before: it may have been carried out already, in whole or in part.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.0.redelivered()
    }

    /// A sendback without a broker, for testing a handler: what is sent arrives at the receiver.
    #[must_use]
    pub fn collecting() -> (Self, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Arc::new(Collecting(sender))), receiver)
    }
}

struct Collecting(mpsc::UnboundedSender<Vec<u8>>);

impl Progress for Collecting {
    fn publish(&self, body: Vec<u8>) -> BoxFuture<'_, Result<(), Exception>> {
        // A test that dropped its receiver does not care for progress.
        let _ = self.0.send(body);
        Box::pin(async { Ok(()) })
    }

    fn uuid(&self) -> &str {
        "test"
    }

    fn redelivered(&self) -> bool {
        false
    }
}
