//! How each framework wants to be asked, and where its answers name their request.

use anyhow::Result;
use clap::ValueEnum;
use lapin::message::Delivery;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, ExchangeKind};
use uuid::Uuid;

/// The queue answers come to, whatever the protocol.
pub const ANSWERS: &str = "plone";

/// Whose way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// E-deposit's: key `request`, header `UUID`, answers by key `result`.
    Uuid,
    /// AMQP's own: `reply_to` and `correlation_id`.
    ReplyTo,
    /// Celery's message protocol 2, results by `rpc://`.
    Celery,
    /// nameko's RPC.
    Nameko,
}

/// A message but for what pairs it with its answer.
pub struct Question {
    pub exchange: &'static str,
    pub key: &'static str,
    pub body: Vec<u8>,
}

impl Protocol {
    /// Exchanges, queues and bindings exactly as the framework declares them itself.
    pub async fn declare(self, channel: &Channel) -> Result<()> {
        let durable = QueueDeclareOptions::durable;
        let none = FieldTable::default;
        channel
            .queue_declare(ANSWERS.into(), durable(), none())
            .await?;
        let exchange = async |name: &'static str, kind| {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            channel
                .exchange_declare(name.into(), kind, options, none())
                .await
        };
        let queue = async |queue: &'static str, exchange: &'static str, key: &'static str| {
            channel
                .queue_declare(queue.into(), durable(), none())
                .await?;
            bind(channel, queue, exchange, key).await
        };
        match self {
            Protocol::Uuid => {
                exchange("echo", ExchangeKind::Topic).await?;
                queue("daemon", "echo", "request").await?;
                bind(channel, ANSWERS, "echo", "result").await?;
            }
            Protocol::ReplyTo => {
                channel
                    .queue_declare("daemon".into(), durable(), none())
                    .await?;
            }
            Protocol::Celery => {
                exchange("celery", ExchangeKind::Direct).await?;
                queue("celery", "celery", "celery").await?;
            }
            Protocol::Nameko => {
                exchange("nameko-rpc", ExchangeKind::Topic).await?;
                queue("rpc-echo", "nameko-rpc", "echo.*").await?;
                bind(channel, ANSWERS, "nameko-rpc", ANSWERS).await?;
            }
        }
        Ok(())
    }

    /// A request to echo a text of this length.
    pub fn question(self, bytes: usize) -> Question {
        let text = "Příliš žluťoučký kůň. ".chars().cycle();
        let mut text: String = text.take(bytes).collect();
        while text.len() > bytes {
            text.pop();
        }
        let text = serde_json::Value::String(text);
        let (exchange, key, body) = match self {
            Protocol::Uuid => (
                "echo",
                "request",
                format!(r#"{{"__nt_name": "Echo", "text": {text}}}"#),
            ),
            Protocol::ReplyTo => (
                "",
                "daemon",
                format!(r#"{{"__nt_name": "Echo", "text": {text}}}"#),
            ),
            Protocol::Celery => (
                "celery",
                "celery",
                format!(
                    r#"[[{text}], {{}}, {{"callbacks": null, "errbacks": null, "chain": null, "chord": null}}]"#
                ),
            ),
            Protocol::Nameko => (
                "nameko-rpc",
                "echo.echo",
                format!(r#"{{"args": [], "kwargs": {{"text": {text}}}}}"#),
            ),
        };
        Question {
            exchange,
            key,
            body: body.into_bytes(),
        }
    }

    pub fn properties(self, uuid: Uuid, persistent: bool) -> BasicProperties {
        let uuid = uuid.to_string();
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(if persistent { 2 } else { 1 });
        let mut headers = FieldTable::default();
        let mut header = |name: &'static str, value: &str| {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        };
        if self == Protocol::Uuid {
            header("UUID", &uuid);
            return properties.with_headers(headers);
        }
        if self == Protocol::Celery {
            header("lang", "py");
            header("task", "echo");
            header("id", &uuid);
            header("root_id", &uuid);
        }
        properties
            .with_headers(headers)
            .with_content_encoding("utf-8".into())
            .with_reply_to(ANSWERS.into())
            .with_correlation_id(uuid.into())
    }

    /// Which request this answers, and whether it is an answer at all, not an error.
    pub fn read(self, answer: &Delivery) -> (Option<Uuid>, bool) {
        let headers = answer.properties.headers().as_ref();
        let header = |name| headers.and_then(|headers| headers.inner().get(name));
        let uuid = match (self, header("UUID")) {
            (Protocol::Uuid, Some(AMQPValue::LongString(uuid))) => {
                Uuid::try_parse_ascii(uuid.as_bytes()).ok()
            }
            (Protocol::Uuid, _) => None,
            _ => {
                let id = answer.properties.correlation_id().as_ref();
                id.map(ShortString::as_str)
                    .and_then(|id| Uuid::try_parse(id).ok())
            }
        };
        let sign: &[u8] = match self {
            Protocol::Uuid | Protocol::ReplyTo => b"\"Echoed\"",
            Protocol::Celery => b"\"SUCCESS\"",
            Protocol::Nameko => b"\"result\": \"",
        };
        let head = &answer.data[..answer.data.len().min(100)];
        let good = head.windows(sign.len()).any(|window| window == sign);
        (uuid, good)
    }
}

async fn bind(
    channel: &Channel,
    queue: &'static str,
    exchange: &'static str,
    key: &'static str,
) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        )
        .await
}
