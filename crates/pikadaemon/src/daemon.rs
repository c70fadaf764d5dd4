//! A daemon that consumes one queue and keeps doing so.

use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::{ConnectError, ConnectionParams};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::endpoints::Endpoints;
use crate::live_session::LiveSession;
use crate::supervise::{Ended, Sessions, supervise};
use crate::{OnMessage, Report};

/// Consumes a queue and keeps doing so (the original's `PikaDaemon`).
pub struct PikaDaemon {
    endpoints: Endpoints,
    handler: Arc<dyn OnMessage>,
    drain_time: Duration,
    wait_for_broker: bool,
}

impl PikaDaemon {
    /// A daemon that consumes `queue` and publishes its answers to `output_exchange`. Both must exist; they are never
    /// declared here.
    #[must_use]
    pub fn new(
        params: ConnectionParams,
        queue: impl Into<String>,
        output_exchange: impl Into<String>,
        handler: Arc<dyn OnMessage>,
    ) -> Self {
        Self {
            endpoints: Endpoints {
                params,
                queue: queue.into(),
                output_exchange: output_exchange.into(),
                prefetch: 1,
            },
            handler,
            drain_time: Duration::from_secs(30),
            wait_for_broker: false,
        }
    }

    /// How many deliveries are dealt with at once; 1 keeps strict order. Default 1.
    #[must_use]
    pub fn prefetch(mut self, prefetch: u16) -> Self {
        self.endpoints.prefetch = prefetch.max(1);
        self
    }

    /// How long, when told to stop, deliveries in hand may take to be finished. Default 30 s.
    #[must_use]
    pub fn drain_time(mut self, drain_time: Duration) -> Self {
        self.drain_time = drain_time;
        self
    }

    /// Whether to keep trying if the broker is away at the very start. Default: no, that is an error; once there has been
    /// a session, it is always restored.
    #[must_use]
    pub fn wait_for_broker(mut self, wait: bool) -> Self {
        self.wait_for_broker = wait;
        self
    }

    /// Runs until `stop` is cancelled. Returns how many deliveries could not be finished in the drain time; they are back
    /// in the queue.
    ///
    /// # Errors
    /// The first session cannot be set up.
    pub async fn run(
        self,
        stop: CancellationToken,
        report: &mut (dyn FnMut(Report<'_>) + Send),
    ) -> Result<usize, ConnectError> {
        let mut consuming = Consuming {
            daemon: self,
            report,
            unfinished: 0,
        };
        supervise(&mut consuming, &stop).await?;
        Ok(consuming.unfinished)
    }
}

/// The sessions of a daemon.
struct Consuming<'a> {
    daemon: PikaDaemon,
    report: &'a mut (dyn FnMut(Report<'_>) + Send),
    unfinished: usize,
}

impl Sessions for Consuming<'_> {
    type Session = LiveSession;
    type Error = ConnectError;

    async fn open(&mut self) -> Result<LiveSession, ConnectError> {
        let endpoints = &self.daemon.endpoints;
        let session = LiveSession::open(endpoints, &self.daemon.handler).await?;
        info!(
            queue = endpoints.queue,
            virtualhost = endpoints.params.virtualhost,
            broker = %session.node(),
            prefetch = endpoints.prefetch,
            "consuming"
        );
        (self.report)(Report::Consuming);
        Ok(session)
    }

    async fn run(&mut self, session: &mut LiveSession, stop: &CancellationToken) -> Ended {
        session.run(&self.daemon.handler, stop, self.report).await
    }

    async fn close(&mut self, session: LiveSession) {
        (self.report)(Report::Draining);
        self.unfinished = session.drain(self.daemon.drain_time).await;
    }

    fn waits_out(&self, error: &ConnectError) -> bool {
        self.daemon.wait_for_broker && error.is_temporary()
    }

    fn waiting(&mut self, reason: &str) {
        (self.report)(Report::Waiting { reason });
    }
}
