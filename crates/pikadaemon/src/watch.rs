//! What ends a session while it consumes, or is to be known about it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::{Liveness, PublishingEvent, PublishingEvents};
use futures::FutureExt;
use futures::future::{Fuse, FusedFuture};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Report;
use crate::broker_session::BrokerSession;
use crate::supervise::Ended;

/// How often a session proves that its consumer is still on the queue.
pub const LIVENESS_INTERVAL: Duration = Duration::from_secs(15);

/// Where the news comes from.
pub(crate) struct Watch {
    pub(crate) liveness: Liveness,
    /// Those of the publishing connection.
    pub(crate) events: PublishingEvents,
    pub(crate) session: Arc<BrokerSession>,
}

impl Watch {
    /// Watches until told to stop or until anything is in doubt.
    pub(crate) async fn run(
        &mut self,
        stop: &CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Ended {
        let mut next_check = interval(LIVENESS_INTERVAL);
        next_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        next_check.tick().await;
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
                    PublishingEvent::Blocked(reason) => {
                        warn!(reason, "RabbitMQ has blocked publishing; answers wait");
                        report(Report::Blocked { reason: &reason });
                    }
                    PublishingEvent::Unblocked => {
                        info!("RabbitMQ takes messages again");
                        self.session.unblocked();
                        report(Report::Unblocked);
                    }
                    PublishingEvent::Lost(reason) => return Ended::Lost(reason),
                },
                _ = next_check.tick(), if check.is_terminated() => {
                    check.set(self.liveness.clone().prove().fuse());
                }
                proof = &mut check => match proof {
                    Ok(()) => report(Report::Alive),
                    Err(reason) => return Ended::Lost(reason),
                },
            }
        }
    }
}
