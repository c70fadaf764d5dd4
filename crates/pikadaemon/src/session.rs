//! One session with the broker, from set-up to tear-down.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Fuse, FusedFuture};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueDeclareOptions,
};
use lapin::protocol::AMQPSoftError;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer, ExchangeKind};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::after_others::after_others;
use crate::connect_error::is;
use crate::daemon::{Plan, Report};
use crate::direct_replies::{DirectReplies, is_direct};
use crate::link::{Link, connect_small, within};
use crate::message::{Message, OnMessage, Outgoing, Settle};
use crate::parked::{addressed, parked_request};
use crate::publish_error::is_channel_error;
use crate::publisher::Publisher;
use crate::settling::Settling;
use crate::{ConnectError, ConnectionParams, Node, PublishError};

/// How often the session proves that its consumer is still on the queue.
pub const LIVENESS_INTERVAL: Duration = Duration::from_secs(15);
/// How long an orderly goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What an [`OnMessage`] may use of a session: publishing.
pub struct Session {
    publisher: Publisher,
    direct_replies: DirectReplies,
    input_queue: String,
    output_exchange: String,
    frame_max: usize,
    /// Why the session is to be given up, as soon as anybody knows.
    doubt: watch::Sender<Option<String>>,
}

impl Session {
    /// Publishes a message and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// It is not known to be safe in the broker; see [`PublishError`].
    pub async fn send_message(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let result = if exchange.is_empty() && is_direct(routing_key) {
            // Rare and large: not in every request.
            Box::pin(self.direct_replies.publish(routing_key, message)).await
        } else {
            self.publisher.publish(exchange, routing_key, message).await
        };
        self.doubted_by(result)
    }

    /// Publishes an answer to the daemon's output exchange; see [`Session::send_message`].
    ///
    /// # Errors
    /// As [`Session::send_message`].
    pub async fn send_response(
        &self,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        self.send_message(&self.output_exchange, routing_key, message)
            .await
    }

    /// Keeps a message that no queue takes in the durable queue `<input queue>.parked`, with where it should have gone in
    /// headers: `x-edeposit-exchange` (no `exchange` given: the output exchange), `x-edeposit-routing-key`,
    /// `x-edeposit-reason`.
    ///
    /// # Errors
    /// It could not be kept; what it answers must not be acknowledged.
    pub async fn park(
        &self,
        exchange: Option<&str>,
        routing_key: &str,
        message: &Outgoing,
        reason: &str,
    ) -> Result<(), PublishError> {
        let exchange = exchange.unwrap_or(&self.output_exchange);
        let mut properties = message.properties();
        let headers = properties.headers().clone().unwrap_or_default();
        properties = properties.with_headers(addressed(headers, exchange, routing_key, reason));
        let parking = Box::pin(self.keep(&properties, &message.body));
        self.doubted_by(parking.await)
    }

    /// Keeps a request that is not carried out in the queue where [`Session::park`] keeps answers: its body, what its caller
    /// goes by, and as many of its headers as a frame has room for, but at least the one named `needed`.
    ///
    /// # Errors
    /// It could not be kept, and must not be acknowledged.
    pub async fn park_request(
        &self,
        request: &Message,
        needed: &str,
        reason: &str,
    ) -> Result<(), PublishError> {
        let properties = parked_request(request, needed, reason, self.frame_max);
        let parking = Box::pin(self.keep(&properties, &request.body));
        self.doubted_by(parking.await)
    }

    async fn keep(&self, properties: &BasicProperties, body: &[u8]) -> Result<(), PublishError> {
        let queue = format!("{}.parked", self.input_queue);
        self.publisher.ensure_queue(&queue).await?;
        self.publisher
            .publish_as("", &queue, properties, body)
            .await
    }

    /// Gives the session up if a publishing result says that it is lost.
    fn doubted_by(&self, result: Result<(), PublishError>) -> Result<(), PublishError> {
        if let Err(e) = &result
            && e.is_session_lost()
        {
            self.doubt.send_replace(Some(e.to_string()));
        }
        result
    }

