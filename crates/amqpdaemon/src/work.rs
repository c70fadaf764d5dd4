//! Carrying out a request: whatever its handler does, something comes of it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, error, info};

use crate::answers::Outcome;
use crate::counters::Counters;
use crate::handlers::Handlers;
use crate::messages::{answer, exception};
use crate::progress::ProgressPublisher;
use crate::reply::ReplyTo;
use crate::sendback::Progress;
use crate::stuck::Stuck;
use crate::text::cut;
use crate::{Exception, React, Sendback};

/// More of an exception's text than this does not go into a log line, in bytes.
const LONGEST_LOGGED: usize = 300;

/// A handler that is told to end does so at its next await; one that blocks its thread for longer is stuck.
const ABORTED_WITHIN: Duration = Duration::from_millis(250);

/// A handler, and its limits.
pub(crate) struct Work {
    pub(crate) react: Arc<dyn React>,
    pub(crate) handler_timeout: Duration,
    pub(crate) max_request_size: usize,
    pub(crate) tracebacks: bool,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) stuck: Arc<Stuck>,
    pub(crate) counters: Arc<Counters>,
}

impl Work {
    /// Carries a request out to the message that answers it. `frame_max` is the longest frame the broker takes, in bytes.
    pub(crate) async fn carry_out(
        &self,
        body: Vec<u8>,
        progress: ProgressPublisher,
        frame_max: usize,
    ) -> Outcome {
        let progress = Arc::new(progress);
        let result = self.react(body, &progress).await;
        progress.close();
        match result {
            Ok(body) => Outcome {
                message: answer(progress.reply(), body),
                exception: None,
            },
            Err(e) => self.exception(&e, progress.reply(), frame_max),
        }
    }

    /// An exception as what comes of a request.
    pub(crate) fn exception(&self, e: &Exception, reply: &ReplyTo, frame_max: usize) -> Outcome {
        info!(
            exception = e.name,
            text = cut(&e.message, LONGEST_LOGGED),
            "answering with an exception"
        );
        Outcome {
            message: exception(e, reply, self.tracebacks, frame_max),
            exception: Some(e.name.clone()),
        }
    }

    async fn react(
        &self,
        body: Vec<u8>,
        progress: &Arc<ProgressPublisher>,
    ) -> Result<Vec<u8>, Exception> {
        if body.len() > self.max_request_size {
            return Err(Exception::value_error(format!(
                "The request has {} bytes; this daemon accepts {} (RABBITMQ_MAX_REQUEST_SIZE).",
                body.len(),
                self.max_request_size
            )));
        }
        let sendback = Sendback::new(Arc::clone(progress) as Arc<dyn Progress>);
        let react = Arc::clone(&self.react);
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let handling = async move {
            begins.store(true, Ordering::Relaxed);
            react.react(body, sendback).await
        };
        let _running = self.counters.handler.start();
        let mut job = AbortOnDropHandle::new(self.handlers.spawn(handling.in_current_span()));
        loop {
            return match timeout(self.handler_timeout, &mut job).await {
                Ok(Ok(result)) => result,
                Ok(Err(failure)) => Err(crashed(failure)),
                // It has had no turn yet: others block their threads.
                Err(_) if !begun.load(Ordering::Relaxed) => continue,
                Err(_) => {
                    job.abort();
                    if timeout(ABORTED_WITHIN, &mut job).await.is_err() {
                        self.stuck.add(job);
                    }
                    Err(self.timed_out())
                }
            };
        }
    }

    fn timed_out(&self) -> Exception {
        let seconds = self.handler_timeout.as_secs_f32();
        error!(seconds, "a request took too long and was given up");
        Exception::class(
            "edeposit.amqp.amqpdaemon.TimeoutError",
            format!("The request was given up after {seconds} s (RABBITMQ_HANDLER_TIMEOUT)."),
        )
    }
}

