//! Why a message is not safe in the broker.

use std::time::Duration;

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// No queue is bound for the routing key: the broker returned the message.
    #[error("exchange '{exchange}' has no queue for routing key '{routing_key}': {reason}")]
    Returned {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// The broker's words, e.g. `NO_ROUTE`.
        reason: String,
    },
    /// The broker could not take responsibility for the message, e.g. because the queue is full.
    #[error(
        "RabbitMQ refused the message for exchange '{exchange}', routing key '{routing_key}' (basic.nack)"
    )]
    Refused {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// The broker does not take this message there: no such exchange, no right to publish to it, too large.
    #[error("RabbitMQ takes no such message for exchange '{exchange}': {reason}")]
    Denied {
        /// The exchange; the default exchange has the empty name.
        exchange: String,
        /// AMQP's reply code, e.g. 404 if there is no such exchange.
        code: u16,
        /// The broker's words.
        reason: String,
    },
    /// Neither confirmed nor refused in time.
    #[error("RabbitMQ did not confirm the message within {} s", .after.as_secs_f32())]
    Timeout {
        /// The limit, `RABBITMQ_PUBLISH_TIMEOUT`.
        after: Duration,
    },
    /// A routing key longer than AMQP's 255 bytes.
    #[error("routing key of {length} bytes; AMQP allows 255")]
    RoutingKeyTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// There is no connection to publish on any more: the message did not leave this process.
    #[error("the connection to RabbitMQ was lost before the message was sent: {0}")]
    NotSent(lapin::Error),
    /// The connection or channel is gone: whether the message arrived is not known.
    #[error("the connection to RabbitMQ was lost while publishing: {0}")]
    Lost(#[from] lapin::Error),
}

impl PublishError {
    /// Whether the session itself is in doubt, as against this one message.
    #[must_use]
    pub fn is_session_lost(&self) -> bool {
        matches!(
            self,
            Self::Lost(_) | Self::NotSent(_) | Self::Timeout { .. }
        )
    }
}
