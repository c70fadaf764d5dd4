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
