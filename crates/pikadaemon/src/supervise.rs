//! Keeping a session with the broker going until told to stop.
//!
//! Daemons, clients and programs that only publish have sessions of different kinds, which are lost for the same reasons and
//! come back in the same way. What a kind of session is, its [`Sessions`] say; when one is set up, given up, waited for and
//! closed, is decided here alone, by the table of [`State`].

use std::fmt::Display;
use std::time::Duration;

use edeposit_amqp::backoff;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Event, State};

/// A session that lasted this long was good: the back-off starts anew after it.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It is lost, or in doubt; the reason.
    Lost(String),
}

/// One kind of session: how it is set up, used and ended.
pub trait Sessions: Send {
    /// A session that stands.
    type Session: Send;
    /// Why one could not be set up.
    type Error: Display + Send;

    /// Sets a session up. Dropped if the supervisor is told to stop meanwhile.
    fn open(&mut self) -> impl Future<Output = Result<Self::Session, Self::Error>> + Send;

    /// Uses a session until `stop` is cancelled or until anything about it is in doubt.
    fn run(
        &mut self,
        session: &mut Self::Session,
        stop: &CancellationToken,
    ) -> impl Future<Output = Ended> + Send;

    /// Tears a session down that is lost for this reason. Default: it is dropped.
    fn lost(&mut self, _session: Self::Session, _reason: &str) {}

    /// Ends a session in an orderly way.
    fn close(&mut self, session: Self::Session) -> impl Future<Output = ()> + Send;

    /// Whether a failure to set up the very first session is waited out like later ones. Otherwise it is the supervisor's
    /// error.
    fn waits_out(&self, error: &Self::Error) -> bool;

    /// There is no session for this reason; the next try comes by itself. Called at every failure.
    fn waiting(&mut self, reason: &str);

    /// The longest pause between two tries.
    fn longest_pause(&self) -> Duration {
        backoff::LONGEST
    }
}

/// Keeps a session going until `stop` is cancelled, then closes it.
///
/// # Errors
/// The very first session could not be set up, and [`Sessions::waits_out`] says not to wait.
pub async fn supervise<S: Sessions>(
    sessions: &mut S,
    stop: &CancellationToken,
) -> Result<(), S::Error> {
    let mut state = State::FIRST;
    let mut live = None;
    let mut ever_opened = false;
    let mut reasons = Reasons::default();
    loop {
        let event = match state {
            State::Connecting { attempt } => {
                let opened = tokio::select! {
                    () = stop.cancelled() => None,
                    opened = sessions.open() => Some(opened),
                };
                match opened {
                    None => Event::Stop,
                    Some(Ok(session)) => {
                        ever_opened = true;
                        reasons.forget();
                        live = Some((session, Instant::now()));
                        Event::Ready
                    }
                    Some(Err(error)) if !(ever_opened || sessions.waits_out(&error)) => {
                        return Err(error);
                    }
                    Some(Err(error)) => {
                        let reason = error.to_string();
                        sessions.waiting(&reason);
                        reasons.tell(reason, attempt);
                        Event::SetupFailed
                    }
                }
            }
            State::Consuming { attempt } => {
                // Put there on the way into this state.
                let Some((mut session, since)) = live.take() else {
                    state = State::FIRST;
                    continue;
                };
                match sessions.run(&mut session, stop).await {
                    Ended::Stopped => {
                        live = Some((session, since));
                        Event::Stop
                    }
                    Ended::Lost(reason) => {
                        sessions.lost(session, &reason);
                        sessions.waiting(&reason);
                        reasons.tell(reason, attempt);
                        Event::Lost {
                            stable: since.elapsed() >= STABLE_AFTER,
                        }
                    }
                }
            }
            State::BackingOff { attempt } => {
                let delay = backoff::delay(attempt, sessions.longest_pause());
                debug!(?delay, attempt, "waiting before the next try");
                tokio::select! {
                    () = stop.cancelled() => Event::Stop,
                    () = tokio::time::sleep(delay) => Event::WaitOver,
                }
            }
            State::Draining => {
                if let Some((session, _)) = live.take() {
                    sessions.close(session).await;
                }
                Event::Drained
            }
            State::Stopped => return Ok(()),
        };
        state = state.next(event);
    }
}

/// Logs one warning for each new reason: that it goes on is no news.
#[derive(Default)]
struct Reasons {
    last: String,
}

impl Reasons {
    fn tell(&mut self, reason: String, attempt: u32) {
        if self.last == reason {
            debug!(reason, attempt, "still no session with RabbitMQ");
        } else {
            warn!(
                reason,
                "no session with RabbitMQ; trying again until there is one"
            );
            self.last = reason;
        }
    }

    fn forget(&mut self) {
        self.last.clear();
    }
}

#[cfg(test)]
#[path = "supervise_tests.rs"]
mod tests;
