//! The client: many calls over one pair of connections.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::call::decode;
use crate::confirmed::{Deadline, Parcel, message, publish};
use crate::destination::Destination;
use crate::inbox::{own_key, queue_name};
use crate::pending::Pending;
use crate::session::DIRECT;
use crate::supervisor::Supervisor;
use crate::{Call, CallError, RawCall, Replies, Request};

/// Calls the daemon of one submodule. Cheap to clone; clones share the connections, which are closed when the last one is
/// dropped or by [`Client::close`]. What it guarantees is in the crate's documentation.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Duration,
}

pub(crate) struct Shared {
    pub(crate) destination: Arc<Destination>,
    pub(crate) replies: Replies,
    pub(crate) pending: Arc<Pending>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) supervisor: Supervisor,
}

impl Client {
    pub(crate) fn new(shared: Shared, deadline: Duration) -> Self {
        Self {
            shared: Arc::new(shared),
            deadline,
        }
    }

    /// The same client, on the same connections, whose calls may take this long.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            deadline,
        }
    }

    /// Asks, and waits for the answer; progress messages are passed over.
    ///
    /// # Errors
    /// The daemon answered with an exception, or there is no answer; see [`CallError`].
    pub async fn call<Q, R>(&self, request: &Q) -> Result<R, CallError>
    where
        Q: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        decode(&self.call_raw(encode(request)?).await?)
    }

    /// [`Client::call`] with a deadline of its own.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_within<Q, R>(&self, request: &Q, deadline: Duration) -> Result<R, CallError>
    where
        Q: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        self.within(deadline).call(request).await
    }

    /// Asks; returns when the broker has confirmed the request. Progress messages and the answer are read from the [`Call`].
    ///
    /// # Errors
    /// The request was not confirmed; see [`CallError`].
    pub async fn call_with_progress<Q, P, R>(&self, request: &Q) -> Result<Call<P, R>, CallError>
    where
        Q: Serialize + ?Sized,
        P: DeserializeOwned,
        R: DeserializeOwned,
    {
        let raw = self.call_raw_with_progress(encode(request)?).await?;
        Ok(Call::new(raw))
    }

    /// [`Client::call`] in bytes.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_raw(&self, body: Vec<u8>) -> Result<Vec<u8>, CallError> {
        self.call_raw_with_progress(body).await?.answer().await
    }

    /// [`Client::call_with_progress`] in bytes.
    ///
    /// # Errors
    /// As [`Client::call_with_progress`].
    pub async fn call_raw_with_progress(&self, body: Vec<u8>) -> Result<RawCall, CallError> {
        let deadline = Deadline::after(self.deadline);
        let permit = Arc::new(self.permit(&deadline).await?);
        let mut waiting = self.shared.pending.register();
        let parcel = self.shared.request(&waiting.uuid, body, &permit);
        let standing = self.shared.supervisor.standing();
        let (live, ahead) = match publish(standing, parcel, deadline).await {
            Ok(live) => (Some(live), None),
            // The confirm was lost, but an answer proves more than it would have.
            Err(error) => match waiting.next_now() {
                Some(reply) => (None, Some(reply)),
                None => return Err(error),
            },
        };
        let tied_to = live
            .filter(|_| self.shared.replies == Replies::Direct)
            .map(|live| Arc::clone(&live.loss));
        Ok(RawCall::new(waiting, deadline, tied_to, ahead, permit))
    }

    /// Sends a request without waiting for its answer, and returns its UUID when the broker has confirmed it. The answer
    /// goes the way of the original's callers: to the submodule's output queue, for whoever reads that.
    ///
    /// # Errors
    /// The request was not confirmed; see [`CallError`].
    pub async fn send<Q: Serialize + ?Sized>(&self, request: &Q) -> Result<String, CallError> {
        self.send_raw(encode(request)?).await
    }

    /// [`Client::send`] in bytes.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_raw(&self, body: Vec<u8>) -> Result<String, CallError> {
        let deadline = Deadline::after(self.deadline);
        let permit = Arc::new(self.permit(&deadline).await?);
        let uuid = uuid::Uuid::new_v4();
        let submodule = &self.shared.destination.submodule;
        let parcel = Parcel {
            exchange: submodule.exchange.clone(),
            routing_key: submodule.in_key.clone(),
            message: message(uuid, body),
            submodule: submodule.name.clone(),
            _permit: Some(permit),
        };
        let standing = self.shared.supervisor.standing();
        publish(standing, parcel, deadline).await?;
        Ok(uuid.to_string())
    }

    /// How many calls are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.pending.len()
    }

    /// How many messages came for no call in flight: too late, for calls that were dropped, or a second time.
    #[must_use]
    pub fn unclaimed(&self) -> u64 {
        self.shared.pending.unclaimed()
    }

    /// Closes the connections and deletes the queue of the answers, for all clones. Calls in flight end with
    /// [`CallError::Lost`].
    pub async fn close(&self) {
        self.shared.supervisor.close().await;
    }

    async fn permit(&self, deadline: &Deadline) -> Result<OwnedSemaphorePermit, CallError> {
        let permits = Arc::clone(&self.shared.permits);
        let acquired = deadline
            .bound(Request::NotSent, permits.acquire_owned())
            .await?;
        acquired.map_err(|_| CallError::Lost {
            reason: "the client was closed".to_owned(),
            request: Request::NotSent,
        })
    }
}

impl Shared {
    fn request(
        &self,
        uuid: &uuid::Uuid,
        body: Vec<u8>,
        permit: &Arc<OwnedSemaphorePermit>,
    ) -> Parcel {
        let Destination {
            submodule, name, ..
        } = &*self.destination;
        let mut message = message(*uuid, body);
        let mut routing_key = submodule.in_key.clone();
        let reply_to = match self.replies {
            Replies::SharedExchange => {
                routing_key = own_key(name, &submodule.in_key);
                None
            }
            Replies::ReplyTo => Some(queue_name(name)),
            Replies::Direct => Some(DIRECT.to_owned()),
        };
        message.reply_to = reply_to.map(Into::into);
        // Also without reply_to: it asks for progress messages to be marked.
        message.correlation_id = Some(uuid.to_string().into());
        Parcel {
            exchange: submodule.exchange.clone(),
            routing_key,
            message,
            submodule: submodule.name.clone(),
            _permit: Some(Arc::clone(permit)),
        }
    }
}

pub(crate) fn encode<Q: Serialize + ?Sized>(request: &Q) -> Result<Vec<u8>, CallError> {
    edeposit_serializers::to_vec(request).map_err(|error| CallError::Encode(Box::new(error)))
}
