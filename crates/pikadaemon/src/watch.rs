//! What ends a session while it consumes, or is to be known about it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Fuse, FusedFuture};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::types::FieldTable;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Session;
use crate::checks::{PASSIVE_QUEUE, short};
use crate::daemon::{Plan, Report};
use crate::publish_error::is_channel_error;

/// How often the session proves that its consumer is still on the queue.
pub const LIVENESS_INTERVAL: Duration = Duration::from_secs(15);

/// Why a session ended.
pub(crate) enum Ended {
    Stopped,
    Lost(String),
}

/// Where the news comes from.
pub(crate) struct Watch {
    /// The channel that consumes.
    pub(crate) channel: Channel,
    /// Those of the publishing connection.
    pub(crate) events: BoxStream<'static, lapin::Event>,
    pub(crate) session: Arc<Session>,
}

impl Watch {
    /// Watches until told to stop or until anything is in doubt.
    pub(crate) async fn run(
        &mut self,
        plan: &Plan,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Ended {
        let mut liveness = interval(LIVENESS_INTERVAL);
        liveness.set_missed_tick_behavior(MissedTickBehavior::Delay);
        liveness.tick().await;
        let mut check = pin!(Fuse::terminated());
        let mut doubt = self.session.doubt();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopped,
                // The sender lives as long as the session.
                Ok(()) = doubt.changed() => {
                    let reason = doubt.borrow().clone();
                    return Ended::Lost(reason.unwrap_or_default());
                }
                event = self.events.next() => match event {
                    Some(lapin::Event::ConnectionBlocked(reason)) => {
                        warn!(reason, "RabbitMQ has blocked publishing; answers wait");
                        report(Report::Blocked { reason: &reason });
                    }
                    Some(lapin::Event::ConnectionUnblocked) => {
                        info!("RabbitMQ takes messages again");
                        self.session.unblocked();
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
