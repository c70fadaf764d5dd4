//! What became of the requests, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the daemon started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: Count,
    pub(crate) redelivered: Count,
    pub(crate) answered: Count,
    pub(crate) exceptions: Count,
    pub(crate) progress: Count,
    /// Requests without UUID.
    pub(crate) dropped: Count,
    /// Answers for which no queue was bound.
    pub(crate) parked: Count,
    /// Requests that were delivered again and not carried out again.
    pub(crate) remembered: Count,
    /// Requests set aside because daemons died with them.
    pub(crate) poison: Count,
    /// Requests put back into the queue.
    pub(crate) requeued: Count,
}

/// One number.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests ({} redelivered), {} answers, {} exceptions, {} progress messages, {} dropped, {} parked, {} set aside, {} put back, {} known when delivered again",
            self.received.get(),
            self.redelivered.get(),
            self.answered.get(),
            self.exceptions.get(),
            self.progress.get(),
            self.dropped.get(),
            self.parked.get(),
            self.poison.get(),
            self.requeued.get(),
            self.remembered.get()
        )
    }
}
