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

use edeposit_amqp::types::AMQPValue;
use edeposit_amqp::{Outgoing, encoded_len};
use tokio::sync::watch;

use crate::fingerprint::Fingerprint;

/// The answers kept take no more memory than this, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// So many requests of lost sessions are kept at most.
const MOST_DOUBTFUL: usize = 4096;
/// A request that comes again later than this is carried out again. The broker itself waits half an hour for an
/// acknowledgement.
const KEPT_FOR: Duration = Duration::from_secs(45 * 60);
/// The same for one whose answer was confirmed: it comes again as soon as the broker notices that the connection is gone.
const ANSWERED_FOR: Duration = Duration::from_secs(5 * 60);

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
    fn outcome(&self) -> Option<Arc<Outcome>> {
        match self {
            Self::Answered => None,
            Self::Done(outcome) => Some(Arc::clone(outcome)),
            Self::Running(outcome) => outcome.borrow().clone(),
        }
    }

    fn bytes(&self) -> usize {
        self.outcome().map_or(0, |outcome| outcome.bytes())
    }

    fn is_at_work(&self) -> bool {
        matches!(self, Self::Running(outcome) if outcome.borrow().is_none())
    }

    fn lifetime(&self) -> Duration {
        match self {
            Self::Answered => ANSWERED_FOR,
            _ => KEPT_FOR,
        }
    }
}

impl Outcome {
    fn bytes(&self) -> usize {
        let headers = AMQPValue::FieldTable(self.message.headers.clone());
        self.message.body.len() + encoded_len(&headers)
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
    /// Of sessions that are lost, each with the time it was kept. The oldest first.
    doubtful: VecDeque<(Fingerprint, Kept, Instant)>,
    /// The daemon ends: nothing will come again.
    closed: bool,
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

    /// A request that was never delivered before: what is kept under its identity is another one's.
    pub(crate) fn forget(&self, request: Fingerprint) {
        self.with(|inner| inner.doubtful.retain(|(one, _, _)| *one != request));
    }

    /// No session comes after this one.
    pub(crate) fn close(&self) {
        self.with(|inner| inner.closed = true);
    }

    /// Whether there will be no further session.
    pub(crate) fn is_closed(&self) -> bool {
        self.with(|inner| inner.closed)
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
            (since.elapsed() < kept.lifetime()).then_some(kept)
        })
    }

    /// How many requests that nobody waits for are still being carried out.
    pub(crate) fn running(&self) -> usize {
        self.with(|inner| {
            let doubtful = inner.doubtful.iter();
            doubtful.filter(|(_, kept, _)| kept.is_at_work()).count()
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
        if self.closed || kept.bytes() > MOST_BYTES {
            return;
        }
        self.doubtful
            .retain(|(_, kept, since)| since.elapsed() < kept.lifetime());
        self.doubtful.push_back((request, kept, Instant::now()));
        let mut bytes: usize = self.doubtful.iter().map(|(_, kept, _)| kept.bytes()).sum();
        while self.doubtful.len() > MOST_DOUBTFUL || bytes > MOST_BYTES {
            // Those at work are few and take no memory here.
            let oldest = self
                .doubtful
                .iter()
                .position(|(_, kept, _)| !kept.is_at_work());
            let Some((_, gone, _)) = oldest.and_then(|oldest| self.doubtful.remove(oldest)) else {
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
        Some(kept?.outcome()?.message.body.len())
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
    fn a_new_request_like_an_old_one_is_a_new_one() {
        let answers = Answers::new(1);
        answers.keep(Fingerprint(1), Kept::Answered);
        answers.keep(Fingerprint(2), Kept::Done(outcome(1)));
        answers.forget(Fingerprint(1));
        assert!(answers.take(Fingerprint(1)).is_none());
        assert!(answers.take(Fingerprint(2)).is_some());
    }

    #[test]
    fn one_that_is_too_large_pushes_nobody_out() {
        let answers = Answers::new(1);
        let (_work, at_work) = watch::channel(None);
        answers.keep(Fingerprint(1), Kept::Running(at_work));
        answers.keep(Fingerprint(2), Kept::Done(outcome(MOST_BYTES + 1)));
        for request in 3..50 {
            answers.keep(Fingerprint(request), Kept::Done(outcome(MOST_BYTES / 10)));
        }
        assert!(answers.take(Fingerprint(1)).is_some());
        assert!(answers.take(Fingerprint(2)).is_none());
        assert!(answers.take(Fingerprint(49)).is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let answers = Answers::new(10);
        for request in 0..100 {
            answers.keep(Fingerprint(request), Kept::Done(outcome(1024 * 1024)));
        }
        assert!(answers.take(Fingerprint(0)).is_none());
        assert!(answers.take(Fingerprint(99)).is_some());
        // Headers count too, if only a few bytes.
        assert_eq!(answers.with(|inner| inner.doubtful.len()), 30);
        for request in 0..10_000 {
            answers.keep(Fingerprint(request), Kept::Done(outcome(0)));
        }
        assert_eq!(answers.with(|inner| inner.doubtful.len()), MOST_DOUBTFUL);
    }
}
