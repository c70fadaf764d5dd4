//! The way of one request: reply address and UUID, the handler, the answer, the acknowledgement.
//!
//! Whatever a request holds and whatever the handler does with it, exactly one thing comes out: an answer, an exception,
//! or, for a request with neither UUID nor reply address, a counted drop. Only when the broker has confirmed that message
//! is the request settled.
//!
//! A request that is delivered again is not carried out again if it need not be: see [`Answers`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use edeposit_amqp::types::AMQPValue;
use edeposit_amqp::{Message, Outgoing, PublishError, Settle};
use edeposit_pikadaemon::{OnMessage, Session};
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::Exception;
use crate::answers::Answers;
use crate::attempts::{Attempts, LIMIT, Slot};
use crate::counters::{Counters, InFlight};
use crate::execution::Execution;
use crate::fingerprint::Fingerprint;
use crate::keys::parse_key;
use crate::lines::Lines;
use crate::messages::{can_carry, exception};
use crate::progress::ProgressPublisher;
use crate::reply::ReplyTo;
use crate::text::{Quoted, cut};
use crate::uuid::UUID;
use crate::work::Work;

/// How long a request whose answer nobody takes is held back before it is tried again.
const KEPT_PAUSE: Duration = Duration::from_secs(30);

/// More of a reason than this does not go into a parked answer's header, in bytes.
const LONGEST_REASON: usize = 300;

/// A quorum queue counts deliveries. Since RabbitMQ 4.0 it throws a message away after the 20th; before that, the request
/// is set aside.
const MOST_DELIVERIES: i64 = 15;

/// Answers requests by a handler.
pub(crate) struct Responder {
    work: Arc<Work>,
    /// Where sessions live.
    runtime: Handle,
    out_key: String,
    answer_without_uuid: bool,
    attempts: Arc<Attempts>,
    answers: Arc<Answers>,
    /// As many requests at once as the prefetch allows, over all sessions: a handler may outlive its own.
    places: Arc<Semaphore>,
    sessions: watch::Sender<Option<Weak<dyn Session>>>,
    counters: Arc<Counters>,
    lines: Lines,
}

/// What a request holds while it is carried out.
struct Place {
    _place: OwnedSemaphorePermit,
    _suspect: Option<OwnedSemaphorePermit>,
    _slot: Option<Slot>,
}

impl OnMessage for Responder {
    fn on_session(&self, session: &Arc<dyn Session>) {
        self.answers.new_session();
        self.sessions.send_replace(Some(Arc::downgrade(session)));
    }

    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a dyn Session,
    ) -> BoxFuture<'a, Result<Settle, PublishError>> {
        // The message is boxed: futures that hand it on to each other would each have room for the whole of it.
        Box::pin(self.respond(Box::new(message), session))
    }
}

impl Responder {
    pub(crate) fn new(
        work: Work,
        runtime: Handle,
        out_key: String,
        answer_without_uuid: bool,
        attempts: Attempts,
        prefetch: u16,
    ) -> Self {
        Self {
            counters: Arc::clone(&work.counters),
            work: Arc::new(work),
            runtime,
            out_key,
            answer_without_uuid,
            attempts: Arc::new(attempts),
            answers: Arc::new(Answers::new(prefetch)),
            places: Arc::new(Semaphore::new(prefetch.into())),
            sessions: watch::Sender::new(None),
            lines: Lines::new(),
        }
    }

    /// The daemon is told to end: there is no further session, and what ends the process now is no request.
    pub(crate) fn close(&self) {
        self.answers.close();
        self.attempts.close();
    }

    /// How many handlers are at work for deliveries that are gone.
    pub(crate) fn unfinished(&self) -> usize {
        self.answers.running()
    }

