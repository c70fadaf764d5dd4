//! What comes in, what goes out, and what becomes of a delivery.

use std::sync::Arc;

use futures::future::BoxFuture;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::{PublishError, Session};

/// A delivery from the input queue.
#[derive(Debug)]
pub struct Message {
    /// The exchange it was published to.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Whether the broker has delivered it before.
    pub redelivered: bool,
    /// Its properties; the headers are among them.
    pub properties: BasicProperties,
    /// Its body.
    pub body: Vec<u8>,
}

impl Message {
    /// A header's value, or none if the header or all headers are absent. A header without a value is
    /// `AMQPValue::Void`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.properties.headers().as_ref()?.inner().get(name)
    }
}

/// A message to publish. Always sent persistent (`delivery_mode` 2, as documented), mandatory and with a publisher confirm.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Media type, `application/json` for answers.
    pub content_type: &'static str,
    /// The headers.
    pub headers: FieldTable,
    /// The body.
    pub body: Vec<u8>,
    /// Where the answer to this message is to go: a queue, by AMQP's own convention.
    pub reply_to: Option<ShortString>,
    /// Pairs request and answer by AMQP's own convention.
    pub correlation_id: Option<ShortString>,
    /// AMQP's property `type`: what kind of message it is.
    pub kind: Option<ShortString>,
}

/// What becomes of a delivery that has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is done: acknowledge it.
    Ack,
    /// It cannot be dealt with: take it off the queue; a dead-letter exchange gets it, if the queue has one.
    Reject,
}

/// Deals with deliveries (the original's `onMessageReceived`). Called concurrently, for as many at once as the prefetch
/// allows.
pub trait OnMessage: Send + Sync + 'static {
    /// Deals with one delivery and says what becomes of it. An error means that an answer may not have reached the
    /// broker: the session is given up and the delivery goes back to the queue.
    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a Arc<Session>,
    ) -> BoxFuture<'a, Result<Settle, PublishError>>;
}
