//! Handlers that cannot be ended: their time was over, they were told to end, and they block their threads all the same.
//!
//! Each keeps one of the handlers' threads. That is borne for a while: its caller has an exception, and the other threads go on. With [`MOST_STUCK`] of them the daemon stops by itself: it finishes what else is in hand and ends with an
//! exit code of its own, so that a service manager starts a new process, whose threads are all free.

use std::fmt;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::handlers::THREADS;

/// With so many stuck handlers the process ends: half of the threads.
pub(crate) const MOST_STUCK: usize = THREADS / 2;

/// How many handlers are stuck.
#[derive(Debug)]
pub(crate) struct Stuck {
    now: watch::Sender<usize>,
    /// Cancelled when there are too many.
    stop: CancellationToken,
}

impl Stuck {
    /// None yet. `stop` tells the daemon to end.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            now: watch::Sender::new(0),
            stop,
        }
    }

    /// A handler is stuck until `ended`, which may be never. To be called in the sessions' runtime.
    pub(crate) fn add(&self, ended: impl Future<Output: Send> + Send + 'static) {
        let now = self.now.clone();
        let mut stuck = 0;
        now.send_modify(|now| {
            *now += 1;
            stuck = *now;
        });
        error!("a handler blocks its thread and cannot be ended; {}", self);
        if stuck >= MOST_STUCK {
            self.stop.cancel();
        }
        tokio::spawn(async move {
            ended.await;
            now.send_modify(|now| *now -= 1);
        });
    }

    /// How many there are now.
    pub(crate) fn count(&self) -> usize {
        *self.now.borrow()
    }

    /// Tells whenever the count changes.
    pub(crate) fn changes(&self) -> watch::Receiver<usize> {
        self.now.subscribe()
    }
}

/// For people; nothing if there are none.
impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            0 => Ok(()),
            1 => write!(f, "1 handler is stuck; with {MOST_STUCK} the daemon ends"),
            count => write!(
                f,
                "{count} handlers are stuck; with {MOST_STUCK} the daemon ends"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_daemon_stops_when_too_many_are_stuck_at_once() {
        let stop = CancellationToken::new();
        let stuck = Stuck::new(stop.clone());
        assert_eq!(stuck.to_string(), "");
        let mut changes = stuck.changes();
        // Any number, as long as they end.
        for _ in 0..3 * MOST_STUCK {
            let (end, ended) = oneshot::channel::<()>();
            stuck.add(ended);
            assert_eq!(stuck.count(), 1);
            changes.wait_for(|now| *now == 1).await.unwrap();
            drop(end);
            changes.wait_for(|now| *now == 0).await.unwrap();
        }
        for number in 1..=MOST_STUCK {
            assert!(!stop.is_cancelled());
            stuck.add(std::future::pending::<()>());
            assert_eq!(stuck.count(), number);
        }
        assert!(stop.is_cancelled());
        assert_eq!(
            stuck.to_string(),
            "8 handlers are stuck; with 8 the daemon ends"
        );
    }
}
