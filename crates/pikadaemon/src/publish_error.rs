//! Why a message is not safe in the broker.

use std::time::Duration;

use lapin::protocol::AMQPErrorKind;

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
    /// The broker denies it: no such exchange, no permission, too large a message.
    #[error("RabbitMQ denies publishing: {text}")]
    Denied {
        /// The broker's words.
        text: String,
    },
    /// The connection is gone: whether the message arrived is not known.
    #[error("the connection to RabbitMQ was lost while publishing: {0}")]
    Lost(lapin::Error),
}

impl PublishError {
    /// Whether the session itself is in doubt, as against this one message.
    #[must_use]
    pub fn is_session_lost(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Timeout { .. })
    }
}

/// What concerns one channel is the broker's verdict on what was asked there; anything else is a loss.
impl From<lapin::Error> for PublishError {
    fn from(error: lapin::Error) -> Self {
        match error.kind() {
            lapin::ErrorKind::ProtocolError(amqp)
                if matches!(amqp.kind(), AMQPErrorKind::Soft(_)) =>
            {
                Self::Denied {
                    text: amqp.get_message().to_string(),
                }
            }
            _ => Self::Lost(error),
        }
    }
}
