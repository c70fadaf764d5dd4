//! A request as its handler knows it through [`Sendback`](crate::Sendback): it reports progress on whatever session there
//! is.

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
use crate::headers::progress;
use crate::reply::ReplyTo;
use crate::sendback::Progress;

/// The session that lives, if any.
pub(crate) type Sessions = watch::Receiver<Weak<Session>>;

/// A request being carried out.
pub(crate) struct Request {
    pub(crate) sessions: Sessions,
    /// Where sessions live.
    pub(crate) runtime: Handle,
    pub(crate) reply: ReplyTo,
    pub(crate) name: String,
    pub(crate) redelivered: bool,
    pub(crate) settled: AtomicBool,
    pub(crate) counters: Arc<Counters>,
}

/// Publishes on the session that lives, waiting for the next one as often as need be: the handler has a time limit of its
/// own.
async fn publish_on_any(
    mut sessions: Sessions,
    reply: ReplyTo,
    message: Outgoing,
) -> Result<(), PublishError> {
    loop {
        let session = sessions.borrow_and_update().upgrade();
        if let Some(session) = session {
            match publish(&session, &reply, &message).await {
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

/// Publishes to where the caller wants its answer.
pub(crate) async fn publish(
    session: &Session,
    reply: &ReplyTo,
    message: &Outgoing,
) -> Result<(), PublishError> {
    match reply.exchange {
        Some(exchange) => session.send_message(exchange, &reply.key, message).await,
        None => session.send_response(&reply.key, message).await,
    }
}

impl Progress for Request {
    fn publish(&self, body: Vec<u8>) -> BoxFuture<'_, Result<(), Exception>> {
        Box::pin(async move {
            if self.settled.load(Ordering::Acquire) {
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
