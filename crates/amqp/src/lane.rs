//! A lane: one channel with many small messages in flight.
//!
//! The broker sends back a message that no queue takes, then confirms it. The client library gives a message that came
//! back to whichever confirm it deals with next, which may be another message's. So a confirm by itself says nothing;
//! what holds is this:
//!
//! - The library deals with one confirm after the other, and a message comes back before its own confirm. A confirm without
//!   a returned message therefore means that none was waiting then: if its own message came back, an earlier confirm
//!   carries it.
//! - The lane's one task takes *all* confirms that are there, and only then decides. If none of them carries a returned
//!   message, each is what it says.
//! - If one does, the lane takes nothing new until nothing is in flight. Then no returned message is left in the library
//!   either, and each is found by its content among the messages confirmed since. Equal messages are interchangeable.
//!
//! A returned message that is not found, because it came back changed, leaves the messages it may have been unclear: they
//! are published again, each on a channel of its own. So are all that were in flight when the broker closed the lane because
//! of one of them: the guilty one gets its error there, the others may arrive twice. If the library had more to send on the
//! closed channel, the broker ends the whole connection; then all are lost, and published again on the next.
//!
//! While a message has come back, the slowest confirm holds up all others, for as long as a publish may take.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use futures::Stream;
use futures::stream::FuturesUnordered;
use futures::task::AtomicWaker;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::refusal::refusal;

/// A message for the lane.
pub(crate) struct Letter {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
    /// Whoever publishes it; dropped without a verdict if the lane ends.
    pub(crate) publisher: oneshot::Sender<Verdict>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is safe in the broker.
    Confirmed,
    /// No queue takes it: the broker's words.
    Returned(String),
    /// The broker could not take responsibility for it.
    Refused,
    /// It may be in the broker or not, and should be published again on a channel of its own.
    Unclear,
    /// It did not leave this process.
    Unsent,
}

/// Why a lane takes no more messages.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The broker closed the channel.
    Closed,
    /// The connection is gone.
    Lost(lapin::Error),
}

/// The way into a lane. Its task ends with it.
#[derive(Clone)]
pub(crate) struct Lane {
    letters: mpsc::Sender<Box<Letter>>,
    end: Arc<OnceLock<End>>,
}

impl Lane {
    /// Makes a lane of a channel in confirm mode, with up to `most` messages in flight, and as many waiting.
    pub(crate) fn start(channel: Channel, most: usize, runtime: &tokio::runtime::Handle) -> Self {
        let (sender, letters) = mpsc::channel(most);
        let end = Arc::new(OnceLock::new());
        let lane = run(channel, letters, most, Arc::clone(&end));
        runtime.spawn(lane);
        Self {
            letters: sender,
            end,
        }
    }

    /// Whether it takes messages.
    pub(crate) fn is_open(&self) -> bool {
        !self.letters.is_closed()
    }

    /// Where letters go in.
    pub(crate) fn letters(&self) -> &mpsc::Sender<Box<Letter>> {
        &self.letters
    }

    /// Why it gave no verdict.
    pub(crate) fn end(&self) -> End {
        let aborted =
            || End::Lost(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into());
        self.end.get().cloned().unwrap_or_else(aborted)
    }
}

