//! How the daemon stands, told on: to the process's surroundings, to health checks, and to whoever answers requests.

use std::sync::Arc;

use edeposit_daemonwrapper::Context;
use edeposit_pikadaemon::Report;
use tracing::info;

use crate::health::Health;
use crate::responder::Responder;

/// Tells on what the daemon reports.
pub(crate) struct Reporter {
    pub(crate) context: Context,
    pub(crate) health: Arc<Health>,
    pub(crate) responder: Arc<Responder>,
    /// What to say while all is well.
    pub(crate) consuming: String,
    /// A daemon that waits for the broker is ready before there is one.
    pub(crate) waiting_is_ready: bool,
}

impl Reporter {
    pub(crate) fn take(&mut self, report: Report<'_>) {
        self.health.take(&report);
        let context = &self.context;
        match report {
            Report::Consuming => context.ready(&self.consuming),
            Report::Alive => context.watchdog(),
            Report::Blocked { reason } => {
                context.status(&format!("publishing blocked by RabbitMQ: {reason}"));
            }
            Report::Unblocked => context.status(&self.consuming),
            Report::Waiting { reason } => {
                let status = format!("waiting for RabbitMQ: {reason}");
                match self.waiting_is_ready {
                    true => context.ready(&status),
                    false => context.status(&status),
                }
                context.watchdog();
            }
            Report::Draining => {
                info!("finishing the requests in hand");
                self.responder.close();
                context.status("draining: finishing the requests in hand");
            }
            _ => {}
        }
    }
}
