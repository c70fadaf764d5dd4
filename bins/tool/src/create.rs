//! `--create`: makes the schema of a submodule.
//!
//! What is printed on standard output is to the letter what the documentation shows; everything
//! else that is worth knowing goes to standard error. What is there already stays as it is.

use std::future::Future;

use anyhow::{Result, anyhow};
use edeposit_amqp::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use edeposit_amqp::protocol::AMQPSoftError;
use edeposit_amqp::types::FieldTable;
use edeposit_amqp::{Channel, ExchangeKind, quoted, refusal, said};
use edeposit_settings::Submodule;

use crate::broker::{self, Broker};
use crate::context::Context;
use crate::output::say;
use crate::schema::{Binding, Queue, Schema, Shape};
use crate::vhost;

/// Creates the schema of each submodule in turn; the first failure ends it.
pub async fn create(context: &Context, submodules: &[Submodule], shape: Shape) -> Result<()> {
    for submodule in submodules {
        let schema = Schema::new(submodule, shape)?;
        let params = broker::params(context, submodule)?;
        let link = vhost::connect_or_create(context, &params).await?;
        let broker = Broker::new(context, submodule, params, link);
        let created = Creation {
            channel: broker.channel().await?,
            broker: &broker,
        }
        .run(&schema)
        .await;
        broker.close().await;
        created?;
    }
    Ok(())
}

struct Creation<'a> {
    channel: Channel,
    broker: &'a Broker<'a>,
}

impl Creation<'_> {
    async fn run(&self, schema: &Schema) -> Result<()> {
        for exchange in &schema.exchanges {
            self.exchange(exchange).await?;
            say(&format!("Created exchange '{exchange}'."));
        }
        say("Creating queues:");
        for queue in &schema.queues {
            self.queue(queue).await?;
            say(&format!("  Created durable queue '{}'.", queue.name));
        }
        say("\nRouting exchanges using routing key to queues:");
        for binding in &schema.bindings {
            self.bind(binding).await?;
            say(&format!("  Routing exchange {}.", text(binding)));
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
        let what = format!("exchange '{exchange}'");
        // rabbitmqctl cannot delete an exchange.
        let delete = "on the page of the management API";
        self.step(&what, delete, declaring).await
    }

    async fn queue(&self, queue: &Queue) -> Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let name = queue.name.as_str();
        let declaring = self
            .channel
            .queue_declare(name.into(), options, queue.table());
        let delete = format!(
            "rabbitmqctl delete_queue -p {} {}",
            quoted(&self.broker.submodule.vhost),
            quoted(name)
        );
        self.step(&format!("queue '{name}'"), &delete, declaring)
            .await?;
        Ok(())
    }

    async fn bind(&self, binding: &Binding) -> Result<()> {
        let binding_it = self.channel.queue_bind(
            binding.queue.as_str().into(),
            binding.exchange.as_str().into(),
            binding.key.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let what = format!("binding {}", text(binding));
        self.step(&what, "", binding_it).await
    }

    /// Waits for the broker's answer and puts a refusal into words.
    async fn step<T>(
        &self,
        what: &str,
        delete: &str,
        future: impl Future<Output = Result<T, edeposit_amqp::Error>>,
    ) -> Result<T> {
        let failed = format!("Can't create {what}");
        self.broker
            .within(&failed, future)
            .await?
            .map_err(|error| match refusal(&error) {
                Some(AMQPSoftError::PRECONDITIONFAILED) => self.conflict(&failed, delete, &error),
                _ => self.broker.refused(&failed, &error),
            })
    }

    fn conflict(&self, failed: &str, delete: &str, error: &edeposit_amqp::Error) -> anyhow::Error {
        let Submodule { name, vhost, .. } = self.broker.submodule;
        let said = said(error);
        let option = match option_to_keep(&said) {
            Some(option) => format!("\nOr keep it as it is and run this with {option}."),
            None => String::new(),
        };
        anyhow!(
            "{failed} in virtual host '{vhost}'.\n\
             It exists already, but was made in another way. Either delete it, with all that is \
             in it ({delete}), and run this again, or give it another name in the settings: \
             RABBITMQ_{}_...{option}\n\
             RabbitMQ says: {said}",
            name.to_ascii_uppercase()
        )
    }
}

/// The documentation's way to write a binding.
fn text(binding: &Binding) -> String {
    let Binding {
        exchange,
        key,
        queue,
    } = binding;
    format!("{exchange}['{key}'] -> '{queue}'")
}

/// A conflict that is only about how this command was called is solved by calling it otherwise.
fn option_to_keep(said: &str) -> Option<&'static str> {
    let (_, rest) = said.split_once("inequivalent arg '")?;
    let (argument, rest) = rest.split_once('\'')?;
    let (_, current) = rest.rsplit_once("current is ")?;
    let there = !current.starts_with("none");
    match argument {
        "x-queue-type" if current.contains("'quorum'") => Some("--queue-type quorum"),
        "x-queue-type" if current.contains("'classic'") => Some("--queue-type classic"),
        "x-queue-type" if !there => Some("no --queue-type"),
        "x-dead-letter-exchange" if there => Some("--dead-letter"),
        "x-dead-letter-exchange" => Some("no --dead-letter"),
        "x-delivery-limit" if there => Some("the --delivery-limit that it has"),
        "x-delivery-limit" => Some("no --delivery-limit"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::option_to_keep;

    #[test]
    fn a_conflict_names_the_option_that_avoids_it() {
        let said = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'daemon' in \
                    vhost 'ftp': received none but current is the value 'quorum' of type 'longstr'";
        assert_eq!(option_to_keep(said), Some("--queue-type quorum"));
        let said = "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue \
                    'daemon' in vhost 'ftp': received the value 'x' of type 'longstr' but current \
                    is none";
        assert_eq!(option_to_keep(said), Some("no --dead-letter"));
        let said = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'daemon' in vhost \
                    'ftp': received 'true' but current is 'false'";
        assert_eq!(option_to_keep(said), None);
    }
}
