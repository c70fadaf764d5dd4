//! For tests: a session without a broker, which records what is published and lets become of it what the test says; and a
//! daemon's responder on the test's own runtime.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{BasicProperties, Message, Outgoing, PublishError, Settle};
use edeposit_pikadaemon::{OnMessage, Session};
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::attempts::Attempts;
use crate::counters::Counters;
use crate::handlers::Handlers;
use crate::progress::ProgressPublisher;
use crate::reply::ReplyTo;
use crate::responder::Responder;
use crate::stuck::Stuck;
use crate::uuid::UUID;
use crate::work::Work;
use crate::{Exception, React, Sendback};

/// What becomes of a message that is published.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Confirmed,
    /// No queue is bound.
    Returned,
    /// The broker could not take it.
    Refused,
    /// The broker does not take it: AMQP's reply code and its words.
    Denied(u16, &'static str),
    /// The connection is lost; whether the message arrived is not known.
    Lost,
    /// The broker does not confirm it in time.
    Timeout,
    /// The broker says nothing, and it is still waited for.
    Pending,
}

/// What was published, whatever became of it.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    /// An answer or a progress message. No exchange: the output exchange.
    Sent {
        exchange: Option<String>,
        key: String,
        message: Outgoing,
    },
    ParkedAnswer {
        exchange: Option<String>,
        key: String,
        message: Outgoing,
        reason: String,
    },
    ParkedRequest {
        body: String,
        needed: String,
        reason: String,
    },
}

impl Published {
    /// What was sent; nothing that was parked.
    pub(crate) fn sent(&self) -> (Option<&str>, &str, &Outgoing) {
        match self {
            Self::Sent {
                exchange,
                key,
                message,
            } => (exchange.as_deref(), key, message),
            parked => panic!("{parked:?}"),
        }
    }

    /// The body of what was sent.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.sent().2.body.clone()).unwrap()
    }

    /// The text in a header of what was sent.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        match self.sent().2.headers.inner().get(name)? {
            AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into()),
            other => Some(format!("{other:?}")),
        }
    }

    /// The name of the exception that was sent, if it was one.
    pub(crate) fn exception(&self) -> Option<String> {
        self.header("exception_name")
    }
}

/// A session without a broker.
#[derive(Debug, Default)]
pub(crate) struct ScriptedSession {
    script: Mutex<VecDeque<Fate>>,
    published: Mutex<Vec<Published>>,
}

impl ScriptedSession {
    /// What becomes of the next messages, one after the other. All others are confirmed.
    pub(crate) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.script.lock().unwrap().extend(fates);
    }

    /// What has been published so far.
    pub(crate) fn published(&self) -> Vec<Published> {
        self.published.lock().unwrap().clone()
    }

    /// The bodies of what has been sent so far.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.published().iter().map(Published::text).collect()
    }

    /// What has been published: one message.
    pub(crate) fn only(&self) -> Published {
        let mut all = self.published();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn publish(&self, what: Published) -> BoxFuture<'_, Result<(), PublishError>> {
        self.published.lock().unwrap().push(what);
        let fate = self.script.lock().unwrap().pop_front();
        let (exchange, routing_key) = ("out".to_owned(), "key".to_owned());
        Box::pin(async move {
            Err(match fate.unwrap_or(Fate::Confirmed) {
                Fate::Confirmed => return Ok(()),
                Fate::Pending => return std::future::pending().await,
                Fate::Returned => PublishError::Returned {
                    exchange,
                    routing_key,
                    reason: "NO_ROUTE".to_owned(),
                },
                Fate::Refused => PublishError::Refused {
                    exchange,
                    routing_key,
                },
                Fate::Denied(code, reason) => PublishError::Denied {
                    exchange,
                    code,
                    reason: reason.to_owned(),
                },
                Fate::Lost => {
                    PublishError::Lost(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())
                }
                Fate::Timeout => PublishError::Timeout {
                    after: Duration::from_secs(30),
                },
            })
        })
    }
}

impl Session for ScriptedSession {
    fn send_message<'a>(
        &'a self,
        exchange: &'a str,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.publish(Published::Sent {
            exchange: Some(exchange.to_owned()),
            key: routing_key.to_owned(),
            message: message.clone(),
        })
    }

    fn send_response<'a>(
        &'a self,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.publish(Published::Sent {
            exchange: None,
            key: routing_key.to_owned(),
            message: message.clone(),
        })
    }

    fn park<'a>(
        &'a self,
        exchange: Option<&'a str>,
        routing_key: &'a str,
        message: &'a Outgoing,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.publish(Published::ParkedAnswer {
            exchange: exchange.map(str::to_owned),
            key: routing_key.to_owned(),
            message: message.clone(),
            reason: reason.to_owned(),
        })
    }

    fn park_request<'a>(
        &'a self,
        request: &'a Message,
        needed: &'a str,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.publish(Published::ParkedRequest {
            body: String::from_utf8_lossy(&request.body).into_owned(),
            needed: needed.to_owned(),
            reason: reason.to_owned(),
        })
    }

    fn frame_max(&self) -> usize {
        131_072
    }
}

