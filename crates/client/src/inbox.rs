//! The queue answers come into.
//!
//! It is named by the client, durable and not exclusive, so that it outlives the connection, and expires when no client has
//! used it for half an hour. Answers are acknowledged when their calls have them; after a lost connection some may come a
//! second time.

use std::time::Duration;

use edeposit_pikadaemon::{ConnectError as BrokerError, Link, check_queue, connect, within};
use futures::StreamExt;
use futures::stream::BoxStream;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::timeout;

use crate::pending::Pending;
use crate::session::{CLOSE_LIMIT, Plan};
use crate::{ConnectError, Replies};

/// How long the queue is kept without a client, in milliseconds.
const EXPIRES: i32 = 30 * 60 * 1000;
/// Answers on their way to this client at once.
const PREFETCH: u16 = 1000;
/// Answers acknowledged at once, at most.
const BATCH: usize = 250;

const FREE_TO_CHOOSE: &str = "give the user the right, or have answers sent another way (Replies)";
const BIND_BY_HAND: &str = "give the user the right to write to that queue and to read from the exchange, or use Replies::ReplyTo, which needs no binding";

/// The queue, and the connection that consumes it.
pub(crate) struct Inbox {
    link: Link,
    channel: Channel,
    batches: BoxStream<'static, Vec<Result<Delivery, lapin::Error>>>,
    queue: ShortString,
    limit: Duration,
}

impl Inbox {
    /// Declares and binds the queue as `replies` needs it, and consumes it.
    pub(crate) async fn open(plan: &Plan, replies: Replies) -> Result<Self, ConnectError> {
        let params = &plan.params;
        let link = connect(params).await?;
        let channel = link.channel(params).await?;
        let setup = Setup {
            plan,
            channel: &channel,
        };
        let queue = queue_name(&plan.name);
        setup.declare(&queue).await?;
        if replies == Replies::SharedExchange {
            check_queue(params, &channel, &plan.submodule.input_queue).await?;
            setup
                .bind(&queue, &answer_key(plan), FREE_TO_CHOOSE)
                .await?;
            let any_name = own_key("*", &plan.submodule.in_key);
            setup
                .bind(&plan.submodule.input_queue, &any_name, BIND_BY_HAND)
                .await?;
        }
        let consumer = setup.consume(&queue).await?;
        Ok(Self {
            batches: consumer.ready_chunks(BATCH).boxed(),
            link,
            channel,
            queue: short(&queue),
            limit: params.connection.publish_timeout,
        })
    }

    /// Takes what has come, at least one message, to the calls it belongs to. May be dropped while it waits.
    pub(crate) async fn take(&mut self, pending: &Pending) -> Result<(), String> {
        let Some(batch) = self.batches.next().await else {
            return Err(format!(
                "the consumer was cancelled; was queue '{}' deleted?",
                self.queue
            ));
        };
        let mut last = None;
        for delivery in batch {
            let delivery = delivery.map_err(|e| format!("consuming answers: {e}"))?;
            pending.deliver(&delivery.properties, delivery.data);
            last = Some(delivery.acker);
        }
        let Some(acker) = last else { return Ok(()) };
        let acking = acker.ack(BasicAckOptions { multiple: true });
        match timeout(self.limit, acking).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("acknowledging answers: the channel is gone".to_owned()),
            Ok(Err(e)) => Err(format!("acknowledging answers: {e}")),
            Err(_) => Err("acknowledging answers takes too long".to_owned()),
        }
    }

    /// Asks the broker, on the very channel that consumes, whether the queue has a consumer.
    pub(crate) async fn prove_alive(&mut self) -> Result<(), String> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asking = self
            .channel
            .queue_declare(self.queue.clone(), options, FieldTable::default());
        match timeout(self.limit, asking).await {
            Ok(Ok(queue)) if queue.consumer_count() > 0 => Ok(()),
            Ok(Ok(_)) => Err(format!("queue '{}' has lost its consumer", self.queue)),
            Ok(Err(e)) => Err(format!("liveness check: {e}")),
            Err(_) => Err("RabbitMQ does not answer the liveness check".to_owned()),
        }
    }

    /// Deletes the queue and closes the connection. If that fails, the queue expires.
    pub(crate) async fn close(self) {
        drop(self.batches);
        let deleting = self
            .channel
            .queue_delete(self.queue, QueueDeleteOptions::default());
        let _ = timeout(CLOSE_LIMIT, deleting).await;
        self.link.close(CLOSE_LIMIT).await;
    }
}

/// The queue of a client.
pub(crate) fn queue_name(client: &str) -> String {
    format!("edeposit-client-{client}")
}

/// A key that names the client: `NAME.request`.
pub(crate) fn own_key(name: &str, key: &str) -> String {
    format!("{name}.{key}")
}

/// The key a daemon makes of this client's request key: all before the last dot is kept.
fn answer_key(plan: &Plan) -> String {
    let request = own_key(&plan.name, &plan.submodule.in_key);
    let prefix = request.rsplit_once('.').map_or("", |(prefix, _)| prefix);
    own_key(prefix, &plan.submodule.out_key)
}

struct Setup<'a> {
    plan: &'a Plan,
    channel: &'a Channel,
}

impl Setup<'_> {
    async fn declare(&self, queue: &str) -> Result<(), ConnectError> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        arguments.insert("x-expires".into(), AMQPValue::LongInt(EXPIRES));
        let declaring = self.channel.queue_declare(short(queue), options, arguments);
        let what = format!("to declare queue '{queue}' for the answers");
        self.step(
            "declaring the queue of the answers",
            declaring,
            what,
            FREE_TO_CHOOSE,
        )
        .await?;
        Ok(())
    }

    async fn bind(&self, queue: &str, key: &str, advice: &'static str) -> Result<(), ConnectError> {
        let exchange = &self.plan.submodule.exchange;
        let binding = self.channel.queue_bind(
            short(queue),
            short(exchange),
            short(key),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let what = format!("to bind queue '{queue}' to exchange '{exchange}' with key '{key}'");
        self.step("binding a queue", binding, what, advice).await
    }

    async fn consume(&self, queue: &str) -> Result<lapin::Consumer, ConnectError> {
        let consuming = async {
            self.channel
                .basic_qos(PREFETCH, BasicQosOptions::default())
                .await?;
            // Two clients of one name would take each other's answers.
            let options = BasicConsumeOptions {
                exclusive: true,
                ..BasicConsumeOptions::default()
            };
            self.channel
                .basic_consume(short(queue), "".into(), options, FieldTable::default())
                .await
        };
        let what = format!("to consume queue '{queue}'");
        let advice = "is another client of the same name running?";
        self.step("starting to consume", consuming, what, advice)
            .await
    }

    async fn step<T>(
        &self,
        step: &'static str,
        future: impl Future<Output = Result<T, lapin::Error>>,
        what: String,
        advice: &'static str,
    ) -> Result<T, ConnectError> {
        let params = &self.plan.params;
        within(params, step, future)
            .await?
            .map_err(|e| match refusal(&e) {
                Some(text) => ConnectError::Refused { what, text, advice },
                None => BrokerError::from_step(params, step, e).into(),
            })
    }
}

fn refusal(error: &lapin::Error) -> Option<String> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp)
            if *amqp.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) =>
        {
            Some(amqp.get_message().to_string())
        }
        _ => None,
    }
}

/// Names come from the settings; one that AMQP has no room for names nothing.
fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
