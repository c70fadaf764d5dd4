//! Progress messages of one request: its handler sends them through [`Sendback`](crate::Sendback), by whatever session there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use edeposit_amqp::{Outgoing, PublishError};
use edeposit_pikadaemon::Session;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, warn};

use crate::Exception;
use crate::counters::Counters;
use crate::messages::progress;
use crate::reply::ReplyTo;
use crate::sendback::Progress;

/// The session that lives; none before the first.
pub(crate) type Sessions = watch::Receiver<Option<Weak<dyn Session>>>;

/// Publishes the progress messages of one request, until its answer is there.
pub(crate) struct ProgressPublisher {
    sessions: Sessions,
    /// Where sessions live.
    runtime: Handle,
    reply: ReplyTo,
    name: String,
    redelivered: bool,
    closed: AtomicBool,
    counters: Arc<Counters>,
}

impl ProgressPublisher {
    /// For a request that is answered at `reply`, by sessions that live in `runtime`.
    pub(crate) fn new(
        sessions: Sessions,
        runtime: Handle,
        reply: ReplyTo,
        redelivered: bool,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            sessions,
            runtime,
            name: reply.request_name(),
            reply,
            redelivered,
            closed: AtomicBool::new(false),
            counters,
        }
    }

    /// Where messages to the caller go.
    pub(crate) fn reply(&self) -> &ReplyTo {
        &self.reply
    }

    /// The answer is there, and goes next: from now on sending is an error.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Progress for ProgressPublisher {
    fn publish(&self, body: Vec<u8>) -> BoxFuture<'_, Result<(), Exception>> {
        Box::pin(async move {
            if self.closed.load(Ordering::Acquire) {
                return Err(Exception::builtin(
                    "IOError",
                    "The progress message was not sent: the request is answered already",
                ));
            }
            let message = progress(&self.reply, body);
            let publishing = publish_on_any(self.sessions.clone(), self.reply.clone(), message);
            // In a task of the sessions' runtime: it goes on there while the handler blocks its thread.
            let task = self.runtime.spawn(publishing.in_current_span());
            match AbortOnDropHandle::new(task).await {
                Ok(Ok(())) => self.counters.progress.add_one(),
                // Nobody takes it now, but the answer may still be wanted.
                Ok(Err(e)) => warn!(error = %e, "a progress message was not taken"),
                // The daemon has ended, and the handler is about to be.
                Err(_) => std::future::pending().await,
            }
            Ok(())
        })
    }

    fn uuid(&self) -> &str {
        &self.name
    }

    fn redelivered(&self) -> bool {
        self.redelivered
    }
}

