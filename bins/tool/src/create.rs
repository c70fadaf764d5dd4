//! The schema of a submodule: a durable topic exchange, two durable queues, two bindings.
//!
//! What is printed on standard output is to the letter what the documentation shows; everything
//! else that is worth knowing goes to standard error.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, anyhow};
use edeposit_pikadaemon::get_con_params;
use edeposit_settings::{Settings, Submodule};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::vhost::quoted;
use crate::{say, vhost};

/// How long saying goodbye to the broker may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Creates the schema of each submodule in turn; the first failure ends it. What is there already
/// stays as it is.
pub async fn create(settings: &Settings, submodules: &[Submodule]) -> Result<()> {
    for submodule in submodules {
        let params = get_con_params(settings, &submodule.vhost)?;
        let link = vhost::connect(settings, &params).await?;
        let schema = Schema {
            submodule,
            channel: link.channel(&params).await?,
            user: &params.connection.user,
            limit: params.connection.publish_timeout,
        };
        let created = schema.create().await;
        link.close(CLOSE_WITHIN).await;
        created?;
    }
    Ok(())
}

struct Schema<'a> {
    submodule: &'a Submodule,
    channel: Channel,
    user: &'a str,
    /// How long the broker may take for each step.
    limit: Duration,
}

impl Schema<'_> {
    async fn create(&self) -> Result<()> {
        let Submodule {
            exchange,
            input_queue,
            output_queue,
            in_key,
            out_key,
            ..
        } = self.submodule;
        self.exchange(exchange).await?;
        say(&format!("Created exchange '{exchange}'."));
        say("Creating queues:");
        for queue in [input_queue, output_queue] {
            self.queue(queue).await?;
            say(&format!("  Created durable queue '{queue}'."));
        }
        say("\nRouting exchanges using routing key to queues:");
        for (queue, key) in [(input_queue, in_key), (output_queue, out_key)] {
            self.binding(exchange, key, queue).await?;
            say(&format!(
                "  Routing exchange {exchange}['{key}'] -> '{queue}'."
            ));
        }
        Ok(())
    }

    async fn exchange(&self, exchange: &str) -> Result<()> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declaring = self.channel.exchange_declare(
            exchange.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        self.step(&format!("exchange '{exchange}'"), declaring)
            .await
    }

    async fn queue(&self, queue: &str) -> Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declaring = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        self.step(&format!("queue '{queue}'"), declaring).await?;
        Ok(())
    }

    async fn binding(&self, exchange: &str, key: &str, queue: &str) -> Result<()> {
        let binding = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let what = format!("binding {exchange}['{key}'] -> '{queue}'");
        self.step(&what, binding).await
    }

    /// Waits for the broker's answer and puts a refusal into words.
    async fn step<T>(
        &self,
        what: &str,
        future: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.limit, future).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.refused(what, &error)),
            Err(_) => Err(anyhow!(
                "Can't create {what}: RabbitMQ did not answer within {} s. It may be out of memory \
                 or disk; see its log.",
                self.limit.as_secs_f32()
            )),
        }
    }

    fn refused(&self, what: &str, error: &lapin::Error) -> anyhow::Error {
        let Submodule { name, vhost, .. } = self.submodule;
        let failed = format!("Can't create {what} in virtual host '{vhost}'");
        let ErrorKind::ProtocolError(amqp) = error.kind() else {
            return anyhow!("{failed}: {error}");
        };
        let said = amqp.get_message();
        let hint = match amqp.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => format!(
                "It exists already, but was made in another way. Either delete it, with all that \
                 is in it (on the page of the management API, queues also by rabbitmqctl \
                 delete_queue), and run this again, or give it another name in the settings: \
                 RABBITMQ_{}_...",
                name.to_ascii_uppercase()
            ),
            AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => {
                "It exists already and belongs to another connection alone.".to_owned()
            }
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => format!(
                "User '{}' lacks the right; to give it, run on the server: \
                 rabbitmqctl set_permissions -p {} {} '.*' '.*' '.*'",
                self.user,
                quoted(vhost),
                quoted(self.user)
            ),
            _ => return anyhow!("{failed}: {said}"),
        };
        anyhow!("{failed}.\n{hint}\nRabbitMQ says: {said}")
    }
}
