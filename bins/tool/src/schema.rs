//! What a submodule needs in its virtual host: a durable topic exchange, two durable queues, two
//! bindings; with `--dead-letter` one more of each.
//!
//! The dead-letter exchange and queue are both called `<input queue>.dead`. RabbitMQ moves there
//! the requests that a daemon rejects or that are delivered too often. The exchange leaves the
//! routing key as it is, so that `--replay` knows where a request belongs.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_settings::Submodule;
use serde_json::{Value, json};

/// AMQP keeps names in strings of one length byte.
const LONGEST_NAME: usize = 255;

/// The kind of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// One node keeps the queue; RabbitMQ's default
    Classic,
    /// Every node of a cluster keeps a copy, and deliveries are counted
    Quorum,
}

/// How the schema is to differ from the original's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// The kind of the queues; not said: that of the original, without any argument.
    pub queue_type: Option<QueueType>,
    /// After how many deliveries RabbitMQ takes a request out of a quorum queue.
    pub delivery_limit: Option<u32>,
    /// Whether requests taken out are kept.
    pub dead_letter: bool,
}

/// Names and arguments, in the order in which they are made.
#[derive(Debug)]
pub struct Schema {
    /// Topic exchanges.
    pub exchanges: Vec<String>,
    /// Queues.
    pub queues: Vec<Queue>,
    /// Bindings.
    pub bindings: Vec<Binding>,
}

/// A durable queue.
#[derive(Debug)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its optional arguments.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// A queue's argument.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A string.
    Text(String),
    /// A number.
    Number(u32),
}

/// A binding of an exchange to a queue.
#[derive(Debug)]
pub struct Binding {
    /// From this exchange.
    pub exchange: String,
    /// With this key.
    pub key: String,
    /// To this queue.
    pub queue: String,
}

/// Name of an input queue's dead-letter exchange and of the queue behind it.
pub fn dead_letter_name(input_queue: &str) -> String {
    format!("{input_queue}.dead")
}

/// Name of the queue in which a daemon keeps answers that no queue is bound for.
pub fn parked_name(input_queue: &str) -> String {
    format!("{input_queue}.parked")
}

impl Schema {
    /// The schema of a submodule.
    pub fn new(submodule: &Submodule, shape: Shape) -> Result<Schema> {
        let dead = dead_letter_name(&submodule.input_queue);
        ensure!(
            !shape.dead_letter || dead.len() <= LONGEST_NAME,
            "queue '{}' of {} has too long a name for a dead-letter queue beside it; AMQP allows \
             {LONGEST_NAME} bytes",
            submodule.input_queue,
            submodule.name
        );
        let mut schema = Schema {
            exchanges: vec![submodule.exchange.clone()],
            queues: vec![
                Queue {
                    name: submodule.input_queue.clone(),
                    arguments: input_arguments(shape, &dead),
                },
                Queue {
                    name: submodule.output_queue.clone(),
                    arguments: type_arguments(shape),
                },
            ],
            bindings: vec![
                Binding {
                    exchange: submodule.exchange.clone(),
                    key: submodule.in_key.clone(),
                    queue: submodule.input_queue.clone(),
                },
                Binding {
                    exchange: submodule.exchange.clone(),
                    key: submodule.out_key.clone(),
                    queue: submodule.output_queue.clone(),
                },
            ],
        };
        if shape.dead_letter {
            schema.exchanges.push(dead.clone());
            schema.queues.push(Queue {
                name: dead.clone(),
                arguments: type_arguments(shape),
            });
            schema.bindings.push(Binding {
                exchange: dead.clone(),
                key: "#".to_owned(),
                queue: dead,
            });
        }
        Ok(schema)
    }
}

fn type_arguments(shape: Shape) -> Vec<(&'static str, Argument)> {
    let name = match shape.queue_type {
        None => return Vec::new(),
        Some(QueueType::Classic) => "classic",
        Some(QueueType::Quorum) => "quorum",
    };
    vec![("x-queue-type", Argument::Text(name.to_owned()))]
}

fn input_arguments(shape: Shape, dead: &str) -> Vec<(&'static str, Argument)> {
    let mut arguments = type_arguments(shape);
    if let Some(limit) = shape.delivery_limit {
        arguments.push(("x-delivery-limit", Argument::Number(limit)));
    }
    if shape.dead_letter {
        arguments.push(("x-dead-letter-exchange", Argument::Text(dead.to_owned())));
        if shape.queue_type == Some(QueueType::Quorum) {
            // Without these two a request is lost if RabbitMQ fails while it moves it.
            let text = |value: &str| Argument::Text(value.to_owned());
            arguments.push(("x-dead-letter-strategy", text("at-least-once")));
            arguments.push(("x-overflow", text("reject-publish")));
        }
    }
    arguments
}

impl Queue {
    /// The arguments for declaring it.
    pub fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, argument) in &self.arguments {
            let value = match argument {
                Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Argument::Number(number) => AMQPValue::LongLongInt((*number).into()),
            };
            table.insert((*name).into(), value);
        }
        table
    }

    /// The arguments as they stand in RabbitMQ's definitions.
    pub fn json(&self) -> Value {
        let pairs = self.arguments.iter().map(|(name, argument)| {
            let value = match argument {
                Argument::Text(text) => json!(text),
                Argument::Number(number) => json!(number),
            };
            ((*name).to_owned(), value)
        });
        Value::Object(pairs.collect())
    }
}
