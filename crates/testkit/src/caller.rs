//! A caller as the old clients are: publishes raw bytes to the exchange and reads the output queue.
//!
//! Answers are taken from the queue as they come and kept until somebody asks for them by their UUID, so that many calls
//! can be under way at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::{Schema, Vhost};

/// How long [`Caller::call`] waits for an answer.
const CALL_WITHIN: Duration = Duration::from_secs(20);

/// Publishes requests and reads answers; its concept is the module's.
#[derive(Debug)]
pub struct Caller {
    schema: Schema,
    // Never read, but closed when dropped.
    _connection: Connection,
    channel: Channel,
    inbox: Arc<Inbox>,
    reading: JoinHandle<()>,
}

/// A request, to be changed as the test wants it.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// Exchange to publish to.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// The body's bytes; may be anything.
    pub body: Vec<u8>,
    /// All properties, the header table among them; None in `headers` means no table at all.
    pub properties: BasicProperties,
}

impl RawRequest {
    /// The header `UUID` if it is a string.
    pub fn uuid(&self) -> Option<String> {
        text_header(self.properties.headers().as_ref()?, "UUID")
    }

    /// The same request with another routing key.
    pub fn with_routing_key(mut self, key: &str) -> Self {
        self.routing_key = key.to_owned();
        self
    }

    /// The same request with one more header, or another value of it.
    pub fn with_header(mut self, name: &str, value: AMQPValue) -> Self {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        headers.insert(name.into(), value);
        self.properties = self.properties.with_headers(headers);
        self
    }

    /// The same request with these properties instead.
    pub fn with_properties(mut self, properties: BasicProperties) -> Self {
        self.properties = properties;
        self
    }
}

/// A message from the output queue, with all that came with it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Exchange it was published to.
    pub exchange: String,
    /// Routing key it was published with.
    pub routing_key: String,
    /// Content type, delivery mode and all other properties.
    pub properties: BasicProperties,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The headers; empty if there is no table.
    pub fn headers(&self) -> FieldTable {
        self.properties.headers().clone().unwrap_or_default()
    }

    /// A header that is a string; None if it is missing or something else.
    pub fn header(&self, name: &str) -> Option<String> {
        text_header(&self.headers(), name)
    }

    /// The header `UUID` as it is, string or not.
    pub fn uuid(&self) -> Option<AMQPValue> {
        self.headers().inner().get("UUID").cloned()
    }

    /// Content type, as a string.
    pub fn content_type(&self) -> Option<&str> {
        self.properties
            .content_type()
            .as_ref()
            .map(ShortString::as_str)
    }

    /// Delivery mode: 2 is persistent.
    pub fn delivery_mode(&self) -> Option<u8> {
        *self.properties.delivery_mode()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the answer is no JSON: {}", self.text()))
    }

    /// Whether it tells of an exception: callers go by the header `exception`.
    pub fn is_exception(&self) -> bool {
        self.headers().contains_key("exception")
    }
}

impl From<Delivery> for Answer {
    fn from(delivery: Delivery) -> Self {
        Answer {
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            properties: delivery.properties,
            body: delivery.data.to_vec(),
        }
    }
}

impl Caller {
    /// Connects to the test's virtual host and begins to read the output queue. The schema must be declared.
    pub async fn connect(vhost: &Vhost, schema: &Schema) -> Result<Caller> {
        let (connection, channel) = vhost.connect().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let consumer = channel
            .basic_consume(
                schema.output_queue.as_str().into(),
                "caller".into(),
                BasicConsumeOptions {
                    no_ack: true,
                    ..Default::default()
                },
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("reading queue {}", schema.output_queue))?;
        let inbox = Arc::new(Inbox::default());
        let reading = tokio::spawn(fill(inbox.clone(), consumer));
        Ok(Caller {
            reading,
            schema: schema.clone(),
            _connection: connection,
            channel,
            inbox,
        })
    }

    /// A request as callers send it: the schema's exchange and input key, a new UUID, `application/json`, persistent.
    pub fn request(&self, body: impl Into<Vec<u8>>) -> RawRequest {
        let uuid = LongString::from(Uuid::new_v4().to_string());
        RawRequest {
            exchange: self.schema.exchange.clone(),
            routing_key: self.schema.in_key.clone(),
            body: body.into(),
            properties: BasicProperties::default()
                .with_content_type("application/json".into())
                .with_delivery_mode(2),
        }
        .with_header("UUID", AMQPValue::LongString(uuid))
    }

    /// Publishes a request. Errs if the broker could not put it into any queue.
    pub async fn publish(&self, request: &RawRequest) -> Result<()> {
        let confirmation = self
            .channel
            .basic_publish(
                ShortString::try_new(request.exchange.as_str())?,
                ShortString::try_new(request.routing_key.as_str())?,
                BasicPublishOptions {
                    mandatory: true,
                    ..Default::default()
                },
                &request.body,
                request.properties.clone(),
            )
            .await?
            .await?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            other => bail!("the broker did not take the request: {other:?}"),
        }
    }

    /// Publishes `body` and waits for the first answer with its UUID.
    pub async fn call(&self, body: impl Into<Vec<u8>>) -> Result<Answer> {
        self.call_with(&self.request(body)).await
    }

    /// [`Caller::call`] with a request of one's own making; it must have a UUID that is a string.
    pub async fn call_with(&self, request: &RawRequest) -> Result<Answer> {
        let uuid = request.uuid().context("the request has no UUID")?;
        self.publish(request).await?;
        self.answer_to(&uuid, CALL_WITHIN).await
    }

    /// The next answer with this UUID.
    pub async fn answer_to(&self, uuid: &str, within: Duration) -> Result<Answer> {
        self.inbox
            .take(within, |answer| {
                answer.header("UUID").as_deref() == Some(uuid)
            })
            .await
            .with_context(|| format!("no answer to {uuid} within {within:?}"))
    }

    /// The next answer, whosesoever it is.
    pub async fn next(&self, within: Duration) -> Result<Answer> {
        self.inbox
            .take(within, |_| true)
            .await
            .with_context(|| format!("no answer within {within:?}"))
    }

    /// All answers that came and were not asked for yet.
    pub fn unclaimed(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.inbox.answers())
    }
}

/// Otherwise it would go on to take answers from the queue, unseen.
impl Drop for Caller {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Answers that nobody has asked for yet.
#[derive(Debug, Default)]
struct Inbox {
    answers: Mutex<Vec<Answer>>,
    came: Notify,
}

impl Inbox {
    fn answers(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, within: Duration, wanted: impl Fn(&Answer) -> bool) -> Option<Answer> {
        let end = Instant::now() + within;
        loop {
            // Registered before looking, so that nothing can come unnoticed between looking and waiting.
            let came = self.came.notified();
            {
                let mut answers = self.answers();
                if let Some(position) = answers.iter().position(&wanted) {
                    return Some(answers.remove(position));
                }
            }
            timeout_at(end, came).await.ok()?;
        }
    }
}

async fn fill(inbox: Arc<Inbox>, mut consumer: Consumer) {
    while let Some(Ok(delivery)) = consumer.next().await {
        inbox.answers().push(delivery.into());
        inbox.came.notify_waiters();
    }
}

fn text_header(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
