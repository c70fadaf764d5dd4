//! What a daemon needs in its virtual host, laid out as the original's tool does it.

use anyhow::{Context, Result};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use crate::Vhost;

/// What a queue is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueType {
    /// On one node.
    #[default]
    Classic,
    /// On a majority of the cluster's nodes.
    Quorum,
}

/// One durable topic exchange, two durable queues, two bindings with exactly the two keys.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The exchange requests and answers go through.
    pub exchange: String,
    /// The queue the daemon consumes.
    pub input_queue: String,
    /// The queue the caller reads.
    pub output_queue: String,
    /// Routing key of requests.
    pub in_key: String,
    /// Routing key of answers.
    pub out_key: String,
    /// What both queues are made of.
    pub queue_type: QueueType,
}

impl Schema {
    /// A schema with the settings' default names: queues `daemon` and `plone`, keys `request` and `result`.
    pub fn new(exchange: &str) -> Schema {
        Schema {
            exchange: exchange.to_owned(),
            input_queue: "daemon".to_owned(),
            output_queue: "plone".to_owned(),
            in_key: "request".to_owned(),
            out_key: "result".to_owned(),
            queue_type: QueueType::Classic,
        }
    }

    /// The same with queues of another type.
    pub fn with_queues(mut self, queue_type: QueueType) -> Schema {
        self.queue_type = queue_type;
        self
    }

    /// The arguments its queues are declared with.
    fn queue_arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        if self.queue_type == QueueType::Quorum {
            let quorum = AMQPValue::LongString("quorum".into());
            arguments.insert("x-queue-type".into(), quorum);
        }
        arguments
    }

    /// The schema of alephdaemon by default: exchange `search`.
    pub fn aleph() -> Schema {
        Schema::new("search")
    }
}

impl Vhost {
    /// Declares exchange, queues and bindings. May be repeated.
    pub async fn declare(&self, schema: &Schema) -> Result<()> {
        let (connection, channel) = self.connect().await?;
        channel
            .exchange_declare(
                schema.exchange.as_str().into(),
                ExchangeKind::Topic,
                ExchangeDeclareOptions {
                    durable: true,
                    ..Default::default()
                },
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("declaring exchange {}", schema.exchange))?;
        for (queue, key) in [
            (&schema.input_queue, &schema.in_key),
            (&schema.output_queue, &schema.out_key),
        ] {
            channel
                .queue_declare(
                    queue.as_str().into(),
                    QueueDeclareOptions::durable(),
                    schema.queue_arguments(),
                )
                .await
                .with_context(|| format!("declaring queue {queue}"))?;
            self.bind_on(&channel, queue, &schema.exchange, key).await?;
        }
        close(&connection).await
    }

    /// Binds a queue to an exchange with one more key, such as `#.request` for dotted keys.
    pub async fn bind(&self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        let (connection, channel) = self.connect().await?;
        self.bind_on(&channel, queue, exchange, key).await?;
        close(&connection).await
    }

    /// Takes a binding away.
    pub async fn unbind(&self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        let (connection, channel) = self.connect().await?;
        channel
            .queue_unbind(
                queue.into(),
                exchange.into(),
                key.into(),
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("unbinding {queue} from {exchange} with {key}"))?;
        close(&connection).await
    }

    /// Declares a durable queue with these arguments, such as `x-max-length`.
    pub async fn declare_queue(&self, queue: &str, arguments: FieldTable) -> Result<()> {
        let (connection, channel) = self.connect().await?;
        channel
            .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
            .await
            .with_context(|| format!("declaring queue {queue}"))?;
        close(&connection).await
    }

    /// Messages ready in a queue and its consumers, exactly and now; the broker is asked for the queue itself, and errs
    /// if there is none.
    pub async fn depth(&self, queue: &str) -> Result<(u32, u32)> {
        let (connection, channel) = self.connect().await?;
        let found = channel
            .queue_declare(
                queue.into(),
                QueueDeclareOptions {
                    passive: true,
                    ..Default::default()
                },
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("asking for queue {queue}"))?;
        close(&connection).await?;
        Ok((found.message_count(), found.consumer_count()))
    }

    async fn bind_on(
        &self,
        channel: &Channel,
        queue: &str,
        exchange: &str,
        key: &str,
    ) -> Result<()> {
        channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                key.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("binding {queue} to {exchange} with {key}"))
    }

    /// A connection and a channel on it, as the user who may do everything.
    pub async fn connect(&self) -> Result<(Connection, Channel)> {
        let connection = Connection::connect(&self.amqp_url(), ConnectionProperties::default())
            .await
            .with_context(|| format!("connecting to {}", self.amqp_url()))?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }
}

async fn close(connection: &Connection) -> Result<()> {
    Ok(connection.close(200, "done".into()).await?)
}
