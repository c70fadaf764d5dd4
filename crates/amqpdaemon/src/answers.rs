//! The answers a redelivered request may still need, in bounded memory.
//!
//! When a connection dies, the broker delivers again whatever it holds no acknowledgement of, also requests that were
//! carried out: their answer was on its way, or was confirmed and only the acknowledgement was lost. Carrying them out
//! again would be work done twice. So answers that are not confirmed are kept here, and handlers that are still at work
//! stay at work and leave their answer here. Of requests whose answer was confirmed it is enough to know that: they are
//! acknowledged once more.
//!
//! Of a session that lives, no more acknowledgements can be in doubt than the prefetch: the broker delivers no further
//! request before it has one. So as many of the last are known, and those of sessions that were lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edeposit_pikadaemon::Outgoing;
use tokio::sync::watch;

use crate::fingerprint::Fingerprint;

/// The answers kept take no more memory than this, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// So many requests of lost sessions are kept at most.
const MOST_DOUBTFUL: usize = 4096;
/// A request that comes again later than this is carried out again. The broker itself waits half an hour for an
/// acknowledgement.
const KEPT_FOR: Duration = Duration::from_secs(45 * 60);

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The last message to its caller.
    pub(crate) message: Outgoing,
    /// The name, if it is an exception.
    pub(crate) exception: Option<String>,
}

/// A request that was carried out, or is being carried out by a handler that nobody waits for any more.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// Its answer was confirmed.
    Answered,
    Done(Arc<Outcome>),
    Running(watch::Receiver<Option<Arc<Outcome>>>),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Answered => 0,
            Self::Done(outcome) => outcome.message.body.len(),
            Self::Running(outcome) => outcome
                .borrow()
                .as_ref()
                .map_or(0, |outcome| outcome.message.body.len()),
        }
    }
}

/// The answers kept; see the module's concept.
#[derive(Debug)]
pub(crate) struct Answers {
    prefetch: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of the session that lives: acknowledged, but perhaps in vain. The oldest first.
    acknowledged: VecDeque<Fingerprint>,
    /// Of sessions that are lost. The oldest first.
    doubtful: VecDeque<(Fingerprint, Kept, Instant)>,
}

impl Answers {
    /// For sessions with this prefetch.
    pub(crate) fn new(prefetch: u16) -> Self {
        Self {
            prefetch: prefetch.into(),
            inner: Mutex::default(),
        }
    }

    /// The answer is confirmed, and the acknowledgement of its request is about to be sent.
    pub(crate) fn acknowledged(&self, request: Fingerprint) {
        self.with(|inner| {
            if inner.acknowledged.len() >= self.prefetch {
                inner.acknowledged.pop_front();
            }
            inner.acknowledged.push_back(request);
        });
    }

    /// The session is lost, or its request goes back to the queue.
    pub(crate) fn keep(&self, request: Fingerprint, kept: Kept) {
        self.with(|inner| inner.keep(request, kept));
    }

    /// A new session: of the last one's acknowledgements nobody knows whether they arrived.
    pub(crate) fn new_session(&self) {
        self.with(|inner| {
            for request in std::mem::take(&mut inner.acknowledged) {
                inner.keep(request, Kept::Answered);
            }
        });
    }

    /// What is known of a request that is delivered again; it is not kept any longer.
    pub(crate) fn take(&self, request: Fingerprint) -> Option<Kept> {
        self.with(|inner| {
            let mut kept = inner.doubtful.iter();
            let position = kept.position(|(one, _, _)| *one == request)?;
            let (_, kept, since) = inner.doubtful.remove(position)?;
            (since.elapsed() < KEPT_FOR).then_some(kept)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut inner)
    }
}

impl Inner {
    fn keep(&mut self, request: Fingerprint, kept: Kept) {
        self.doubtful.push_back((request, kept, Instant::now()));
        let mut bytes: usize = self.doubtful.iter().map(|(_, kept, _)| kept.bytes()).sum();
        while self.doubtful.len() > MOST_DOUBTFUL || bytes > MOST_BYTES {
            let Some((_, gone, _)) = self.doubtful.pop_front() else {
                break;
            };
            bytes -= gone.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes: usize) -> Arc<Outcome> {
        Arc::new(Outcome {
            message: Outgoing {
                body: vec![0; bytes],
                ..Outgoing::default()
            },
            exception: None,
        })
    }

    fn length(kept: Option<Kept>) -> Option<usize> {
        kept.map(|kept| kept.bytes())
    }

    #[test]
    fn of_a_session_the_last_are_known() {
        let answers = Answers::new(3);
        for request in 0..10 {
            answers.acknowledged(Fingerprint(request));
        }
        assert!(
            answers.take(Fingerprint(9)).is_none(),
            "while the session lives, nothing of it comes again"
        );
        answers.new_session();
        let known: Vec<u128> = (0..10)
            .filter(|request| answers.take(Fingerprint(*request)).is_some())
            .collect();
        assert_eq!(known, [7, 8, 9]);
        assert!(answers.take(Fingerprint(9)).is_none(), "told once");
    }

    #[test]
    fn equal_requests_are_kept_each() {
        let answers = Answers::new(1);
        answers.keep(Fingerprint(1), Kept::Done(outcome(1)));
        answers.keep(Fingerprint(1), Kept::Done(outcome(2)));
        assert_eq!(length(answers.take(Fingerprint(1))), Some(1));
        assert_eq!(length(answers.take(Fingerprint(1))), Some(2));
        assert_eq!(length(answers.take(Fingerprint(1))), None);
    }

    #[test]
    fn memory_is_bounded() {
        let answers = Answers::new(10);
        for request in 0..100 {
            answers.keep(Fingerprint(request), Kept::Done(outcome(1024 * 1024)));
        }
        assert!(answers.take(Fingerprint(0)).is_none());
        assert!(answers.take(Fingerprint(99)).is_some());
        assert_eq!(answers.with(|inner| inner.doubtful.len()), 31);
        for request in 0..10_000 {
            answers.keep(Fingerprint(request), Kept::Done(outcome(0)));
        }
        assert_eq!(answers.with(|inner| inner.doubtful.len()), MOST_DOUBTFUL);
    }
}
