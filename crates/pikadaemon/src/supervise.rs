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
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// What a try to open a session comes to.
    #[derive(Clone, Copy)]
    enum Try {
        Fails(&'static str),
        /// Opens a session that lasts so long.
        Lasts(Duration),
        /// Opens one that lasts until it is told to stop.
        Stays,
        /// Is still under way when the supervisor is told to stop.
        Hangs,
    }

    /// Sessions by plan, and what was done with them.
    struct Planned {
        tries: VecDeque<Try>,
        waits: bool,
        done: Vec<String>,
        opened_at: Vec<Instant>,
        stop_after: Option<CancellationToken>,
    }

    impl Planned {
        fn new(tries: impl IntoIterator<Item = Try>) -> Self {
            Self {
                tries: tries.into_iter().collect(),
                waits: false,
                done: Vec::new(),
                opened_at: Vec::new(),
                stop_after: None,
            }
        }
    }

    impl Sessions for Planned {
        type Session = Option<Duration>;
        type Error = &'static str;

        async fn open(&mut self) -> Result<Option<Duration>, &'static str> {
            self.opened_at.push(Instant::now());
            let planned = self.tries.pop_front().unwrap_or(Try::Stays);
            if self.tries.is_empty()
                && let Some(stop) = &self.stop_after
            {
                stop.cancel();
            }
            match planned {
                Try::Fails(reason) => Err(reason),
                Try::Lasts(time) => Ok(Some(time)),
                Try::Stays => Ok(None),
                Try::Hangs => std::future::pending().await,
            }
        }

        async fn run(&mut self, session: &mut Option<Duration>, stop: &CancellationToken) -> Ended {
            match *session {
                Some(time) => {
                    tokio::time::sleep(time).await;
                    Ended::Lost("cut".to_owned())
                }
                None => {
                    stop.cancelled().await;
                    Ended::Stopped
                }
            }
        }

        fn lost(&mut self, _session: Option<Duration>, reason: &str) {
            self.done.push(format!("lost: {reason}"));
        }

        async fn close(&mut self, _session: Option<Duration>) {
            self.done.push("closed".to_owned());
        }

        fn waits_out(&self, _error: &&'static str) -> bool {
            self.waits
        }

        fn waiting(&mut self, reason: &str) {
            self.done.push(format!("waiting: {reason}"));
        }
    }

    async fn supervised(mut planned: Planned) -> (Result<(), &'static str>, Planned) {
        let stop = CancellationToken::new();
        planned.stop_after = Some(stop.clone());
        let ended = supervise(&mut planned, &stop).await;
        (ended, planned)
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_failure_is_an_error_unless_it_is_waited_out() {
        let away = [Try::Fails("away"), Try::Stays];
        let (ended, planned) = supervised(Planned::new(away)).await;
        assert_eq!(ended, Err("away"));
        assert!(planned.done.is_empty());

        let mut waiting = Planned::new(away);
        waiting.waits = true;
        let (ended, planned) = supervised(waiting).await;
        assert_eq!(ended, Ok(()));
        assert_eq!(planned.done, ["waiting: away", "closed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_session_is_given_up_and_replaced() {
        let lost = Try::Lasts(Duration::from_secs(60));
        let tries = [lost, Try::Fails("away"), lost, Try::Stays];
        let (ended, planned) = supervised(Planned::new(tries)).await;
        assert_eq!(ended, Ok(()));
        let expected = [
            "lost: cut",
            "waiting: cut",
            "waiting: away",
            "lost: cut",
            "waiting: cut",
            "closed",
        ];
        assert_eq!(planned.done, expected);
    }

    /// A queue that takes the consumer away at once must not be asked again and again.
    #[tokio::test(start_paused = true)]
    async fn a_session_that_does_not_last_counts_as_a_failure() {
        let (_, planned) = supervised(Planned::new([Try::Lasts(Duration::ZERO); 40])).await;
        let first = planned.opened_at[0];
        let time = planned.opened_at[39] - first;
        // The pauses are random, up to 30 s each after the first seven.
        assert!(time > Duration::from_secs(60), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn told_to_stop_while_connecting_it_ends_without_a_session() {
        let (ended, planned) = supervised(Planned::new([Try::Hangs])).await;
        assert_eq!(ended, Ok(()));
        assert!(planned.done.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn told_to_stop_during_a_pause_it_ends_without_a_session() {
        let mut waiting = Planned::new([Try::Fails("away")]);
        waiting.waits = true;
        let (ended, planned) = supervised(waiting).await;
        assert_eq!(ended, Ok(()));
        assert_eq!(planned.opened_at.len(), 1);
    }
}
