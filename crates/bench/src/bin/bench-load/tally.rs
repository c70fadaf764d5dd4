//! Which answer belongs to which request, and how long it took.

use std::time::{Duration, Instant};

use serde::Serialize;
use uuid::Uuid;

/// Pairs answers with requests. A request's UUID holds the run's random number and the request's own, so that finding it
/// costs no hashing.
pub struct Tally {
    run: u64,
    sent: Vec<Instant>,
    answers: Vec<u8>,
    waits: Vec<Duration>,
    last: Instant,
    duplicates: u64,
    failed: u64,
}

/// What a run saw. Times in milliseconds.
#[derive(Serialize)]
pub struct Summary {
    /// Requests sent.
    requests: usize,
    /// From the first request to the last answer, in seconds.
    seconds: f64,
    /// Answers a second.
    rate: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    /// Requests without an answer.
    missing: usize,
    /// Answers after the first one to a request.
    duplicates: u64,
    /// Answers that tell of an error.
    failed: u64,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            run: Uuid::new_v4().as_u64_pair().0,
            sent: Vec::new(),
            answers: Vec::new(),
            waits: Vec::new(),
            last: Instant::now(),
            duplicates: 0,
            failed: 0,
        }
    }

    /// Notes a request as sent now.
    pub fn send(&mut self) -> Uuid {
        let number = self.sent.len() as u64;
        self.sent.push(Instant::now());
        self.answers.push(0);
        Uuid::from_u64_pair(self.run, number)
    }

    /// Notes an answer; says whether it was the first to a request of this run.
    pub fn answer(&mut self, uuid: Option<Uuid>, good: bool) -> bool {
        let Some((run, number)) = uuid.as_ref().map(Uuid::as_u64_pair) else {
            self.failed += 1;
            return false;
        };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        // Of an earlier run that was given up, if it is not ours.
        let (Some(count), true) = (self.answers.get_mut(number), run == self.run) else {
            return false;
        };
        *count = count.saturating_add(1);
        self.failed += u64::from(!good);
        if *count > 1 {
            self.duplicates += 1;
            return false;
        }
        self.last = Instant::now();
        self.waits.push(self.last - self.sent[number]);
        true
    }

    pub fn sent(&self) -> usize {
        self.sent.len()
    }

    pub fn in_flight(&self) -> usize {
        self.sent.len() - self.waits.len()
    }

    /// When the latest answer came.
    pub fn last(&self) -> Instant {
        self.last
    }

    pub fn summary(mut self) -> Summary {
        self.waits.sort_unstable();
        let seconds = self
            .sent
            .first()
            .map_or(0.0, |first| (self.last - *first).as_secs_f64());
        let at = |share: f64| {
            let rank = (self.waits.len() as f64 * share).ceil() as usize;
            let wait = self.waits.get(rank.saturating_sub(1));
            wait.map_or(0.0, |wait| wait.as_secs_f64() * 1000.0)
        };
        Summary {
            requests: self.sent.len(),
            seconds,
            rate: self.waits.len() as f64 / seconds.max(1e-9),
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
            missing: self.sent.len() - self.waits.len(),
            duplicates: self.duplicates,
            failed: self.failed,
        }
    }
}
