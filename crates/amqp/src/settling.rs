//! Telling the broker which deliveries are settled, many at once.
//!
//! Deliveries are numbered as they come, and one acknowledgement can stand for all up to a number. So what is settled while
//! the last batch is being sent goes into the next one: a single acknowledgement for all that have nothing unsettled
//! before them, and one each for the others.

use std::collections::VecDeque;

use futures::future::{try_join_all, try_join3};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicRejectOptions};

use crate::message::Settle;

/// The deliveries of one channel.
#[derive(Debug)]
pub(crate) struct Settling {
    /// The first number of `states`; of no states, the next one.
    first: u64,
    states: VecDeque<State>,
    /// Settled, and in no batch yet.
    waiting: Vec<u64>,
    requeued: Vec<u64>,
    unfinished: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InHand,
    /// To be acknowledged.
    Done,
    /// Part of a batch.
    Told,
}

/// What to tell the broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    requeued: Vec<u64>,
    /// This one and all before it.
    up_to: Option<u64>,
    each: Vec<u64>,
    deliveries: usize,
}

impl Default for Settling {
    fn default() -> Self {
        Self {
            first: 1,
            states: VecDeque::new(),
            waiting: Vec::new(),
            requeued: Vec::new(),
            unfinished: 0,
        }
    }
}

impl Settling {
    /// A delivery has come.
    pub(crate) fn delivered(&mut self, number: u64) {
        // One that never reached us would have to stay unsettled.
        while self.first + self.states.len() as u64 <= number {
            self.states.push_back(State::InHand);
        }
        self.unfinished += 1;
    }

    /// A delivery is settled.
    pub(crate) fn settled(&mut self, number: u64, settle: Settle) {
        let (state, list) = match settle {
            Settle::Ack => (State::Done, &mut self.waiting),
            Settle::Requeue => (State::Told, &mut self.requeued),
        };
        list.push(number);
        if let Some(place) = place(&mut self.states, self.first, number) {
            *place = state;
        }
    }

    /// Whether anything has been settled since the last batch.
    pub(crate) fn is_waiting(&self) -> bool {
        !(self.waiting.is_empty() && self.requeued.is_empty())
    }

    /// What has been settled since the last time.
    pub(crate) fn batch(&mut self) -> Option<Batch> {
        let deliveries = self.waiting.len() + self.requeued.len();
        if deliveries == 0 {
            return None;
        }
        let mut up_to = None;
        while let Some(state) = self.states.front().filter(|s| **s != State::InHand) {
            if *state == State::Done {
                up_to = Some(self.first);
            }
            self.states.pop_front();
            self.first += 1;
        }
        let mut each = std::mem::take(&mut self.waiting);
        each.retain(|number| up_to.is_none_or(|up_to| *number > up_to));
        for number in &each {
            if let Some(place) = place(&mut self.states, self.first, *number) {
                *place = State::Told;
            }
        }
        Some(Batch {
            requeued: std::mem::take(&mut self.requeued),
            up_to,
            each,
            deliveries,
        })
    }

    /// A batch has been sent.
    pub(crate) fn sent(&mut self, deliveries: usize) {
        self.unfinished = self.unfinished.saturating_sub(deliveries);
    }

    /// How many deliveries the broker does not know to be settled.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }
}

fn place(states: &mut VecDeque<State>, first: u64, number: u64) -> Option<&mut State> {
    let at = usize::try_from(number.checked_sub(first)?).ok()?;
    states.get_mut(at)
}

impl Batch {
    /// Whether one acknowledgement says it all.
    fn is_one(&self) -> bool {
        self.requeued.is_empty() && self.each.is_empty()
    }

