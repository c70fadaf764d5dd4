//! Publishing a message so that it is known where it ended: mandatory and confirmed.

use std::time::Duration;

use anyhow::Result;
use edeposit_amqp::{BasicProperties, Link, PublishError};
use tokio::time::timeout;

use crate::broker::{Broker, silence};

/// AMQP's reply code for what does not exist.
const NOT_FOUND: u16 = 404;

/// How long saying goodbye to the broker may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Publishes one message after the other, on a connection of its own.
pub struct Publisher {
    publisher: edeposit_amqp::Publisher,
    limit: Duration,
}

/// Why a message is not in a queue.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The broker gave it back: no queue is bound for it.
    #[error("exchange '{exchange}' has no queue for routing key '{key}' ({reason})")]
    NoQueue {
        exchange: String,
        key: String,
        reason: String,
    },
    /// There is no such exchange.
    #[error("there is no exchange '{0}'")]
    NoExchange(String),
    /// The broker does not want it.
    #[error(
        "RabbitMQ refused it for exchange '{exchange}', routing key '{key}': a queue that it goes to is full"
    )]
    Full { exchange: String, key: String },
    /// The broker does not take it as it is.
    #[error("RabbitMQ does not take it: {0}")]
    Refused(String),
    /// A name from a message or from the command line does not fit into AMQP.
    #[error("'{0}' is longer than the 255 bytes that AMQP allows")]
    TooLong(String),
    /// Nothing was heard.
    #[error("{0} Whether it arrived is not known.")]
    Silence(String),
    /// The connection is gone.
    #[error("{0}; whether it arrived is not known")]
    Lost(PublishError),
}

impl NotSent {
    /// Whether this message is the reason, and another one may do better.
    pub fn is_about_the_message(&self) -> bool {
        !matches!(self, NotSent::Silence(_) | NotSent::Lost(_))
    }
}

impl Publisher {
    /// Connects beside this connection, to the same node.
    pub async fn beside(broker: &Broker<'_>) -> Result<Publisher> {
        let link: Link = broker.link().connect_beside(broker.params()).await?;
        let publisher = edeposit_amqp::Publisher::new(link, broker.params(), 1).refused_at_once();
        Ok(Publisher {
            publisher,
            limit: broker.limit(),
        })
    }

    /// Publishes a message and returns when the broker has it in a queue.
    pub async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: &BasicProperties,
    ) -> Result<(), NotSent> {
        let publishing = self.publisher.publish_as(exchange, key, properties, body);
        match timeout(self.limit, publishing).await {
            Ok(sent) => sent.map_err(|error| NotSent::because(error, exchange, key)),
            Err(_) => Err(NotSent::Silence(silence(
                self.publisher.is_blocked(),
                self.limit,
            ))),
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.publisher.into_link().close(CLOSE_WITHIN).await;
    }
}

impl NotSent {
    fn because(error: PublishError, exchange: &str, key: &str) -> NotSent {
        match error {
            PublishError::Returned { reason, .. } => NotSent::NoQueue {
                exchange: exchange.to_owned(),
                key: key.to_owned(),
                reason,
            },
            PublishError::Refused { .. } => NotSent::Full {
                exchange: exchange.to_owned(),
                key: key.to_owned(),
            },
            PublishError::Denied { code, .. } if code == NOT_FOUND => {
                NotSent::NoExchange(exchange.to_owned())
            }
            PublishError::Denied { reason, .. } => NotSent::Refused(reason),
            PublishError::RoutingKeyTooLong { .. } => NotSent::TooLong(key.to_owned()),
            PublishError::Timeout { after } => NotSent::Silence(silence(false, after)),
            error => NotSent::Lost(error),
        }
    }
}