    /// The longest frame the broker takes, in bytes. All headers of a message must fit into one.
    #[must_use]
    pub fn frame_max(&self) -> usize {
        self.frame_max
    }
}

/// A session that consumes.
pub(crate) struct LiveSession {
    consume_link: Link,
    channel: Channel,
    consumer: Consumer,
    session: Arc<Session>,
    publish_events: BoxStream<'static, lapin::Event>,
    jobs: JoinSet<Job>,
    settling: Settling,
    /// The batch that is being sent: how many deliveries it settles.
    batch: Fuse<BoxFuture<'static, Result<usize, String>>>,
}

/// A delivery's number and what to do with it, or why it cannot be settled.
type Job = Result<(u64, Settle), String>;

/// Why [`LiveSession::run`] ended.
pub(crate) enum Ended {
    Stopped,
    Lost(String),
}

impl LiveSession {
    /// Connects, checks that exchange and queue are there, and consumes.
    pub(crate) async fn open(plan: &Plan) -> Result<Self, ConnectError> {
        let params = &plan.params;
        let consume_link = connect_small(params).await?;
        let publish_link = consume_link.connect_beside(params).await?;
        let publish_events = publish_link.connection().events_listener().boxed();
        check_exchange(params, &publish_link, &plan.output_exchange).await?;
        let channel = consume_link.channel(params).await?;
        check_queue(params, &channel, &plan.queue).await?;

        let step = "starting to consume";
        let consumer = within(params, step, async {
            channel
                .basic_qos(plan.prefetch, BasicQosOptions::default())
                .await?;
            let tag = format!("edeposit-{}-{:08x}", std::process::id(), fastrand::u32(..));
            channel
                .basic_consume(
                    short(&plan.queue),
                    short(&tag),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
        })
        .await?
        .map_err(|e| ConnectError::from_step(params, step, e))?;

        let frame_max = consume_link.frame_max().min(publish_link.frame_max());
        Ok(Self {
            session: Arc::new(Session {
                publisher: Publisher::new(publish_link, params, plan.prefetch.into()),
                direct_replies: DirectReplies::new(params, plan.prefetch.into()),
                input_queue: plan.queue.clone(),
                output_exchange: plan.output_exchange.clone(),
                frame_max,
                doubt: watch::Sender::new(None),
            }),
            consume_link,
            channel,
            consumer,
            publish_events,
            jobs: JoinSet::new(),
            settling: Settling::default(),
            batch: Fuse::terminated(),
        })
    }

    /// The node that both connections go to.
    pub(crate) fn node(&self) -> &Node {
        self.consume_link.node()
    }

    /// Consumes until told to stop or until anything is in doubt.
    pub(crate) async fn run(
        &mut self,
        plan: &Plan,
        handler: &Arc<dyn OnMessage>,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Ended {
        let mut liveness = interval(LIVENESS_INTERVAL);
        liveness.set_missed_tick_behavior(MissedTickBehavior::Delay);
        liveness.tick().await;
        let mut check = pin!(Fuse::terminated());
        let mut doubt = self.session.doubt.subscribe();
        handler.on_session(&self.session);
        loop {
            self.send_settled(plan);
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopped,
                delivery = self.consumer.next() => match delivery {
                    Some(Ok(delivery)) => self.spawn_job(Arc::clone(handler), delivery),
                    Some(Err(e)) => return Ended::Lost(format!("consuming: {e}")),
                    None => return Ended::Lost(format!(
                        "the consumer was cancelled; was queue '{}' deleted?", plan.queue
                    )),
                },
                Some(job) = self.jobs.join_next() => {
                    after_others().await;
                    if let Err(reason) = self.settle_finished(job) {
                        return Ended::Lost(reason);
                    }
                }
                sent = &mut self.batch => match sent {
                    Ok(deliveries) => self.settling.sent(deliveries),
                    Err(reason) => return Ended::Lost(reason),
                },
                // The sender lives as long as the session.
                Ok(()) = doubt.changed() => {
                    let reason = doubt.borrow().clone();
                    return Ended::Lost(reason.unwrap_or_default());
                }
                event = self.publish_events.next() => match event {
                    Some(lapin::Event::ConnectionBlocked(reason)) => {
                        warn!(reason, "RabbitMQ has blocked publishing; answers wait");
                        report(Report::Blocked { reason: &reason });
                    }
                    Some(lapin::Event::ConnectionUnblocked) => {
                        info!("RabbitMQ takes messages again");
                        report(Report::Unblocked);
                    }
                    // Whoever published on that channel is told, and decides.
                    Some(lapin::Event::Error(e)) if is_channel_error(&e) => debug!(error = %e, "publishing channel"),
                    Some(lapin::Event::Error(e)) => return Ended::Lost(format!("publishing connection: {e}")),
                    Some(event) => debug!(?event, "publishing connection"),
                    None => return Ended::Lost("the publishing connection is gone".to_owned()),
                },
                _ = liveness.tick(), if check.is_terminated() => check.set(prove_alive(self.channel.clone(), plan).fuse()),
                proof = &mut check => match proof {
                    Ok(()) => report(Report::Alive),
                    Err(reason) => return Ended::Lost(reason),
                },
            }
        }
    }

    fn spawn_job(&mut self, handler: Arc<dyn OnMessage>, delivery: Delivery) {
        let session = Arc::clone(&self.session);
        let number = delivery.delivery_tag;
        self.settling.delivered(number);
        let message = Message {
            exchange: delivery.exchange.into(),
            routing_key: delivery.routing_key.into(),
            redelivered: delivery.redelivered,
            properties: self.consume_link.restored(delivery.properties),
            body: delivery.data,
        };
        let job = async move {
            let settle = handler.on_message_received(message, &session).await;
            settle.map(|s| (number, s)).map_err(|e| e.to_string())
        };
        self.jobs.spawn(job);
    }

    /// Settles the delivery of this job and of all others that are finished.
    fn settle_finished(&mut self, job: Result<Job, JoinError>) -> Result<(), String> {
        let mut finished = Some(job);
        while let Some(job) = finished {
            let (number, settle) = job.map_err(|e| format!("a message handler failed: {e}"))??;
            self.settling.settled(number, settle);
            finished = self.jobs.try_join_next();
        }
        Ok(())
    }

    /// Begins to tell the broker what is settled, unless the last batch is still on its way.
    fn send_settled(&mut self, plan: &Plan) {
        if self.batch.is_terminated()
            && let Some(batch) = self.settling.batch()
        {
            let sending = timeout(
                plan.params.connection.publish_timeout,
                batch.send(self.channel.clone()),
            );
            let sent = sending.map(|sent| match sent {
                Ok(sent) => sent.map_err(|e| format!("acknowledging: {e}")),
                Err(_) => Err("acknowledging takes too long".to_owned()),
            });
            self.batch = sent.boxed().fuse();
        }
    }

    /// Gives up what is in hand; the broker puts it back into the queue.
    pub(crate) async fn give_up(mut self) {
        self.jobs.shutdown().await;
    }

    /// Takes nothing new, finishes what is in hand within `limit`, and closes both connections, the publishing one last.
    /// Returns how many deliveries could not be finished; the broker puts them back into the queue.
    pub(crate) async fn drain(
        mut self,
        plan: &Plan,
        handler: &Arc<dyn OnMessage>,
        limit: Duration,
    ) -> usize {
        let cancel = self
            .channel
            .basic_cancel(self.consumer.tag(), BasicCancelOptions::default());
        // Without an answer the connection is as good as gone, and closing it has the same effect.
        let _ = timeout(CLOSE_LIMIT, cancel).await;
        // What the broker had delivered before it knew is in hand as well.
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            self.spawn_job(Arc::clone(handler), delivery);
        }
        // What is left when the time is over stays in the queue.
        let _ = timeout(limit, self.finish(plan)).await;
        self.jobs.shutdown().await;
        let _ = timeout(CLOSE_LIMIT, self.finish(plan)).await;
        self.consume_link.close(CLOSE_LIMIT).await;
        if let Some(session) = Arc::into_inner(self.session) {
            session.publisher.into_link().close(CLOSE_LIMIT).await;
        }
        self.settling.unfinished()
    }

