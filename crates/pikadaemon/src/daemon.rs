//! The supervisor: keeps a session going until told to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::live_session::LiveSession;
use crate::message::OnMessage;
use crate::watch::Ended;
use crate::{ConnectError, ConnectionParams, Event, State, backoff};

/// A session that lasted this long was good: the back-off starts anew after it.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// What a daemon consumes, and where its answers go.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) params: ConnectionParams,
    pub(crate) queue: String,
    pub(crate) output_exchange: String,
    pub(crate) prefetch: u16,
}

/// What a running daemon has to say about itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// Deliveries arrive: set up for the first time or again.
    Consuming,
    /// The broker has just answered on the channel that consumes: the queue is there and is consumed.
    Alive,
    /// The broker takes no messages for now: it is short of memory or disk. Consuming goes on.
    Blocked {
        /// The broker's words.
        reason: &'a str,
    },
    /// The broker takes messages again.
    Unblocked,
    /// There is no session; the next try comes by itself.
    Waiting {
        /// Why.
        reason: &'a str,
    },
    /// Told to stop: finishing what is in hand.
    Draining,
}

/// Consumes a queue and keeps doing so (the original's `PikaDaemon`).
pub struct PikaDaemon {
    plan: Plan,
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
            plan: Plan {
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
        self.plan.prefetch = prefetch.max(1);
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

    /// Whether a failure of the very first try is waited out.
    fn waits_out(&self, error: &ConnectError) -> bool {
        self.wait_for_broker && error.is_temporary()
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
        let mut state = State::FIRST;
        let mut live = None;
        let mut unfinished = 0;
        let mut ever_consumed = false;
        let mut last_reason = String::new();
        loop {
            let event = match state {
                State::Connecting { attempt } => {
                    tokio::select! {
                        () = stop.cancelled() => Event::Stop,
                        opened = LiveSession::open(&self.plan, &self.handler) => match opened {
                            Ok(session) => {
                                info!(
                                    queue = self.plan.queue,
                                    virtualhost = self.plan.params.virtualhost,
                                    broker = %session.node(),
                                    prefetch = self.plan.prefetch,
                                    "consuming"
                                );
                                ever_consumed = true;
                                last_reason.clear();
                                live = Some((session, Instant::now()));
                                report(Report::Consuming);
                                Event::Ready
                            }
                            Err(error) if !(ever_consumed || self.waits_out(&error)) => {
                                return Err(error);
                            }
                            Err(error) => {
                                tell(&mut last_reason, error.to_string(), attempt, report);
                                Event::SetupFailed
                            }
                        },
                    }
                }
                State::Consuming { attempt } => {
                    // Put there on the way into this state.
                    let Some((mut session, since)) = live.take() else {
                        state = State::FIRST;
                        continue;
                    };
                    match session.run(&self.plan, &self.handler, &stop, report).await {
                        Ended::Stopped => {
                            live = Some((session, since));
                            Event::Stop
                        }
                        Ended::Lost(reason) => {
                            tell(&mut last_reason, reason, attempt, report);
                            // What it had in hand goes back into the queue.
                            drop(session);
                            Event::Lost {
                                stable: since.elapsed() >= STABLE_AFTER,
                            }
                        }
                    }
                }
                State::BackingOff { attempt } => {
                    let delay = backoff::delay(attempt);
                    debug!(?delay, attempt, "waiting before the next try");
                    tokio::select! {
                        () = stop.cancelled() => Event::Stop,
                        () = tokio::time::sleep(delay) => Event::WaitOver,
                    }
                }
                State::Draining => {
                    report(Report::Draining);
                    if let Some((session, _)) = live.take() {
                        unfinished = session.drain(&self.plan, self.drain_time).await;
                    }
                    Event::Drained
                }
                State::Stopped => return Ok(unfinished),
            };
            state = state.next(event);
        }
    }
}

/// Reports every failed try, but logs one warning for each new reason: that it goes on is no news.
fn tell(
    last_reason: &mut String,
    reason: String,
    attempt: u32,
    report: &mut (dyn FnMut(Report<'_>) + Send),
) {
    report(Report::Waiting { reason: &reason });
    if *last_reason == reason {
        debug!(reason, attempt, "still no session with RabbitMQ");
    } else {
        warn!(
            reason,
            "no session with RabbitMQ; trying again until there is one"
        );
        *last_reason = reason;
    }
}
