//! How the daemon stands, told on: to the process's surroundings, to health checks, and to whoever answers requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edeposit_daemonwrapper::Context;
use edeposit_pikadaemon::Report;
use tracing::info;

use crate::health::Health;
use crate::responder::Responder;
use crate::stuck::Stuck;

/// Tells on what the daemon reports.
pub(crate) struct Reporter {
    pub(crate) context: Context,
    pub(crate) health: Arc<Health>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) stuck: Arc<Stuck>,
    /// What to say while all is well.
    pub(crate) consuming: String,
    /// A daemon that waits for the broker is ready before there is one.
    pub(crate) waiting_is_ready: bool,
    /// How the session stands, as last told.
    pub(crate) session: Mutex<String>,
}

impl Reporter {
    /// Takes what the session reports.
    pub(crate) fn take(&self, report: Report<'_>) {
        self.health.take(&report);
        let context = &self.context;
        match report {
            Report::Consuming => context.ready(&self.status(&self.consuming)),
            Report::Alive => context.watchdog(),
            Report::Blocked { reason } => {
                let status = format!("publishing blocked by RabbitMQ: {reason}");
                context.status(&self.status(&status));
            }
            Report::Unblocked => context.status(&self.status(&self.consuming)),
            Report::Waiting { reason } => {
                let status = self.status(&format!("waiting for RabbitMQ: {reason}"));
                match self.waiting_is_ready {
                    true => context.ready(&status),
                    false => context.status(&status),
                }
                context.watchdog();
            }
            Report::Draining => {
                info!("finishing the requests in hand");
                self.responder.close();
                context.status(&self.status("draining: finishing the requests in hand"));
            }
            _ => {}
        }
    }

    /// Tells on how many handlers are stuck whenever that changes.
    pub(crate) async fn follow_stuck(&self) {
        let mut changes = self.stuck.changes();
        while changes.changed().await.is_ok() {
            let session = self.session().clone();
            self.context.status(&self.with_stuck(&session));
        }
    }

    /// The whole line, now that the session stands like this.
    fn status(&self, session: &str) -> String {
        session.clone_into(&mut self.session());
        self.with_stuck(session)
    }

    fn with_stuck(&self, session: &str) -> String {
        match self.stuck.to_string() {
            stuck if stuck.is_empty() => session.to_owned(),
            // What stands before the first colon is the state itself.
            stuck if session.contains(": ") => format!("{session}; {stuck}"),
            stuck => format!("{session}: {stuck}"),
        }
    }

    fn session(&self) -> MutexGuard<'_, String> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
