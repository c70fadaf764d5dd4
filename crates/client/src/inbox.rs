//! The queue answers come into.
//!
//! It is named by the client, durable and not exclusive, so that it outlives the connection, and expires when no client has
//! used it for half an hour. Answers are acknowledged when their calls have them; after a lost connection some may come a
//! second time.

use std::time::Duration;

use edeposit_amqp::options::{QueueBindOptions, QueueDeclareOptions};
use edeposit_amqp::protocol::AMQPSoftError;
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{
    Acknowledger, Channel, ConnectError as BrokerError, Consumer, Consuming, Delivery, Liveness,
    Settle, check_queue, connect, refusal, said, short, within,
};

use crate::destination::Destination;
use crate::pending::Pending;
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
    consumer: Consumer,
    acknowledger: Acknowledger,
    limit: Duration,
}

impl Inbox {
    /// Declares and binds the queue as `replies` needs it, and consumes it.
    pub(crate) async fn open(
        destination: &Destination,
        replies: Replies,
    ) -> Result<Self, ConnectError> {
        let params = &destination.params;
        let link = connect(params).await?;
        let channel = link.channel(params).await?;
        let setup = Setup {
            destination,
            channel: &channel,
        };
        let queue = queue_name(&destination.name);
        setup.declare(&queue).await?;
        if replies == Replies::SharedExchange {
            check_queue(params, &channel, &destination.submodule.input_queue).await?;
            setup
                .bind(&queue, &answer_key(destination), FREE_TO_CHOOSE)
                .await?;
            let any_name = own_key("*", &destination.submodule.in_key);
            setup
                .bind(&destination.submodule.input_queue, &any_name, BIND_BY_HAND)
                .await?;
        }
        // Two clients of one name would take each other's answers.
        let consuming = Consuming {
            queue: &queue,
            tag: "",
            prefetch: PREFETCH,
            exclusive: true,
        };
        let starting = Consumer::start(link, channel.clone(), &consuming);
        let what = format!("to consume queue '{queue}'");
        let advice = "is another client of the same name running?";
        let consumer = setup.step("starting to consume", starting, what, advice);
        let consumer = consumer.await?;
        let limit = params.connection.publish_timeout;
        Ok(Self {
            acknowledger: consumer.acknowledger(limit),
            consumer,
            limit,
        })
    }

    /// Takes what has come to the calls it belongs to, and acknowledges it. May be dropped while it waits.
    pub(crate) async fn take(&mut self, pending: &Pending) -> Result<(), String> {
        self.acknowledger.tell()?;
        tokio::select! {
            answer = self.consumer.next() => self.deliver(answer?, pending),
            told = self.acknowledger.told() => return told,
        }
        for _ in 1..BATCH {
            let Some(answer) = self.consumer.next_ready() else {
                break;
            };
            self.deliver(answer?, pending);
        }
        self.acknowledger.tell()
    }

    fn deliver(&mut self, answer: Delivery, pending: &Pending) {
        let Delivery { number, message } = answer;
        self.acknowledger.delivered(number);
        pending.deliver(&message.properties, message.body);
        self.acknowledger.settled(number, Settle::Ack);
    }

    /// What proves that the queue is consumed.
    pub(crate) fn liveness(&self) -> Liveness {
        self.consumer.liveness(self.limit)
    }

    /// Deletes the queue and closes the connection. If that fails, the queue expires.
    pub(crate) async fn close(self, limit: Duration) {
        self.consumer.delete_queue_and_close(limit).await;
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
fn answer_key(destination: &Destination) -> String {
    let request = own_key(&destination.name, &destination.submodule.in_key);
    let prefix = request.rsplit_once('.').map_or("", |(prefix, _)| prefix);
    own_key(prefix, &destination.submodule.out_key)
}

struct Setup<'a> {
    destination: &'a Destination,
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
        let exchange = &self.destination.submodule.exchange;
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

    async fn step<T>(
        &self,
        step: &'static str,
        future: impl Future<Output = Result<T, edeposit_amqp::Error>>,
        what: String,
        advice: &'static str,
    ) -> Result<T, ConnectError> {
        let params = &self.destination.params;
        within(params, step, future)
            .await?
            .map_err(|e| match refusal(&e) {
                Some(AMQPSoftError::ACCESSREFUSED) => ConnectError::Refused {
                    what,
                    text: said(&e),
                    advice,
                },
                _ => BrokerError::from_step(params, step, e).into(),
            })
    }
}
