//! One session with the broker, from set-up to tear-down.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio_util::sync::CancellationToken;

use crate::checks::{check_exchange, check_queue, short};
use crate::daemon::{Plan, Report};
use crate::deliveries::{CLOSE_LIMIT, Deliveries};
use crate::link::{connect_small, within};
use crate::message::OnMessage;
use crate::watch::{Ended, Watch};
use crate::{ConnectError, Node, Session};

/// A session that consumes.
pub(crate) struct LiveSession {
    session: Arc<Session>,
    deliveries: Deliveries,
    watch: Watch,
}

impl LiveSession {
    /// Connects, checks that exchange and queue are there, and consumes.
    pub(crate) async fn open(
        plan: &Plan,
        handler: &Arc<dyn OnMessage>,
    ) -> Result<Self, ConnectError> {
        let params = &plan.params;
        let consume_link = connect_small(params).await?;
        let publish_link = consume_link.connect_beside(params).await?;
        let events = publish_link.connection().events_listener().boxed();
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

        let session = Session::new(plan, publish_link, consume_link.frame_max());
        let session = Arc::new(session);
        Ok(Self {
            watch: Watch {
                channel: channel.clone(),
                events,
                session: Arc::clone(&session),
            },
            deliveries: Deliveries::new(
                consume_link,
                channel,
                consumer,
                Arc::clone(&session),
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
        plan: &Plan,
        handler: &Arc<dyn OnMessage>,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Ended {
        handler.on_session(&self.session);
        // A set of one: it is looked at only when there is news of it, not with every delivery.
        let mut watch = FuturesUnordered::from_iter([self.watch.run(plan, stop, report)]);
        tokio::select! {
            Some(ended) = watch.next() => ended,
            reason = self.deliveries.run(plan) => Ended::Lost(reason),
        }
    }

    /// Takes nothing new, finishes what is in hand within `limit`, and closes both connections, the publishing one last.
    /// Returns how many deliveries could not be finished; the broker puts them back into the queue.
    pub(crate) async fn drain(self, plan: &Plan, limit: Duration) -> usize {
        let unfinished = self.deliveries.drain(plan, limit).await;
        drop(self.watch);
        if let Some(session) = Arc::into_inner(self.session) {
            session.into_link().close(CLOSE_LIMIT).await;
        }
        unfinished
    }
}
