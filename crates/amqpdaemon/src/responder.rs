//! The way of one request: reply address and UUID, the handler, the answer, the acknowledgement.
//!
//! Whatever a request holds and whatever the handler does with it, exactly one thing comes out: an answer, an exception,
//! or, for a request with neither UUID nor reply address, a counted drop. Only when the broker has confirmed that message is the request settled.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use edeposit_pikadaemon::types::AMQPValue;
use edeposit_pikadaemon::{Message, OnMessage, Outgoing, PublishError, Session, Settle};
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::counters::Counters;
use crate::headers::{answer, exception, parse_key, progress};
use crate::reply::ReplyTo;
use crate::sendback::Progress;
use crate::{Exception, React, Sendback};

/// The largest message RabbitMQ takes unless configured otherwise, in bytes.
const LARGEST_ANSWER: usize = 128 * 1024 * 1024;

/// Answers requests by a [`React`].
pub(crate) struct Responder {
    pub(crate) react: Arc<dyn React>,
    pub(crate) out_key: String,
    pub(crate) handler_timeout: Duration,
    pub(crate) max_request_size: usize,
    pub(crate) answer_without_uuid: bool,
    pub(crate) tracebacks: bool,
    /// Handlers run on a runtime of their own: one that blocks its thread must not keep the connection from its heartbeats.
    pub(crate) handlers: Handle,
    pub(crate) counters: Arc<Counters>,
}

impl OnMessage for Responder {
    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a Arc<Session>,
    ) -> BoxFuture<'a, Result<Settle, PublishError>> {
        Box::pin(self.respond(message, session))
    }
}

impl Responder {
    async fn respond(
        &self,
        message: Message,
        session: &Arc<Session>,
    ) -> Result<Settle, PublishError> {
        self.counters.received.add_one();
        if message.redelivered {
            self.counters.redelivered.add_one();
        }
        let Some(reply) = ReplyTo::of(&message, &self.out_key) else {
            return self.without_uuid(message, session).await;
        };
        let span = info_span!("request", uuid = reply.request_name());
        let answering = async {
            debug!(
                key = message.routing_key,
                bytes = message.body.len(),
                redelivered = message.redelivered,
                "received"
            );
            let result = self.react(message, &reply, session).await;
            let (outgoing, count) = match result {
                Ok(body) => (answer(&reply, body), &self.counters.answered),
                Err(e) => {
                    info!(
                        exception = e.name,
                        message = e.message,
                        "answering with an exception"
                    );
                    let message = exception(&e, &reply, self.tracebacks, session.frame_max());
                    (message, &self.counters.exceptions)
                }
            };
            self.send(session, &reply, &outgoing).await?;
            count.add_one();
            debug!(key = reply.key, "answered");
            Ok(Settle::Ack)
        };
        answering.instrument(span).await
    }

    /// As documented, such a request is thrown away; a setting has it answered as the original's code did.
    async fn without_uuid(
        &self,
        message: Message,
        session: &Session,
    ) -> Result<Settle, PublishError> {
        self.counters.dropped.add_one();
        warn!(
            key = message.routing_key,
            bytes = message.body.len(),
            "dropping a request without the header UUID: nobody could pair its answer"
        );
        if self.answer_without_uuid {
            let e = Exception::value_error("No UUID provided, message ignored.");
            let reply = ReplyTo {
                exchange: None,
                key: parse_key(&message.routing_key, &self.out_key),
                uuid: Some(AMQPValue::LongString("".into())),
                correlation_id: None,
            };
            let mut outgoing = exception(&e, &reply, false, session.frame_max());
            outgoing.body = message.body;
            self.send(session, &reply, &outgoing).await?;
        }
        Ok(Settle::Ack)
    }