    /// Tells the broker. Returns the number of deliveries.
    pub(crate) async fn send(self, channel: Channel) -> Result<usize, lapin::Error> {
        let requeue = BasicRejectOptions { requeue: true };
        let multiple = BasicAckOptions { multiple: true };
        let single = BasicAckOptions::default();
        // The usual case, without the machinery of the others.
        if let (Some(number), true) = (self.up_to, self.is_one()) {
            channel.basic_ack(number, multiple).await?;
            return Ok(self.deliveries);
        }
        let rejects = self.requeued.iter();
        let acks = self.each.iter();
        // All are put on their way before any is waited for, in this order: an acknowledgement of those before it would
        // stand for a rejected one as well.
        try_join3(
            try_join_all(rejects.map(|number| channel.basic_reject(*number, requeue))),
            try_join_all(self.up_to.map(|number| channel.basic_ack(number, multiple))),
            try_join_all(acks.map(|number| channel.basic_ack(*number, single))),
        )
        .await?;
        Ok(self.deliveries)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delivered(count: u64) -> Settling {
        let mut settling = Settling::default();
        (1..=count).for_each(|number| settling.delivered(number));
        settling
    }

    #[test]
    fn those_with_nothing_unsettled_before_them_are_one_acknowledgement() {
        let mut settling = delivered(6);
        assert_eq!(settling.batch(), None);
        for number in [2, 1, 3, 5] {
            settling.settled(number, Settle::Ack);
        }
        let batch = settling.batch().expect("four are settled");
        assert_eq!((batch.up_to, &batch.each[..]), (Some(3), &[5][..]));
        settling.sent(batch.deliveries);
        settling.settled(4, Settle::Ack);
        let batch = settling.batch().expect("one is settled");
        assert_eq!((batch.up_to, batch.each.len()), (Some(4), 0));
        settling.sent(batch.deliveries);
        assert_eq!(settling.unfinished(), 1);
    }

    #[test]
    fn one_that_never_came_is_not_acknowledged() {
        let mut settling = delivered(1);
        settling.settled(1, Settle::Ack);
        assert!(settling.batch().is_some());
        settling.delivered(3);
        settling.settled(3, Settle::Ack);
        let batch = settling.batch().expect("one is settled");
        assert_eq!((batch.up_to, &batch.each[..]), (None, &[3][..]));
    }

    #[test]
    fn one_that_goes_back_to_the_queue_is_not_acknowledged() {
        let mut settling = delivered(3);
        settling.settled(3, Settle::Requeue);
        settling.settled(1, Settle::Ack);
        let batch = settling.batch().expect("two are settled");
        assert_eq!((&batch.requeued[..], batch.up_to), (&[3][..], Some(1)));
        settling.settled(2, Settle::Requeue);
        let batch = settling.batch().expect("one is settled");
        assert_eq!((&batch.requeued[..], batch.up_to), (&[2][..], None));
        assert!(settling.states.is_empty());
    }

    proptest! {
        /// In whatever order and in whatever batches: each is told exactly once and as it was settled, and an
        /// acknowledgement for several never stands for one that is not.
        #[test]
        fn each_is_told_once(
            order in Just((1..=40_u64).collect::<Vec<_>>()).prop_shuffle(),
            requeue in proptest::collection::vec(any::<bool>(), 41),
            batches in proptest::collection::vec(any::<bool>(), 40),
        ) {
            let mut settling = delivered(40);
            let mut told = std::collections::BTreeMap::new();
            let mut settled = Vec::new();
            for (number, now) in order.into_iter().zip(batches) {
                let back = requeue[usize::try_from(number).unwrap_or_default()];
                settling.settled(number, if back { Settle::Requeue } else { Settle::Ack });
                settled.push(number);
                if !now && settled.len() < 40 {
                    continue;
                }
                let Some(batch) = settling.batch() else { continue };
                let outstanding = |told: &std::collections::BTreeMap<u64, bool>, n: u64| !told.contains_key(&n);
                for number in &batch.requeued {
                    prop_assert!(told.insert(*number, true).is_none());
                }
                if let Some(up_to) = batch.up_to {
                    // The broker closes the channel over a number that is not outstanding.
                    prop_assert!(outstanding(&told, up_to));
                    for number in 1..=up_to {
                        prop_assert!(settled.contains(&number));
                        told.entry(number).or_insert(false);
                    }
                }
                for number in &batch.each {
                    prop_assert!(told.insert(*number, false).is_none());
                }
                settling.sent(batch.deliveries);
            }
            prop_assert_eq!(settling.unfinished(), 0);
            prop_assert_eq!(told.len(), 40);
            for (number, back) in told {
                prop_assert_eq!(back, requeue[usize::try_from(number).unwrap_or_default()]);
            }
        }
    }
}