/// Publishes and decides until the publisher is dropped or the channel fails.
async fn run(
    channel: Channel,
    mut letters: mpsc::Receiver<Box<Letter>>,
    most: usize,
    end: Arc<OnceLock<End>>,
) {
    let mut in_flight = FuturesUnordered::new();
    let mut undecided = Undecided::default();
    let woken = Arc::new(Woken::default());
    let mut new = Vec::new();
    loop {
        let room = match undecided.is_ambiguous() {
            true => 0,
            false => most - in_flight.len(),
        };
        let resolved = tokio::select! {
            biased;
            resolved = all_ready(&mut in_flight, &woken), if !in_flight.is_empty() => resolved,
            count = letters.recv_many(&mut new, room), if room > 0 => {
                if count == 0 {
                    return;
                }
                // Nobody waits any more for one whose publisher has gone.
                let waited_for = new.drain(..).filter(|letter| !letter.publisher.is_closed());
                in_flight.extend(waited_for.map(|letter| publish(channel.clone(), letter)));
                continue;
            }
        };
        let mut failed = None;
        for (letter, result) in resolved {
            match result {
                Ok(confirmation) => undecided.enter(letter, confirmation),
                Err(error) => {
                    let (_, letters) = failed.get_or_insert_with(|| (error, Vec::new()));
                    letters.push(letter);
                }
            }
        }
        if !undecided.is_ambiguous() || (in_flight.is_empty() && failed.is_none()) {
            undecided.decide();
        }
        if let Some((error, _lost)) = failed {
            debug!(%error, "a publishing channel has failed");
            let closed = refusal(&error).is_some()
                || matches!(error.kind(), lapin::ErrorKind::InvalidChannelState(..));
            // Before the letters without a verdict are dropped. Set by nobody else.
            let _ = end.set(if closed {
                End::Closed
            } else {
                End::Lost(error)
            });
            letters.close();
            // One that is just being put in counts as well: `try_recv` would say that there is none.
            while let Some(letter) = letters.recv().await {
                letter.tell(Verdict::Unsent);
            }
            return;
        }
    }
}

async fn publish(
    channel: Channel,
    letter: Box<Letter>,
) -> (Box<Letter>, Result<Confirmation, lapin::Error>) {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sending = channel.basic_publish(
        letter.exchange.clone(),
        letter.routing_key.clone(),
        options,
        &letter.body,
        letter.properties.clone(),
    );
    let result = match sending.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    (letter, result)
}

impl Letter {
    fn tell(self, verdict: Verdict) {
        // A publisher that has gone wants to know nothing.
        let _ = self.publisher.send(verdict);
    }

    fn is(&self, returned: &BasicReturnMessage) -> bool {
        self.routing_key == returned.routing_key
            && self.exchange == returned.exchange
            && self.properties == returned.properties
            && self.body == returned.data
    }
}

/// Confirms that no verdict is given on yet, and what came back with them.
#[derive(Default)]
struct Undecided {
    /// Whether it was an ack; else it was a nack.
    confirmed: Vec<(Box<Letter>, bool)>,
    returned: Vec<BasicReturnMessage>,
}

impl Undecided {
    fn enter(&mut self, letter: Box<Letter>, confirmation: Confirmation) {
        self.confirmed.push((letter, confirmation.is_ack()));
        self.returned.extend(confirmation.take_message());
    }

