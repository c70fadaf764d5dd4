//! Publishing, on whatever session there is, until the broker has confirmed.

use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{Outgoing, PublishError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::session::Live;
use crate::supervisor::{Standing, Standings};
use crate::{CallError, Request};

/// The largest message RabbitMQ takes unless configured otherwise, in bytes.
const LARGEST: usize = 128 * 1024 * 1024;
const LONGEST_NAME: usize = 255;

/// The end of the time a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    pub(crate) fn after(after: Duration) -> Self {
        /// Far beyond any use, and near enough for the clock.
        const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
        let after = after.min(LONGEST);
        Self {
            at: Instant::now() + after,
            after,
        }
    }

    /// The future's output, or the error that the time is over.
    pub(crate) async fn bound<F: Future>(
        &self,
        request: Request,
        future: F,
    ) -> Result<F::Output, CallError> {
        timeout_at(self.at, future)
            .await
            .map_err(|_| CallError::TimedOut {
                after: self.after,
                request,
            })
    }
}

/// A message with its address.
pub(crate) struct Parcel {
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) message: Outgoing,
    /// What the tool calls the submodule, for messages.
    pub(crate) submodule: String,
    /// Held until the message is off our hands, whatever becomes of the call.
    pub(crate) _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// A JSON message with the header `UUID`.
pub(crate) fn message(uuid: Uuid, body: Vec<u8>) -> Outgoing {
    let mut headers = FieldTable::default();
    headers.insert(
        "UUID".into(),
        AMQPValue::LongString(uuid.to_string().into()),
    );
    Outgoing {
        content_type: "application/json",
        headers,
        body,
        ..Outgoing::default()
    }
}

/// Publishes a message by the deadline and returns the session on which the broker has confirmed it. Waits for a session if
/// there is none; a message that was not sent is published on the next one, one that may have been sent never.
pub(crate) async fn publish(
    mut standing: Standings,
    parcel: Parcel,
    deadline: Deadline,
) -> Result<Arc<Live>, CallError> {
    check(&parcel)?;
    let parcel = Arc::new(parcel);
    loop {
        let decided = standing
            .wait_for(|standing| standing.live().is_some() || matches!(standing, Standing::Closed));
        let live = match deadline.bound(Request::NotSent, decided).await? {
            Ok(standing) => standing.live().cloned(),
            Err(_) => None,
        };
        let Some(live) = live else {
            return Err(CallError::Lost {
                reason: "the client was closed".to_owned(),
                request: Request::NotSent,
            });
        };
        let Some(turn) = deadline.bound(Request::NotSent, live.turn()).await? else {
            continue;
        };
        let sent = Arc::clone(&parcel);
        // A task of its own: a channel must see its confirm even if the caller has gone.
        let publishing = tokio::spawn(async move {
            turn.publish(&sent.exchange, &sent.routing_key, &sent.message)
                .await
        });
        match deadline.bound(Request::Unknown, publishing).await? {
            Ok(Ok(())) => return Ok(live),
            Ok(Err(PublishError::NotSent(_))) => {}
            Ok(Err(error)) => return Err(failed(error, &parcel)),
            Err(failure) => {
                return Err(CallError::Lost {
                    reason: format!("publishing failed: {failure}"),
                    request: Request::Unknown,
                });
            }
        }
    }
}

fn check(parcel: &Parcel) -> Result<(), CallError> {
    let bytes = parcel.message.body.len();
    if bytes > LARGEST {
        return Err(CallError::TooLarge {
            bytes,
            limit: LARGEST,
        });
    }
    for name in [&parcel.exchange, &parcel.routing_key] {
        if name.len() > LONGEST_NAME {
            return Err(CallError::NameTooLong { name: name.clone() });
        }
    }
    Ok(())
}

fn failed(error: PublishError, parcel: &Parcel) -> CallError {
    match error {
        PublishError::Returned { .. } => CallError::Unroutable {
            exchange: parcel.exchange.clone(),
            routing_key: parcel.routing_key.clone(),
            submodule: parcel.submodule.clone(),
        },
        PublishError::Refused { .. } | PublishError::Denied { .. } => CallError::Refused {
            reason: error.to_string(),
        },
        error => CallError::Lost {
            reason: error.to_string(),
            request: Request::Unknown,
        },
    }
}
