//! One session with the broker: a connection to publish on, and the way answers come in.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use edeposit_amqp::options::BasicConsumeOptions;
use edeposit_amqp::types::FieldTable;
use edeposit_amqp::{
    Channel, Node, Outgoing, PublishError, Publisher, PublishingEvent, PublishingEvents,
    check_exchange, connect,
};
use edeposit_pikadaemon::{Ended, LIVENESS_INTERVAL};
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::destination::Destination;
use crate::inbox::Inbox;
use crate::pending::Pending;
use crate::{ConnectError, Replies};

/// The name a client consumes from, and gives as `reply_to`, for direct reply-to.
pub(crate) const DIRECT: &str = "amq.rabbitmq.reply-to";
/// Messages waiting for their confirms at once; [`Publisher`] has a channel for each.
const IN_FLIGHT: usize = 32;
/// How long an orderly goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The end of a session, for those who have to know of it.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    token: CancellationToken,
    reason: OnceLock<String>,
}

impl Loss {
    pub(crate) fn has_come(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for the end and says why it came.
    pub(crate) async fn wait(&self) -> String {
        self.token.cancelled().await;
        self.reason.get().cloned().unwrap_or_default()
    }

    fn declare(&self, reason: String) {
        // The first reason is the true one; the others follow from it.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }
}

/// The part of a session that publishes, shared by all calls that use it.
pub(crate) struct Live {
    /// The node that it publishes to.
    pub(crate) node: Node,
    publisher: Publisher,
    permits: Semaphore,
    pub(crate) loss: Arc<Loss>,
}

impl Live {
    /// A turn to publish; None if the session is lost meanwhile.
    pub(crate) async fn turn(self: &Arc<Self>) -> Option<Turn> {
        tokio::select! {
            biased;
            _ = self.loss.wait() => None,
            permit = self.permits.acquire() => {
                // Given back by `Turn`: a permit cannot borrow from the session it travels with.
                permit.ok()?.forget();
                Some(Turn(Arc::clone(self)))
            }
        }
    }
}

/// The right to publish one message.
pub(crate) struct Turn(Arc<Live>);

impl Turn {
    /// Publishes and returns when the broker has confirmed the message. Must be awaited to its end.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let result = self
            .0
            .publisher
            .publish(exchange, routing_key, message)
            .await;
        if let Err(e) = &result
            && e.is_session_lost()
        {
            self.0.loss.declare(e.to_string());
        }
        result
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.permits.add_permits(1);
    }
}

/// A session, as its supervisor has it.
pub(crate) struct Session {
    pub(crate) live: Arc<Live>,
    inbox: Option<Inbox>,
    events: PublishingEvents,
}

impl Session {
    /// Connects and sets up the way answers come in.
    pub(crate) async fn open(
        destination: &Destination,
        pending: &Arc<Pending>,
    ) -> Result<Self, ConnectError> {
        let link = connect(&destination.params).await?;
        let events = PublishingEvents::of(&link);
        check_exchange(&destination.params, &link, &destination.submodule.exchange).await?;
        let node = link.node().clone();
        let mut publisher = Publisher::new(link, &destination.params, IN_FLIGHT);
        let loss = Arc::new(Loss::default());
        let inbox = match destination.replies {
            None => None,
            Some(Replies::Direct) => {
                let (pending, loss) = (Arc::clone(pending), Arc::clone(&loss));
                publisher = publisher.on_new_channel(move |channel| {
                    Box::pin(consume_direct(
                        channel,
                        Arc::clone(&pending),
                        Arc::clone(&loss),
                    ))
                });
                None
            }
            Some(replies) => Some(Inbox::open(destination, replies).await?),
        };
        Ok(Self {
            live: Arc::new(Live {
                node,
                publisher,
                permits: Semaphore::new(IN_FLIGHT),
                loss,
            }),
            inbox,
            events,
        })
    }

    /// Takes answers until told to stop or until anything is in doubt.
    pub(crate) async fn run(&mut self, pending: &Pending, stop: &CancellationToken) -> Ended {
        let mut liveness = interval(LIVENESS_INTERVAL);
        liveness.set_missed_tick_behavior(MissedTickBehavior::Delay);
        liveness.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopped,
                reason = self.live.loss.wait() => return Ended::Lost(reason),
                result = take(self.inbox.as_mut(), pending) => {
                    if let Err(reason) = result {
                        return Ended::Lost(reason);
                    }
                }
                event = self.events.next() => match event {
                    PublishingEvent::Blocked(reason) => {
                        warn!(reason, "RabbitMQ has blocked publishing; requests wait");
                    }
                    PublishingEvent::Unblocked => {
                        info!("RabbitMQ takes messages again");
                        self.live.publisher.unblocked();
                    }
                    PublishingEvent::Lost(reason) => return Ended::Lost(reason),
                },
                _ = liveness.tick() => {
                    let liveness = self.inbox.as_ref().map(Inbox::liveness);
                    if let Some(liveness) = liveness
                        && let Err(reason) = liveness.prove().await
                    {
                        return Ended::Lost(reason);
                    }
                }
            }
        }
    }

    /// Tells all who use the session that it has come to its end.
    pub(crate) fn give_up(&self, reason: String) {
        self.live.loss.declare(reason);
    }

    /// Says goodbye, and takes the queue of the answers away.
    pub(crate) async fn close(self) {
        self.give_up("the client was closed".to_owned());
        if let Some(inbox) = self.inbox {
            inbox.close(CLOSE_LIMIT).await;
        }
        if let Some(live) = Arc::into_inner(self.live) {
            live.publisher.into_link().close(CLOSE_LIMIT).await;
        }
    }
}

async fn take(inbox: Option<&mut Inbox>, pending: &Pending) -> Result<(), String> {
    match inbox {
        Some(inbox) => inbox.take(pending).await,
        None => std::future::pending().await,
    }
}

/// Direct answers come on the channel the request was published on, so every channel has a consumer, before the first
/// request.
async fn consume_direct(
    channel: Channel,
    pending: Arc<Pending>,
    loss: Arc<Loss>,
) -> Result<(), edeposit_amqp::Error> {
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let mut consumer = channel
        .basic_consume(DIRECT.into(), "".into(), options, FieldTable::default())
        .await?;
    tokio::spawn(async move {
        let mut reason = "a channel that answers come on was closed".to_owned();
        while let Some(delivery) = consumer.next().await {
            match delivery {
                Ok(delivery) => pending.deliver(&delivery.properties, delivery.data),
                Err(e) => {
                    reason = format!("consuming answers: {e}");
                    break;
                }
            }
        }
        // Without its channel an answer can not come any more.
        drop(channel);
        loss.declare(reason);
    });
    Ok(())
}
