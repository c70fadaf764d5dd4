//! One session with the broker, from set-up to tear-down.

use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::{
    ConnectError, Consumer, Consuming, Node, PublishingEvents, check_exchange, check_queue,
    connect_small, within,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::Report;
use crate::broker_session::BrokerSession;
use crate::deliveries::{CLOSE_LIMIT, Deliveries};
use crate::endpoints::Endpoints;
use crate::on_message::OnMessage;
use crate::session::Session;
use crate::supervise::Ended;
use crate::watch::Watch;

/// A session that consumes.
pub(crate) struct LiveSession {
    session: Arc<BrokerSession>,
    deliveries: Deliveries,
    watch: Watch,
}

impl LiveSession {
    /// Connects, checks that exchange and queue are there, and consumes.
    pub(crate) async fn open(
        endpoints: &Endpoints,
        handler: &Arc<dyn OnMessage>,
    ) -> Result<Self, ConnectError> {
        let params = &endpoints.params;
        let consume_link = connect_small(params).await?;
        let publish_link = consume_link.connect_beside(params).await?;
        let events = PublishingEvents::of(&publish_link);
        check_exchange(params, &publish_link, &endpoints.output_exchange).await?;
        let channel = consume_link.channel(params).await?;
        check_queue(params, &channel, &endpoints.queue).await?;

        let session = BrokerSession::new(endpoints, publish_link, consume_link.frame_max());
        let session = Arc::new(session);
        let tag = format!("edeposit-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let consuming = Consuming {
            queue: &endpoints.queue,
            tag: &tag,
            prefetch: endpoints.prefetch,
            exclusive: false,
        };
        let step = "starting to consume";
        let starting = Consumer::start(consume_link, channel, &consuming);
        let consumer = within(params, step, starting)
            .await?
            .map_err(|e| ConnectError::from_step(params, step, e))?;
        Ok(Self {
            watch: Watch {
                liveness: consumer.liveness(params.connection.connect_timeout),
                events,
                session: Arc::clone(&session),
            },
            deliveries: Deliveries::new(
                consumer,
                params.connection.publish_timeout,
                Arc::clone(&session) as Arc<dyn Session>,
                Arc::clone(handler),
            ),
            session,
        })
    }

    /// The node that both connections go to.
    pub(crate) fn node(&self) -> &Node {
        self.deliveries.link().node()
    }

    /// Consumes until told to stop or until anything is in doubt.
    pub(crate) async fn run(
        &mut self,
        handler: &Arc<dyn OnMessage>,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Ended {
        let session: Arc<dyn Session> = Arc::clone(&self.session) as _;
        handler.on_session(&session);
        drop(session);
        // A set of one: it is polled only when it was woken, not with every delivery.
        let mut watch = FuturesUnordered::from_iter([self.watch.run(stop, report)]);
        tokio::select! {
            Some(ended) = watch.next() => ended,
            reason = self.deliveries.run() => Ended::Lost(reason),
        }
    }

    /// Takes nothing new, finishes what is in hand within `limit`, and closes both connections, the publishing one last.
    /// Returns how many deliveries could not be finished; the broker puts them back into the queue.
    pub(crate) async fn drain(self, limit: Duration) -> usize {
        let unfinished = self.deliveries.drain(limit).await;
        drop(self.watch);
        if let Some(session) = Arc::into_inner(self.session) {
            session.into_link().close(CLOSE_LIMIT).await;
        }
        unfinished
    }
}