/// A handler that panicked, as the exception for its caller. The panic itself is in the daemon's log.
fn crashed(failure: tokio::task::JoinError) -> Exception {
    let reason = match failure.try_into_panic() {
        Ok(panic) => panic_text(panic.as_ref()),
        Err(failure) => failure.to_string(),
    };
    error!(reason, "a handler failed");
    Exception::builtin(
        "RuntimeError",
        format!("The request made its handler fail: {reason}"),
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use edeposit_amqp::types::AMQPValue;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::handlers::THREADS;
    use crate::testing::{HANDLER_TIMEOUT, progress_of, request, work};

    const FRAME: usize = 131_072;
    const LONG: Duration = Duration::from_secs(60);

    async fn outcome_of(work: &Work, body: &[u8]) -> Outcome {
        let progress = progress_of(&request("u", ""));
        work.carry_out(body.to_vec(), progress, FRAME).await
    }

    /// Name and text of the exception that comes of it.
    async fn exception_of(work: &Work, body: &[u8]) -> (String, String) {
        let outcome = outcome_of(work, body).await;
        let text = match outcome.message.headers.inner().get("exception") {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => panic!("{other:?}"),
        };
        (outcome.exception.unwrap(), text)
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_is_what_the_handler_returns() {
        let work = work(async |text, sendback: Sendback| Ok(format!("{text} {}", sendback.uuid())));
        let outcome = outcome_of(&work, b"for").await;
        assert_eq!(
            (outcome.message.body, outcome.exception),
            (b"for u".to_vec(), None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn too_large_a_request_does_not_reach_the_handler() {
        let work = work(async |text: String, _| Ok(text.len().to_string()));
        assert_eq!(outcome_of(&work, &[b'x'; 1000]).await.message.body, b"1000");
        let (name, text) = exception_of(&work, &[b'x'; 1001]).await;
        assert_eq!(name, "ValueError");
        assert!(
            text.contains("1001 bytes; this daemon accepts 1000"),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_an_exception_with_its_text() {
        let work = work(async |text: String, _| match text.as_str() {
            "static" => panic!("oh no"),
            "made" => panic!("oh {text}"),
            _ => std::panic::panic_any(1),
        });
        for (body, reason) in [
            ("static", "oh no"),
            ("made", "oh made"),
            ("", "no reason given"),
        ] {
            let (name, text) = exception_of(&work, body.as_bytes()).await;
            assert_eq!(name, "RuntimeError");
            assert_eq!(text, format!("The request made its handler fail: {reason}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_takes_too_long_is_given_up_and_dropped() {
        let (held, is_dropped) = mpsc::channel::<()>();
        let work = work(move |_, _| {
            let held = held.clone();
            async move {
                let _held = held;
                sleep(HANDLER_TIMEOUT * 2).await;
                Ok(String::new())
            }
        });
        let begun = Instant::now();
        let (name, text) = exception_of(&work, b"").await;
        assert_eq!(name, "TimeoutError");
        assert!(text.contains("after 600 s"), "{text}");
        assert_eq!(begun.elapsed().as_secs(), HANDLER_TIMEOUT.as_secs());
        assert_eq!(work.stuck.count(), 0);
        drop(work);
        let end = is_dropped.try_recv();
        assert_eq!(end, Err(mpsc::TryRecvError::Disconnected));
    }

    /// A handler on a thread of its own, which it blocks until the sender goes; it tells when it has begun.
    fn blocking() -> (Work, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let (until, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(std::sync::Mutex::new(blocked));
        let (begun, begins) = mpsc::channel();
        let mut work = work(move |_, _| {
            let (blocked, begun) = (Arc::clone(&blocked), begun.clone());
            async move {
                begun.send(()).unwrap();
                // The first waits for the sender, the others for the first.
                let _ = blocked.lock().unwrap().recv_timeout(LONG);
                Ok("ended".to_owned())
            }
        });
        work.handlers = Arc::new(Handlers::start().unwrap());
        (work, until, begins)
    }

    #[tokio::test]
    async fn a_handler_that_blocks_beyond_its_time_is_stuck_until_it_ends() {
        let (mut work, until, _begins) = blocking();
        work.handler_timeout = Duration::from_millis(10);
        let (name, _) = exception_of(&work, b"").await;
        assert_eq!(name, "TimeoutError");
        assert_eq!(work.stuck.count(), 1);
        drop(until);
        let mut changes = work.stuck.changes();
        timeout(LONG, changes.wait_for(|count| *count == 0))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn the_wait_for_a_thread_is_no_time_of_the_handler() {
        let (mut work, until, begins) = blocking();
        let mut others = Vec::new();
        for _ in 0..THREADS {
            let react = Arc::clone(&work.react);
            others.push(work.handlers.spawn(async move {
                let (sendback, _progress) = Sendback::collecting();
                react.react(Vec::new(), sendback).await
            }));
            begins.recv_timeout(LONG).unwrap();
        }
        work.handler_timeout = Duration::from_millis(500);
        let freeing = async {
            sleep(2 * work.handler_timeout).await;
            drop(until);
        };
        let (outcome, ()) = tokio::join!(outcome_of(&work, b""), freeing);
        assert_eq!(outcome.message.body, b"ended");
    }
}
