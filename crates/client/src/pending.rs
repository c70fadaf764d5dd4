//! The calls in flight, by UUID.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edeposit_amqp::BasicProperties;
use tokio::sync::mpsc;
use tracing::{info, warn};
use uuid::Uuid;

use crate::Exception;
use crate::exception::text;

/// So many progress messages are kept for a call that does not read them; more are dropped.
const PROGRESS_KEPT: usize = 1000;

/// AMQP's property `type` of progress messages.
const PROGRESS: &str = "progress";

/// What came for a call.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Marked as progress.
    Progress(Vec<u8>),
    /// Not marked: the answer. The original's daemons mark nothing, so from them it may be progress.
    Answer(Vec<u8>),
    Exception(Exception),
}

/// All calls in flight of one client.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    calls: Mutex<HashMap<Uuid, Slot>>,
    unclaimed: AtomicU64,
}

#[derive(Debug)]
struct Slot {
    replies: mpsc::UnboundedSender<Reply>,
    waiting: Arc<AtomicUsize>,
    told: AtomicBool,
}

/// A call's place among those in flight; dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) uuid: Uuid,
    replies: mpsc::UnboundedReceiver<Reply>,
    waiting: Arc<AtomicUsize>,
    pending: Arc<Pending>,
}

impl Pending {
    /// Registers a new call under a new UUID.
    pub(crate) fn register(self: &Arc<Self>) -> Waiting {
        let uuid = Uuid::new_v4();
        let (sender, replies) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let slot = Slot {
            replies: sender,
            waiting: Arc::clone(&waiting),
            told: AtomicBool::new(false),
        };
        self.calls().insert(uuid, slot);
        Waiting {
            uuid,
            replies,
            waiting,
            pending: Arc::clone(self),
        }
    }

    /// Hands a message to the call it belongs to. One that belongs to none is counted and logged.
    pub(crate) fn deliver(&self, properties: &BasicProperties, body: Vec<u8>) {
        let uuid = uuid_of(properties);
        let reply = read(properties, body);
        let calls = self.calls();
        let Some(slot) = uuid.and_then(|uuid| calls.get(&uuid)) else {
            drop(calls);
            self.unclaimed.fetch_add(1, Ordering::Relaxed);
            info!(
                uuid = uuid.map(tracing::field::display),
                "a message came for no call in flight: too late, or a second time"
            );
            return;
        };
        let is_progress = matches!(reply, Reply::Progress(_));
        if is_progress && slot.waiting.load(Ordering::Relaxed) >= PROGRESS_KEPT {
            if !slot.told.swap(true, Ordering::Relaxed) {
                warn!(
                    uuid = uuid.map(tracing::field::display),
                    "progress messages are dropped: the caller does not read them"
                );
            }
            return;
        }
        slot.waiting.fetch_add(1, Ordering::Relaxed);
        // A call that is just being dropped does not want it any more.
        let _ = slot.replies.send(reply);
    }

    /// Ends all calls: nothing will come any more.
    pub(crate) fn close(&self) {
        self.calls().clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.calls().len()
    }

    /// How many messages came for no call in flight.
    pub(crate) fn unclaimed(&self) -> u64 {
        self.unclaimed.load(Ordering::Relaxed)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Uuid, Slot>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The next message; None if there will be none any more.
    pub(crate) async fn next(&mut self) -> Option<Reply> {
        let reply = self.replies.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(reply)
    }

    /// A message that is there already.
    pub(crate) fn next_now(&mut self) -> Option<Reply> {
        let reply = self.replies.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(reply)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pending.calls().remove(&self.uuid);
    }
}

/// The header `UUID`, else AMQP's `correlation_id`.
fn uuid_of(properties: &BasicProperties) -> Option<Uuid> {
    let headers = properties.headers().as_ref();
    let header = headers.and_then(|headers| text(headers.inner().get("UUID")?));
    match header {
        Some(uuid) => Uuid::parse_str(&uuid).ok(),
        None => Uuid::parse_str(properties.correlation_id().as_ref()?.as_str()).ok(),
    }
}

fn read(properties: &BasicProperties, body: Vec<u8>) -> Reply {
    let headers = properties.headers().as_ref();
    if let Some(exception) = headers.and_then(|headers| Exception::read(headers, &body)) {
        return Reply::Exception(exception);
    }
    let kind = properties.kind().as_ref();
    if kind.is_some_and(|kind| kind.as_str() == PROGRESS) {
        Reply::Progress(body)
    } else {
        Reply::Answer(body)
    }
}

#[cfg(test)]
mod tests {
    use edeposit_amqp::types::{AMQPValue, FieldTable};

    use super::*;

    fn with_header(uuid: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert("UUID".into(), AMQPValue::LongString(uuid.into()));
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn header_and_correlation_id_pair_alike() {
        let pending = Arc::new(Pending::default());
        let mut call = pending.register();
        let uuid = call.uuid.to_string();
        pending.deliver(&with_header(&uuid), b"1".to_vec());
        let properties = BasicProperties::default().with_correlation_id(uuid.as_str().into());
        pending.deliver(&properties, b"2".to_vec());
        for body in ["1", "2"] {
            assert!(matches!(call.next_now(), Some(Reply::Answer(b)) if b == body.as_bytes()));
        }
        assert_eq!(pending.unclaimed(), 0);
    }

    #[test]
    fn a_dropped_call_frees_its_place_and_its_answer_is_counted() {
        let pending = Arc::new(Pending::default());
        let call = pending.register();
        let uuid = call.uuid.to_string();
        assert_eq!(pending.len(), 1);
        drop(call);
        assert_eq!(pending.len(), 0);
        pending.deliver(&with_header(&uuid), b"late".to_vec());
        pending.deliver(&with_header("not a uuid"), b"stray".to_vec());
        pending.deliver(&BasicProperties::default(), b"stray".to_vec());
        assert_eq!(pending.unclaimed(), 3);
    }

    #[test]
    fn progress_nobody_reads_is_dropped_but_never_the_answer() {
        let pending = Arc::new(Pending::default());
        let mut call = pending.register();
        let uuid = call.uuid.to_string();
        for _ in 0..2 * PROGRESS_KEPT {
            pending.deliver(
                &with_header(&uuid).with_type(PROGRESS.into()),
                b"p".to_vec(),
            );
        }
        pending.deliver(&with_header(&uuid), b"answer".to_vec());
        let mut progress = 0;
        while let Some(Reply::Progress(_)) = call.next_now() {
            progress += 1;
        }
        assert_eq!(progress, PROGRESS_KEPT);
    }
}