    /// Whether a confirm may be another message's.
    fn is_ambiguous(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Gives the verdicts. To be called if nothing came back, or when nothing is in flight.
    fn decide(&mut self) {
        let mut found_all = true;
        for returned in self.returned.drain(..) {
            let same = self.confirmed.iter().position(|(l, _)| l.is(&returned));
            match same {
                Some(at) => {
                    let (letter, _) = self.confirmed.remove(at);
                    letter.tell(Verdict::Returned(returned.reply_text.to_string()));
                }
                None => found_all = false,
            }
        }
        if !found_all {
            warn!("RabbitMQ returned a message that is none of ours as it was; publishing again");
        }
        for (letter, acked) in self.confirmed.drain(..) {
            letter.tell(match (found_all, acked) {
                (false, _) => Verdict::Unclear,
                (true, true) => Verdict::Confirmed,
                (true, false) => Verdict::Refused,
            });
        }
    }
}

/// Waits for the first to be ready, and takes all that are. Not for tokio's own futures, which are at times not ready in
/// order to give others a turn.
async fn all_ready<F: Future>(
    futures: &mut FuturesUnordered<F>,
    woken: &Arc<Woken>,
) -> Vec<F::Output> {
    let mut ready = Vec::new();
    let waker = Waker::from(Arc::clone(woken));
    std::future::poll_fn(|cx| {
        woken.task.register(cx.waker());
        // The set says "pending" also to let others have a turn; then it has woken us.
        loop {
            woken.again.store(false, Ordering::SeqCst);
            match Pin::new(&mut *futures).poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(output)) => ready.push(output),
                Poll::Pending if woken.again.load(Ordering::SeqCst) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        match ready.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    ready
}

/// Passes a wake-up on, and remembers it.
#[derive(Default)]
struct Woken {
    again: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use lapin::message::Delivery;

    use super::*;

    fn letter(key: &str, body: &str) -> (Box<Letter>, oneshot::Receiver<Verdict>) {
        let (publisher, verdict) = oneshot::channel();
        let letter = Box::new(Letter {
            exchange: "exchange".into(),
            routing_key: key.into(),
            properties: BasicProperties::default(),
            body: body.into(),
            publisher,
        });
        (letter, verdict)
    }

    fn returned(key: &str, body: &str) -> BasicReturnMessage {
        BasicReturnMessage {
            delivery: Delivery::mock(0, "exchange".into(), key.into(), false, body.into()),
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
        }
    }

    fn no_route() -> Verdict {
        Verdict::Returned("NO_ROUTE".to_owned())
    }

    #[test]
    fn what_came_back_with_anothers_confirm_is_found_by_its_content() {
        let mut undecided = Undecided::default();
        let (good, mut of_good) = letter("good", "1");
        let (bad, mut of_bad) = letter("bad", "1");
        let (refused, mut of_refused) = letter("full", "1");
        undecided.enter(good, Confirmation::Ack(Some(returned("bad", "1"))));
        assert!(undecided.is_ambiguous());
        undecided.enter(refused, Confirmation::Nack(None));
        undecided.enter(bad, Confirmation::Ack(None));
        undecided.decide();
        assert!(!undecided.is_ambiguous());
        assert_eq!(of_good.try_recv(), Ok(Verdict::Confirmed));
        assert_eq!(of_bad.try_recv(), Ok(no_route()));
        assert_eq!(of_refused.try_recv(), Ok(Verdict::Refused));
    }

    #[test]
    fn of_equal_messages_as_many_as_came_back_are_returned() {
        let mut undecided = Undecided::default();
        let (letters, mut verdicts): (Vec<_>, Vec<_>) = (0..3).map(|_| letter("k", "1")).unzip();
        for (number, letter) in letters.into_iter().enumerate() {
            let message = (number > 0).then(|| returned("k", "1"));
            undecided.enter(letter, Confirmation::Ack(message));
        }
        undecided.decide();
        let count = verdicts
            .iter_mut()
            .filter_map(|verdict| verdict.try_recv().ok())
            .filter(|verdict| *verdict == no_route())
            .count();
        assert_eq!(count, 2);
    }

    #[test]
    fn a_returned_message_that_is_nobodys_leaves_the_others_unclear() {
        let mut undecided = Undecided::default();
        let (one, mut of_one) = letter("k", "1");
        let (two, mut of_two) = letter("k", "2");
        undecided.enter(one, Confirmation::Ack(Some(returned("k", "2"))));
        undecided.enter(two, Confirmation::Ack(Some(returned("k", "changed"))));
        undecided.decide();
        assert_eq!(of_one.try_recv(), Ok(Verdict::Unclear));
        assert_eq!(of_two.try_recv(), Ok(no_route()));
    }

    /// More than the set hands out in one go.
    #[tokio::test]
    async fn all_that_are_ready_are_taken_at_once() {
        let woken = Arc::new(Woken::default());
        let mut futures = FuturesUnordered::new();
        let mut senders = Vec::new();
        for _ in 0..300 {
            let (sender, receiver) = futures::channel::oneshot::channel::<()>();
            senders.push(sender);
            futures.push(receiver);
        }
        let first = futures::poll!(Box::pin(all_ready(&mut futures, &woken)));
        assert!(first.is_pending());
        senders.truncate(100);
        assert_eq!(all_ready(&mut futures, &woken).await.len(), 200);
        drop(senders);
        assert_eq!(all_ready(&mut futures, &woken).await.len(), 100);
    }
}
