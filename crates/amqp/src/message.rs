//! What comes in, what goes out, and what becomes of a delivery.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// AMQP's delivery mode of messages that survive the broker.
pub const PERSISTENT: u8 = 2;

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

impl Outgoing {
    /// All that goes with the body.
    #[must_use]
    pub fn properties(&self) -> BasicProperties {
        let mut properties = BasicProperties::default()
            .with_content_type(self.content_type.into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(self.headers.clone());
        if let Some(reply_to) = &self.reply_to {
            properties = properties.with_reply_to(reply_to.clone());
        }
        if let Some(correlation_id) = &self.correlation_id {
            properties = properties.with_correlation_id(correlation_id.clone());
        }
        if let Some(kind) = &self.kind {
            properties = properties.with_type(kind.clone());
        }
        properties
    }
}

/// What becomes of a delivery that has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is done: acknowledge it.
    Ack,
    /// It cannot be finished now: put it back into the queue.
    Requeue,
}
