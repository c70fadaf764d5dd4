//! One request being carried out: it outlives the session that brought it.
//!
//! A delivery belongs to a session and ends with it; the handler at work does not. It goes on, and what comes of it is
//! kept in [`Answers`] for the delivery that will bring the same request again.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use crate::answers::{Answers, Kept, Outcome};
use crate::fingerprint::Fingerprint;

/// A request in the hands of one delivery. Dropped without [`Execution::settled`], it is kept for the next delivery.
pub(crate) struct Execution {
    /// None: it would not be known again.
    request: Option<Fingerprint>,
    answers: Arc<Answers>,
    state: Option<State>,
    /// Where the work goes on.
    runtime: Handle,
}

enum State {
    /// Carried out for this delivery.
    Running(BoxFuture<'static, Outcome>),
    /// Known from an earlier one.
    Kept(Kept),
}

impl Execution {
    /// Carries a request out, as far as the outcome is waited for. If it is dropped before, the work goes on in this runtime,
    /// unless that has ended.
    pub(crate) fn new(
        request: Option<Fingerprint>,
        answers: &Arc<Answers>,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) -> Self {
        Self {
            request,
            answers: Arc::clone(answers),
            state: Some(State::Running(work.boxed())),
            runtime: Handle::current(),
        }
    }

    /// The request is known from an earlier delivery.
    pub(crate) fn known(request: Fingerprint, answers: &Arc<Answers>, kept: Kept) -> Self {
        Self {
            request: Some(request),
            answers: Arc::clone(answers),
            state: Some(State::Kept(kept)),
            runtime: Handle::current(),
        }
    }

    /// Whether its answer was confirmed already.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state, Some(State::Kept(Kept::Answered)))
    }

    /// What comes of it. None: its handler was lost, or it was answered before.
    pub(crate) async fn outcome(&mut self) -> Option<Arc<Outcome>> {
        let outcome = match self.state.as_mut()? {
            State::Kept(Kept::Answered) => None,
            State::Running(work) => Some(Arc::new(work.await)),
            State::Kept(Kept::Done(outcome)) => Some(Arc::clone(outcome)),
            State::Kept(Kept::Running(outcome)) => {
                let outcome = outcome.wait_for(Option::is_some).await;
                outcome.ok().and_then(|outcome| outcome.clone())
            }
        };
        let Some(outcome) = outcome else {
            self.state = None;
            return None;
        };
        self.replace(Arc::clone(&outcome));
        Some(outcome)
    }

    /// Something else is answered instead.
    pub(crate) fn replace(&mut self, outcome: Arc<Outcome>) {
        self.state = Some(State::Kept(Kept::Done(outcome)));
    }

    /// The answer is confirmed, and the request about to be acknowledged.
    pub(crate) fn settled(mut self) {
        self.state = None;
        if let Some(request) = self.request {
            self.answers.acknowledged(request);
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        let (Some(state), Some(request)) = (self.state.take(), self.request) else {
            return;
        };
        if self.answers.is_closed() {
            return;
        }
        let kept = match state {
            State::Kept(kept) => kept,
            State::Running(work) => {
                let (sender, receiver) = watch::channel(None);
                let working = async move {
                    sender.send_replace(Some(Arc::new(work.await)));
                };
                self.runtime.spawn(working.in_current_span());
                Kept::Running(receiver)
            }
        };
        self.answers.keep(request, kept);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use edeposit_amqp::Outgoing;

    use super::*;

    const ONE: Fingerprint = Fingerprint(1);

    fn outcome() -> Outcome {
        Outcome {
            message: Outgoing::default(),
            exception: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_that_ends_leaves_the_work_to_the_next() {
        let answers = Arc::new(Answers::new(1));
        let executed = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&executed);
        let mut first = Execution::new(Some(ONE), &answers, async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            counter.fetch_add(1, Ordering::Relaxed);
            outcome()
        });
        let early = tokio::time::timeout(Duration::from_secs(1), first.outcome()).await;
        assert!(early.is_err());
        drop(first);
        for _ in 0..3 {
            let kept = answers.take(ONE).expect("it is known");
            let mut again = Execution::known(ONE, &answers, kept);
            assert!(again.outcome().await.is_some());
        }
        assert_eq!(executed.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_settled_request_is_kept_only_if_the_session_is_lost() {
        let answers = Arc::new(Answers::new(1));
        let mut execution = Execution::new(Some(ONE), &answers, async { outcome() });
        execution.outcome().await;
        execution.settled();
        assert!(answers.take(ONE).is_none());
        answers.new_session();
        assert!(answers.take(ONE).is_some());
    }
}
