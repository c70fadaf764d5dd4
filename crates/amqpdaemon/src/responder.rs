//! The way of one request: reply address and UUID, the handler, the answer, the acknowledgement.
//!
//! Whatever a request holds and whatever the handler does with it, exactly one thing comes out: an answer, an exception,
//! or, for a request with neither UUID nor reply address, a counted drop. Only when the broker has confirmed that message is the request settled.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use edeposit_pikadaemon::types::AMQPValue;
use edeposit_pikadaemon::{Message, OnMessage, Outgoing, PublishError, Session, Settle};
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::counters::Counters;
use crate::headers::{answer, can_carry, cut, exception, parse_key, progress};
use crate::reply::ReplyTo;
use crate::sendback::Progress;
use crate::{Exception, React, Sendback};

/// How long a request whose answer nobody takes is held back before it is tried again.
const KEPT_PAUSE: Duration = Duration::from_secs(30);

/// More of an exception's text than this does not go into a log line, in bytes.
const LONGEST_LOGGED: usize = 300;

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
        let reply = ReplyTo::of(&message, &self.out_key).filter(|reply| {
            let uuid = reply.uuid.as_ref();
            uuid.is_none_or(|uuid| can_carry(uuid, session.frame_max()))
        });
        let Some(reply) = reply else {
            return self.without_uuid(message, session).await;
        };
        let span = info_span!("request", uuid = reply.request_name());
        self.answer(message, &reply, session).instrument(span).await
    }

    async fn answer(
        &self,
        message: Message,
        reply: &ReplyTo,
        session: &Arc<Session>,
    ) -> Result<Settle, PublishError> {
        debug!(
            key = message.routing_key,
            bytes = message.body.len(),
            redelivered = message.redelivered,
            "received"
        );
        let e = match self.react(message, reply, session).await? {
            Err(e) => e,
            Ok(body) => {
                let bytes = body.len();
                match self.send(session, reply, &answer(reply, body)).await {
                    // Larger than the broker takes, for one.
                    Err(PublishError::Denied { reason, .. }) => Exception::builtin(
                        "OverflowError",
                        format!("RabbitMQ denies the answer of {bytes} bytes: {reason}"),
                    ),
                    Err(e) => return Err(e),
                    Ok(settle) => {
                        self.counters.answered.add_one();
                        return Ok(settle);
                    }
                }
            }
        };
        info!(
            exception = e.name,
            text = cut(&e.message, LONGEST_LOGGED),
            "answering with an exception"
        );
        let outgoing = exception(&e, reply, self.tracebacks, session.frame_max());
        match self.send(session, reply, &outgoing).await {
            // An address of the caller's own choice: trying again would change nothing, and keep the others waiting.
            Err(e @ PublishError::Denied { .. }) if reply.exchange.is_some() => {
                self.counters.dropped.add_one();
                error!(error = %e, queue = reply.key, "an answer is lost");
                Ok(Settle::Ack)
            }
            settle => {
                let settle = settle?;
                self.counters.exceptions.add_one();
                Ok(settle)
            }
        }
    }

    /// As documented, such a request is thrown away; a setting has it answered as the original's code did.
    async fn without_uuid(
        &self,
        message: Message,
        session: &Session,
    ) -> Result<Settle, PublishError> {
        warn!(
            key = message.routing_key,
            bytes = message.body.len(),
            answered = self.answer_without_uuid,
            "a request without a usable header UUID is not carried out: nobody could pair its answer"
        );
        if self.answer_without_uuid {
            let e = Exception::value_error("No UUID provided, message ignored.");
            let reply = ReplyTo {
                exchange: None,
                key: parse_key(&message.routing_key, &self.out_key),
                uuid: Some(AMQPValue::LongString("".into())),
                correlation_id: None,
                marks_progress: false,
            };
            let mut outgoing = exception(&e, &reply, false, session.frame_max());
            outgoing.body = message.body;
            let settle = self.send(session, &reply, &outgoing).await?;
            self.counters.exceptions.add_one();
            return Ok(settle);
        }
        self.counters.dropped.add_one();
        Ok(Settle::Ack)
    }

    /// Runs the handler; whatever happens to it, there is a result, unless the session was lost under it.
    async fn react(
        &self,
        message: Message,
        reply: &ReplyTo,
        session: &Arc<Session>,
    ) -> Result<Result<Vec<u8>, Exception>, PublishError> {
        if message.body.len() > self.max_request_size {
            return Ok(Err(Exception::value_error(format!(
                "The request has {} bytes; this daemon accepts {} (RABBITMQ_MAX_REQUEST_SIZE).",
                message.body.len(),
                self.max_request_size
            ))));
        }
        let progress = Arc::new(Request {
            session: Arc::downgrade(session),
            reply: reply.clone(),
            name: reply.request_name(),
            redelivered: message.redelivered,
            settled: AtomicBool::new(false),
            failure: Mutex::new(None),
            counters: Arc::clone(&self.counters),
        });
        let sendback = Sendback::new(Arc::clone(&progress) as Arc<dyn Progress>);
        let react = Arc::clone(&self.react);
        let handling = async move { react.react(message.body, sendback).await };
        // Given up with the session, for the request goes back to the queue. (A handler that blocks cannot be given up.)
        let mut job = AbortOnDropHandle::new(self.handlers.spawn(handling.in_current_span()));
        let result = match timeout(self.handler_timeout, &mut job).await {
            Ok(Ok(result)) => result,
            Ok(Err(failure)) => Err(crashed(failure)),
            Err(_) => Err(self.timed_out()),
        };
        progress.settled.store(true, Ordering::Release);
        let failure = progress
            .failure
            .lock()
            .ok()
            .and_then(|mut failure| failure.take());
        match failure {
            Some(e) => Err(e),
            None => Ok(result),
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

    /// Sends the last message of a request. One that no queue takes is parked; if that fails too, the request stays.
    async fn send(
        &self,
        session: &Session,
        reply: &ReplyTo,
        outgoing: &Outgoing,
    ) -> Result<Settle, PublishError> {
        let reason = match publish(session, reply, outgoing).await {
            Ok(()) => return Ok(Settle::Ack),
            Err(e @ (PublishError::Returned { .. } | PublishError::Refused { .. })) => {
                e.to_string()
            }
            Err(e) => return Err(e),
        };
        let short_reason = cut(&reason, LONGEST_LOGGED);
        match session
            .park(reply.exchange, &reply.key, outgoing, short_reason)
            .await
        {
            Ok(()) => {
                self.counters.parked.add_one();
                error!(reason, "no queue takes this answer; it is parked");
                Ok(Settle::Ack)
            }
            Err(e) if e.is_session_lost() => Err(e),
            Err(e) => {
                error!(reason, parking = %e, "no queue takes this answer, nor can it be parked; its request is kept");
                tokio::time::sleep(KEPT_PAUSE).await;
                Ok(Settle::Requeue)
            }
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
    /// What ended the session while a progress message was on its way, whatever the handler made of it.
    failure: Mutex<Option<PublishError>>,
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
                Err(e) if e.is_session_lost() => {
                    let lost = lost(&e.to_string());
                    if let Ok(mut failure) = self.failure.lock() {
                        *failure = Some(e);
                    }
                    return Err(lost);
                }
                // Nobody takes it now, but the answer may still be wanted.
                Err(e) => warn!(error = %e, "a progress message was not taken"),
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