    /// Waits for all jobs and tells the broker.
    async fn finish(&mut self, plan: &Plan) {
        loop {
            self.send_settled(plan);
            let result = tokio::select! {
                Some(job) = self.jobs.join_next() => self.settle_finished(job),
                sent = &mut self.batch, if !self.batch.is_terminated() => {
                    sent.map(|deliveries| self.settling.sent(deliveries))
                }
                else => return,
            };
            if let Err(reason) = result {
                warn!(
                    reason,
                    "a request could not be finished or acknowledged while stopping; it stays in the queue"
                );
            }
        }
    }
}

/// Asks the broker, on the very channel that consumes, whether the queue has a consumer. A broker that has lost ours says
/// so on that channel, or does not answer there.
async fn prove_alive(channel: Channel, plan: &Plan) -> Result<(), String> {
    let asking = channel.queue_declare(short(&plan.queue), PASSIVE_QUEUE, FieldTable::default());
    match timeout(plan.params.connection.connect_timeout, asking).await {
        Ok(Ok(queue)) if queue.consumer_count() > 0 => Ok(()),
        Ok(Ok(_)) => Err(format!("queue '{}' has lost its consumer", plan.queue)),
        Ok(Err(e)) => Err(format!("liveness check: {e}")),
        Err(_) => Err("RabbitMQ does not answer the liveness check".to_owned()),
    }
}