    /// Runs the handler; whatever happens to it, there is a result.
    async fn react(
        &self,
        message: Message,
        reply: &ReplyTo,
        session: &Arc<Session>,
    ) -> Result<Vec<u8>, Exception> {
        if message.body.len() > self.max_request_size {
            return Err(Exception::value_error(format!(
                "The request has {} bytes; this daemon accepts {} (RABBITMQ_MAX_REQUEST_SIZE).",
                message.body.len(),
                self.max_request_size
            )));
        }
        let progress = Arc::new(Request {
            session: Arc::downgrade(session),
            reply: reply.clone(),
            name: reply.request_name(),
            redelivered: message.redelivered,
            settled: AtomicBool::new(false),
            counters: Arc::clone(&self.counters),
        });
        let sendback = Sendback::new(Arc::clone(&progress) as Arc<dyn Progress>);
        let react = Arc::clone(&self.react);
        let handling = async move { react.react(message.body, sendback).await };
        // Dropped with the session: a request that goes back to the queue is not worked on twice at once.
        let mut job = AbortOnDropHandle::new(self.handlers.spawn(handling.in_current_span()));
        let result = match timeout(self.handler_timeout, &mut job).await {
            Ok(Ok(result)) => result,
            Ok(Err(failure)) => Err(crashed(failure)),
            Err(_) => Err(self.timed_out()),
        };
        progress.settled.store(true, Ordering::Release);
        match result {
            Ok(body) if body.len() > LARGEST_ANSWER => Err(Exception::builtin(
                "OverflowError",
                format!(
                    "The answer has {} bytes; RabbitMQ takes {LARGEST_ANSWER}.",
                    body.len()
                ),
            )),
            result => result,
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

    /// Sends the last message of a request. One that no queue is bound for is parked. One that this daemon may not send to
    /// the address of the caller's choice is given up: trying again would change nothing, and keep the others waiting.
    async fn send(
        &self,
        session: &Session,
        reply: &ReplyTo,
        outgoing: &Outgoing,
    ) -> Result<(), PublishError> {
        match publish(session, reply, outgoing).await {
            Err(PublishError::Returned {
                exchange, reason, ..
            }) => {
                session
                    .park(&exchange, &reply.key, outgoing, &reason)
                    .await?;
                self.counters.parked.add_one();
                error!(
                    exchange,
                    key = reply.key,
                    reason,
                    "no queue is bound for this answer; it is parked"
                );
                Ok(())
            }
            Err(e @ PublishError::Denied { .. }) if reply.exchange.is_some() => {
                self.counters.dropped.add_one();
                error!(error = %e, queue = reply.key, "an answer is lost");
                Ok(())
            }
            result => result,
        }
    }
}

async fn publish(
    session: &Session,
    reply: &ReplyTo,
    outgoing: &Outgoing,
) -> Result<(), PublishError> {
    match reply.exchange {
        Some(exchange) => session.send_message(exchange, &reply.key, outgoing).await,
        None => session.send_response(&reply.key, outgoing).await,
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

/// A request being handled, as its [`Sendback`] knows it.
struct Request {
    session: Weak<Session>,
    reply: ReplyTo,
    name: String,
    redelivered: bool,
    settled: AtomicBool,
    counters: Arc<Counters>,
}

impl Progress for Request {
    fn publish(&self, body: Vec<u8>) -> BoxFuture<'_, Result<(), Exception>> {
        Box::pin(async move {
            let lost = |why: &str| {
                Exception::builtin(
                    "IOError",
                    format!("The progress message was not sent: {why}"),
                )
            };
            if self.settled.load(Ordering::Acquire) {
                return Err(lost("the request is answered already"));
            }
            let session = self
                .session
                .upgrade()
                .ok_or_else(|| lost("the connection to RabbitMQ is gone"))?;
            match publish(&session, &self.reply, &progress(&self.reply, body)).await {
                Ok(()) => self.counters.progress.add_one(),
                // Nobody listens now, but the answer may still be wanted.
                Err(e @ PublishError::Returned { .. }) => {
                    warn!(error = %e, "a progress message was not taken")
                }
                Err(e) => return Err(lost(&e.to_string())),
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