/// Publishes on the session that lives, waiting for the next one as often as need be: the handler has a time limit of its
/// own.
async fn publish_on_any(
    mut sessions: Sessions,
    reply: ReplyTo,
    message: Outgoing,
) -> Result<(), PublishError> {
    loop {
        let session = sessions
            .borrow_and_update()
            .as_ref()
            .and_then(Weak::upgrade);
        if let Some(session) = session {
            match reply.send(session.as_ref(), &message).await {
                Err(e) if e.is_session_lost() => {}
                result => return result,
            }
        }
        if sessions.changed().await.is_err() {
            // The daemon has ended.
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use edeposit_amqp::{Message, Settle};
    use tokio::time::timeout;

    use super::*;
    use crate::Sendback;
    use crate::testing::{
        Daemon, Fate, HANDLER_TIMEOUT, ScriptedSession, again, request, request_to,
    };

    /// Sends one progress message before its answer.
    async fn one_step(text: String, sendback: Sendback) -> Result<String, Exception> {
        sendback.send("half").await?;
        Ok(text)
    }

    async fn answered(daemon: &Daemon, message: Message, session: &Arc<ScriptedSession>) {
        let settled = daemon.deliver(message, session).await;
        assert_eq!(settled.unwrap(), Settle::Ack);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_goes_where_the_answer_will_go_and_before_it() {
        let daemon = Daemon::new(one_step);
        for message in [request("u", "all"), request_to("answers", "c", "all")] {
            let session = daemon.session();
            let knows_amqp = message.properties.reply_to().is_some();
            answered(&daemon, message, &session).await;
            assert_eq!(session.texts(), ["\"half\"", "all"]);
            let published = session.published();
            let (progress, answer) = (&published[0], &published[1]);
            assert_eq!(progress.sent().0, answer.sent().0);
            assert_eq!(progress.sent().1, answer.sent().1);
            let (progress, answer) = (progress.sent().2, answer.sent().2);
            assert_eq!(progress.headers, answer.headers);
            assert_eq!(progress.correlation_id, answer.correlation_id);
            let kind = progress.kind.as_ref().map(|kind| kind.as_str());
            assert_eq!(kind, knows_amqp.then_some("progress"));
            assert_eq!(answer.kind, None);
        }
        assert_eq!(daemon.counters.progress.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_answer_there_is_no_progress() {
        let kept = Arc::new(Mutex::new(None));
        let keeping = Arc::clone(&kept);
        let daemon = Daemon::new(move |_, sendback| {
            *keeping.lock().unwrap() = Some(sendback);
            async { Ok(String::new()) }
        });
        let session = daemon.session();
        answered(&daemon, request("u", ""), &session).await;
        let sendback: Sendback = kept.lock().unwrap().take().unwrap();
        let error = sendback.send("late").await.unwrap_err();
        assert_eq!(error.name, "IOError");
        assert!(
            error.message.contains("answered already"),
            "{}",
            error.message
        );
        assert_eq!(session.published().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_lost_with_a_session_is_sent_in_the_next() {
        for fate in [Fate::Lost, Fate::Timeout] {
            let daemon = Daemon::new(one_step);
            let first = daemon.session();
            first.next([fate]);
            let delivery = daemon.deliver(request("u", "all"), &first);
            assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
            let second = daemon.session();
            answered(&daemon, again(request("u", "all")), &second).await;
            assert_eq!(second.texts(), ["\"half\"", "all"]);
            assert_eq!(first.texts(), ["\"half\""]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_session_progress_waits_for_one() {
        let (begin, begins) = tokio::sync::watch::channel(false);
        let daemon = Daemon::new(move |text, sendback| {
            let mut begins = begins.clone();
            async move {
                let _ = begins.wait_for(|begin| *begin).await;
                one_step(text, sendback).await
            }
        });
        let first = daemon.session();
        let delivery = daemon.deliver(request("u", "all"), &first);
        assert!(timeout(Duration::from_secs(1), delivery).await.is_err());
        assert_eq!(Arc::strong_count(&first), 1, "a session is not kept");
        drop(first);
        begin.send_replace(true);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let second = daemon.session();
        answered(&daemon, again(request("u", "all")), &second).await;
        assert_eq!(second.texts(), ["\"half\"", "all"]);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_that_nobody_takes_is_not_the_handlers_affair() {
        let daemon = Daemon::new(one_step);
        let session = daemon.session();
        for fate in [
            Fate::Returned,
            Fate::Refused,
            Fate::Denied(403, "ACCESS_REFUSED"),
        ] {
            session.next([fate]);
            answered(&daemon, request("u", "all"), &session).await;
        }
        assert_eq!(daemon.counters.progress.get(), 0);
        assert_eq!(daemon.counters.answered.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_of_a_handler_that_is_given_up_is_given_up() {
        let daemon = Daemon::new(one_step);
        let session = daemon.session();
        session.next([Fate::Pending]);
        let since = tokio::time::Instant::now();
        answered(&daemon, request("u", "all"), &session).await;
        assert_eq!(since.elapsed().as_secs(), HANDLER_TIMEOUT.as_secs());
        let published = session.published();
        assert_eq!(published[1].exception().as_deref(), Some("TimeoutError"));
        // Its task held the session.
        assert_eq!(Arc::strong_count(&session), 1);
    }
}
