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
use crate::headers::{answer, cut, exception};
use crate::reply::ReplyTo;
use crate::request::Request;
use crate::sendback::Progress;
use crate::stuck::Stuck;
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
        request: Request,
        frame_max: usize,
    ) -> Outcome {
        let request = Arc::new(request);
        let result = self.react(body, &request).await;
        request.settled.store(true, Ordering::Release);
        match result {
            Ok(body) => Outcome {
                message: answer(&request.reply, body),
                exception: None,
            },
            Err(e) => self.exception(&e, &request.reply, frame_max),
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

    async fn react(&self, body: Vec<u8>, request: &Arc<Request>) -> Result<Vec<u8>, Exception> {
        if body.len() > self.max_request_size {
            return Err(Exception::value_error(format!(
                "The request has {} bytes; this daemon accepts {} (RABBITMQ_MAX_REQUEST_SIZE).",
                body.len(),
                self.max_request_size
            )));
        }
        let sendback = Sendback::new(Arc::clone(request) as Arc<dyn Progress>);
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