    async fn respond(
        &self,
        message: Box<Message>,
        session: &dyn Session,
    ) -> Result<Settle, PublishError> {
        self.counters.received.add_one();
        if message.redelivered {
            self.counters.redelivered.add_one();
        }
        let in_flight = InFlight::new(&self.counters);
        let reply = ReplyTo::of(&message, &self.out_key).filter(|reply| {
            let uuid = reply.uuid.as_ref();
            uuid.is_none_or(|uuid| can_carry(uuid, session.frame_max()))
        });
        let settle = match reply {
            None => Box::pin(self.without_uuid(message, session)).await?,
            Some(reply) => {
                let span = info_span!("request", uuid = %Quoted(&reply.request_name()));
                let answering = self.answer(message, &reply, session);
                answering.instrument(span).await?
            }
        };
        in_flight.settled();
        Ok(settle)
    }

    async fn answer(
        &self,
        message: Box<Message>,
        reply: &ReplyTo,
        session: &dyn Session,
    ) -> Result<Settle, PublishError> {
        debug!(
            key = message.routing_key,
            bytes = message.body.len(),
            redelivered = message.redelivered,
            "received"
        );
        let fingerprint = self.attempts.key().fingerprint(&message);
        let mut execution = self.execution(fingerprint, message, reply, session).await?;
        if execution.is_answered() {
            self.counters.answered_before.add_one();
            execution.settled();
            return Ok(Settle::Ack);
        }
        let Some(mut outcome) = execution.outcome().await else {
            warn!("the handler's outcome is lost; the request is carried out again");
            self.counters.requeued.add_one();
            return Ok(Settle::Requeue);
        };
        let mut sent = self.send(session, reply, &outcome.message).await;
        if let (None, Err(PublishError::Denied { reason, .. })) = (&outcome.exception, &sent) {
            // Larger than the broker takes, for one.
            let bytes = outcome.message.body.len();
            let e = Exception::builtin(
                "OverflowError",
                format!("RabbitMQ denies the answer of {bytes} bytes: {reason}"),
            );
            let instead = Arc::new(self.work.exception(&e, reply, session.frame_max()));
            sent = Box::pin(self.send(session, reply, &instead.message)).await;
            // If this is denied too, size was not the reason, and the answer itself is still good.
            if sent.is_ok() {
                outcome = instead;
                execution.replace(Arc::clone(&outcome));
            }
        }
        match sent {
            // An address of the caller's own choice: trying again would change nothing, and keep the others waiting.
            Err(e @ PublishError::Denied { .. }) if reply.exchange.is_some() => {
                self.counters.dropped.add_one();
                let reason = e.to_string();
                if self.lines.lost.admits(&reason) {
                    error!(error = reason, queue = reply.key, "an answer is lost");
                }
            }
            Ok(()) => match &outcome.exception {
                Some(name) => self.counters.exception_named(name),
                None => self.counters.answered.add_one(),
            },
            Err(e) => return Err(e),
        }
        execution.settled();
        Ok(Settle::Ack)
    }

    /// Carries a request out, unless what comes of it is known already.
    async fn execution(
        &self,
        fingerprint: Option<Fingerprint>,
        message: Box<Message>,
        reply: &ReplyTo,
        session: &dyn Session,
    ) -> Result<Execution, PublishError> {
        let mut deaths = 0;
        if let Some(known) = fingerprint {
            if !message.redelivered {
                self.answers.forget(known);
            } else if let Some(kept) = self.answers.take(known) {
                self.counters.from_memory.add_one();
                if self.lines.known.admits("") {
                    info!(
                        "delivered again: not carried out again, its answer is known or under way"
                    );
                }
                return Ok(Execution::known(known, &self.answers, kept));
            } else {
                deaths = self.attempts.deaths(known);
            }
        }
        if deaths >= LIMIT || (message.redelivered && deliveries(&message) >= MOST_DELIVERIES) {
            let e = Box::pin(self.set_aside(&message, deaths, session)).await?;
            let outcome = self.work.exception(&e, reply, session.frame_max());
            let known = async { outcome };
            return Ok(Execution::new(fingerprint, &self.answers, known));
        }
        let place = self.place(fingerprint, deaths > 0).await;
        let progress = ProgressPublisher::new(
            self.sessions.subscribe(),
            self.runtime.clone(),
            reply.clone(),
            message.redelivered,
            Arc::clone(&self.counters),
        );
        let work = Arc::clone(&self.work);
        let frame_max = session.frame_max();
        let carrying_out = async move {
            let outcome = work.carry_out(message.body, progress, frame_max).await;
            drop(place);
            outcome
        };
        Ok(Execution::new(fingerprint, &self.answers, carrying_out))
    }