/// A reaction made of a function from text and sendback to text.
pub(crate) struct Reacts<F>(pub(crate) F);

impl<F, Fut> React for Reacts<F>
where
    F: Fn(String, Sendback) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Exception>> + Send + 'static,
{
    fn react(
        &self,
        body: Vec<u8>,
        sendback: Sendback,
    ) -> BoxFuture<'_, Result<Vec<u8>, Exception>> {
        let reacting = (self.0)(String::from_utf8_lossy(&body).into_owned(), sendback);
        Box::pin(async move { reacting.await.map(String::into_bytes) })
    }
}

/// How long a handler may take.
pub(crate) const HANDLER_TIMEOUT: Duration = Duration::from_secs(600);

/// A handler's work with the limits of the tests, on the test's own runtime.
pub(crate) fn work<F, Fut>(react: F) -> Work
where
    F: Fn(String, Sendback) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Exception>> + Send + 'static,
{
    Work {
        react: Arc::new(Reacts(react)),
        handler_timeout: HANDLER_TIMEOUT,
        max_request_size: 1000,
        tracebacks: true,
        handlers: Arc::new(Handlers::on_this_runtime()),
        stuck: Arc::new(Stuck::new(CancellationToken::new())),
        counters: Arc::new(Counters::default()),
    }
}

/// The way of a request's progress messages, without a session.
pub(crate) fn progress_of(request: &Message) -> ProgressPublisher {
    let sessions = watch::Sender::new(None);
    let reply = ReplyTo::of(request, "result").unwrap();
    let counters = Arc::new(Counters::default());
    ProgressPublisher::new(
        sessions.subscribe(),
        Handle::current(),
        reply,
        false,
        counters,
    )
}

/// A daemon without a broker.
#[derive(Clone)]
pub(crate) struct Daemon {
    pub(crate) responder: Arc<Responder>,
    pub(crate) counters: Arc<Counters>,
}

impl Daemon {
    /// It answers by this function, up to four requests at once, and keeps no record of what is in hand.
    pub(crate) fn new<F, Fut>(react: F) -> Self
    where
        F: Fn(String, Sendback) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, Exception>> + Send + 'static,
    {
        Self::with(work(react), Attempts::unrecorded(), false)
    }

    /// The same with this record, and with requests without UUID answered if so wanted.
    pub(crate) fn with(work: Work, attempts: Attempts, answer_without_uuid: bool) -> Self {
        let counters = Arc::clone(&work.counters);
        let out_key = "result".to_owned();
        let runtime = Handle::current();
        let responder = Responder::new(
            work,
            runtime,
            out_key,
            answer_without_uuid,
            attempts,
            PREFETCH,
        );
        Self {
            responder: Arc::new(responder),
            counters,
        }
    }

    /// A new session, in place of the last one.
    pub(crate) fn session(&self) -> Arc<ScriptedSession> {
        let session = Arc::new(ScriptedSession::default());
        let shared: Arc<dyn Session> = Arc::clone(&session) as _;
        self.responder.on_session(&shared);
        session
    }

    /// Deals with a delivery.
    pub(crate) async fn deliver(
        &self,
        message: Message,
        session: &Arc<ScriptedSession>,
    ) -> Result<Settle, PublishError> {
        let session: &dyn Session = session.as_ref();
        self.responder.on_message_received(message, session).await
    }
}

/// Requests at once.
pub(crate) const PREFETCH: u16 = 4;

/// A request by the original's convention.
pub(crate) fn request(uuid: &str, body: &str) -> Message {
    let mut headers = FieldTable::default();
    headers.insert(UUID.into(), AMQPValue::LongString(uuid.into()));
    Message {
        properties: BasicProperties::default().with_headers(headers),
        ..request_without_uuid(body)
    }
}

/// One that nobody could pair an answer with.
pub(crate) fn request_without_uuid(body: &str) -> Message {
    Message {
        exchange: "in".to_owned(),
        routing_key: "search.request".to_owned(),
        redelivered: false,
        properties: BasicProperties::default(),
        body: body.as_bytes().to_vec(),
    }
}

/// A request by AMQP's own convention.
pub(crate) fn request_to(queue: &str, correlation_id: &str, body: &str) -> Message {
    Message {
        properties: BasicProperties::default()
            .with_reply_to(queue.into())
            .with_correlation_id(correlation_id.into()),
        ..request_without_uuid(body)
    }
}

/// The same message, delivered again.
pub(crate) fn again(message: Message) -> Message {
    Message {
        redelivered: true,
        ..message
    }
}
