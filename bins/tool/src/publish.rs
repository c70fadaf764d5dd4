//! Publishing a message so that it is known where it ended: mandatory and confirmed.

use edeposit_pikadaemon::ConnectError;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use crate::broker::{Broker, refusal, said};

/// Publishes over one channel, which is opened anew after the broker has closed it. One message
/// is in flight at a time, so that a returned message cannot be taken for another one.
pub struct Publisher<'a> {
    broker: &'a Broker<'a>,
    channel: Option<Channel>,
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
    #[error("the connection to RabbitMQ was lost: {0}; whether it arrived is not known")]
    Lost(#[from] lapin::Error),
    /// No channel could be opened.
    #[error(transparent)]
    NoChannel(#[from] ConnectError),
}

impl NotSent {
    /// Whether this message is the reason, and another one may do better.
    pub fn is_about_the_message(&self) -> bool {
        !matches!(
            self,
            NotSent::Silence(_) | NotSent::Lost(_) | NotSent::NoChannel(_)
        )
    }
}

impl<'a> Publisher<'a> {
    /// Over this connection; nothing is sent yet.
    pub fn new(broker: &'a Broker<'a>) -> Publisher<'a> {
        Publisher {
            broker,
            channel: None,
        }
    }

    /// Publishes a message and returns when the broker has it in a queue.
    pub async fn publish(
        &mut self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), NotSent> {
        let limit = self.broker.limit();
        let publishing = self.try_publish(exchange, key, body, properties);
        match tokio::time::timeout(limit, publishing).await {
            Ok(result) => result,
            Err(_) => Err(NotSent::Silence(self.broker.silence())),
        }
    }

    async fn try_publish(
        &mut self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), NotSent> {
        let channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.open().await?,
        };
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let publishing = async {
            channel
                .basic_publish(short(exchange)?, short(key)?, options, body, properties)
                .await?
                .await
                .map_err(NotSent::Lost)
        };
        let confirmation = match publishing.await {
            Err(NotSent::Lost(error)) => return Err(refused(exchange, error)),
            other => other?,
        };
        self.channel = Some(channel);
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                Err(NotSent::NoQueue {
                    exchange: exchange.to_owned(),
                    key: key.to_owned(),
                    reason: returned.reply_text.to_string(),
                })
            }
            Confirmation::Nack(None) | Confirmation::NotRequested => Err(NotSent::Full {
                exchange: exchange.to_owned(),
                key: key.to_owned(),
            }),
        }
    }

    async fn open(&self) -> Result<Channel, NotSent> {
        let channel = self.broker.channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }
}

/// The broker closes the channel when it does not like a message; then it is about the message.
fn refused(exchange: &str, error: lapin::Error) -> NotSent {
    match refusal(&error) {
        Some(AMQPSoftError::NOTFOUND) => NotSent::NoExchange(exchange.to_owned()),
        Some(_) => NotSent::Refused(said(&error)),
        None => NotSent::Lost(error),
    }
}

fn short(name: &str) -> Result<ShortString, NotSent> {
    ShortString::try_new(name).map_err(|_| NotSent::TooLong(name.to_owned()))
}