const PASSIVE_QUEUE: QueueDeclareOptions = QueueDeclareOptions {
    passive: true,
    durable: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

/// Makes sure that an exchange is there.
///
/// # Errors
/// It is not, or the broker does not answer; see [`ConnectError`].
pub async fn check_exchange(
    params: &ConnectionParams,
    link: &Link,
    exchange: &str,
) -> Result<(), ConnectError> {
    let step = "looking for the exchange";
    let channel = link.channel(params).await?;
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let declaring = channel.exchange_declare(
        short(exchange),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    within(params, step, declaring).await?.map_err(|e| {
        if is_not_found(&e) {
            ConnectError::NoExchange {
                submodule: params.submodule.clone(),
                virtualhost: params.virtualhost.clone(),
                exchange: exchange.to_owned(),
            }
        } else {
            ConnectError::from_step(params, step, e)
        }
    })
}

/// Makes sure that a queue is there. If it is not, the broker closes the channel.
///
/// # Errors
/// It is not, or the broker does not answer; see [`ConnectError`].
pub async fn check_queue(
    params: &ConnectionParams,
    channel: &Channel,
    queue: &str,
) -> Result<(), ConnectError> {
    let step = "looking for the queue";
    let declaring = channel.queue_declare(short(queue), PASSIVE_QUEUE, FieldTable::default());
    within(params, step, declaring).await?.map_err(|e| {
        if is_not_found(&e) {
            ConnectError::NoQueue {
                submodule: params.submodule.clone(),
                virtualhost: params.virtualhost.clone(),
                queue: queue.to_owned(),
            }
        } else {
            ConnectError::from_step(params, step, e)
        }
    })?;
    Ok(())
}

fn is_not_found(error: &lapin::Error) -> bool {
    // A queue whose node is down is "not found" too, but is there.
    matches!(
        error.kind(),
        lapin::ErrorKind::ProtocolError(amqp)
            if is(amqp, AMQPSoftError::NOTFOUND) && !amqp.get_message().as_str().contains("down or inaccessible")
    )
}

/// Names come from the settings; one that AMQP has no room for names nothing.
fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