    /// Waits for its turn.
    async fn place(&self, request: Option<Fingerprint>, suspect: bool) -> Option<Place> {
        let turn = Arc::clone(&self.attempts.one_suspect);
        // Neither semaphore is ever closed.
        let suspect = match suspect {
            true => Some(turn.acquire_owned().await.ok()?),
            false => None,
        };
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Place {
            _place: place,
            _suspect: suspect,
            _slot: request.map(|request| self.attempts.begin(request)),
        })
    }

    /// Parks a request that is not carried out any more, and says what to tell its caller.
    async fn set_aside(
        &self,
        message: &Message,
        deaths: u8,
        session: &dyn Session,
    ) -> Result<Exception, PublishError> {
        let reason = if deaths >= LIMIT {
            format!("the daemon died {deaths} times while it was carried out")
        } else {
            format!(
                "it was delivered {} times and never answered",
                deliveries(message)
            )
        };
        match session.park_request(message, UUID, &reason).await {
            Ok(()) => error!(reason, "a request is set aside and parked"),
            Err(e) if e.is_session_lost() => return Err(e),
            // Its caller is told all the same: carrying it out again would end this process too.
            Err(e) => error!(reason, parking = %e, "a request is set aside; it cannot be parked"),
        }
        self.counters.poison.add_one();
        Ok(Exception::class(
            "edeposit.amqp.amqpdaemon.PoisonMessage",
            format!("The request is set aside: {reason}."),
        ))
    }

    /// As documented, such a request is thrown away; a setting has it answered as the original's code did.
    async fn without_uuid(
        &self,
        message: Box<Message>,
        session: &dyn Session,
    ) -> Result<Settle, PublishError> {
        if self.lines.without_uuid.admits(&message.routing_key) {
            warn!(
                key = message.routing_key,
                bytes = message.body.len(),
                answered = self.answer_without_uuid,
                "a request without a usable header UUID is not carried out: nobody could pair its answer"
            );
        }
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
            self.send(session, &reply, &outgoing).await?;
            self.counters.exception_named(&e.name);
            return Ok(Settle::Ack);
        }
        self.counters.dropped.add_one();
        Ok(Settle::Ack)
    }

    /// Sends the last message of a request. One that no queue takes is parked; if that fails too, both are tried again for
    /// as long as the session lasts: given back, a request would be thrown away after some tries by a queue that counts.
    async fn send(
        &self,
        session: &dyn Session,
        reply: &ReplyTo,
        outgoing: &Outgoing,
    ) -> Result<(), PublishError> {
        loop {
            let reason = match reply.send(session, outgoing).await {
                Err(e @ (PublishError::Returned { .. } | PublishError::Refused { .. })) => {
                    e.to_string()
                }
                result => return result,
            };
            let short_reason = cut(&reason, LONGEST_REASON);
            match session
                .park(reply.exchange, &reply.key, outgoing, short_reason)
                .await
            {
                Ok(()) => {
                    self.counters.parked.add_one();
                    if self.lines.parked.admits(&reason) {
                        error!(reason, "no queue takes this answer; it is parked");
                    }
                    return Ok(());
                }
                Err(e) if e.is_session_lost() => return Err(e),
                Err(e) if self.lines.kept.admits(&reason) => {
                    error!(reason, parking = %e, "no queue takes this answer, nor can it be parked; its request is kept");
                }
                Err(_) => {}
            }
            tokio::time::sleep(KEPT_PAUSE).await;
        }
    }
}

/// How often a quorum queue has delivered this before; other queues do not count.
fn deliveries(message: &Message) -> i64 {
    match message.header("x-delivery-count") {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::LongUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "responder_tests.rs"]
mod tests;
