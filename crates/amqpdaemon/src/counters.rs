//! What became of the requests, in numbers: one set for the log line at the end and for the metrics.
//!
//! Counting costs an atomic addition, nothing more.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::durations::Durations;

/// Counts since the daemon started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: Count,
    pub(crate) redelivered: Count,
    pub(crate) answered: Count,
    pub(crate) exceptions: Count,
    pub(crate) progress: Count,
    /// Requests without UUID.
    pub(crate) dropped: Count,
    /// Answers for which no queue was bound.
    pub(crate) parked: Count,
    /// Requests that were delivered again although their answer had been confirmed: only acknowledged.
    pub(crate) answered_before: Count,
    /// Requests put back into the queue, because their handler was lost.
    pub(crate) requeued: Count,
    /// Requests given up before they were settled: the session was lost, or the drain time was over.
    pub(crate) interrupted: Count,
    /// Requests set aside because processes died with them.
    pub(crate) poison: Count,
    /// Requests that were delivered again and not carried out again.
    pub(crate) from_memory: Count,
    /// Requests that have been received and are not settled yet.
    pub(crate) in_flight: Level,
    /// How long handlers took.
    pub(crate) handler: Durations,
    /// Exceptions by their names.
    pub(crate) names: Names,
}

impl Counters {
    /// Counts an exception, and its name.
    pub(crate) fn exception_named(&self, name: &str) {
        self.exceptions.add_one();
        self.names.add_one(name);
    }
}

/// One number that grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicU64);

impl Level {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(self)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of the things of a [`Level`].
pub(crate) struct Entered<'a>(&'a Level);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A delivery in hand. Dropped without [`InFlight::settled`], it counts as interrupted: its session is lost, or the drain
/// time over.
pub(crate) struct InFlight<'a> {
    _level: Entered<'a>,
    interrupted: Option<&'a Count>,
}

impl<'a> InFlight<'a> {
    pub(crate) fn new(counters: &'a Counters) -> Self {
        Self {
            _level: counters.in_flight.enter(),
            interrupted: Some(&counters.interrupted),
        }
    }

    pub(crate) fn settled(mut self) {
        self.interrupted = None;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(interrupted) = self.interrupted {
            interrupted.add_one();
        }
    }
}

/// So many names are told apart, longer ones than so many bytes not at all: what a handler calls its exceptions must not
/// fill the memory, here or in whatever collects the metrics.
const MOST_NAMES: usize = 32;
const LONGEST_NAME: usize = 100;

/// Counts by name. A place once taken keeps its name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    places: [OnceLock<(String, Count)>; MOST_NAMES],
    other: Count,
}

impl Names {
    fn add_one(&self, name: &str) {
        let count = self
            .places
            .iter()
            .take_while(|_| name.len() <= LONGEST_NAME)
            .map(|place| place.get_or_init(|| (name.to_owned(), Count::default())))
            .find(|(taken, _)| taken == name)
            .map_or(&self.other, |(_, count)| count);
        count.add_one();
    }

    /// Names and their counts; last, if there were any, `other`.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        let named = self.places.iter().filter_map(OnceLock::get);
        let other = Some(("other", self.other.get())).filter(|(_, count)| *count > 0);
        named
            .map(|(name, count)| (name.as_str(), count.get()))
            .chain(other)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests ({} redelivered), {} answers, {} exceptions, {} progress messages, {} dropped, {} parked",
            self.received.get(),
            self.redelivered.get(),
            self.answered.get(),
            self.exceptions.get(),
            self.progress.get(),
            self.dropped.get(),
            self.parked.get()
        )?;
        let rare = [
            (&self.from_memory, "from memory"),
            (&self.poison, "set aside"),
            (&self.requeued, "requeued"),
            (&self.interrupted, "interrupted"),
        ];
        for (count, what) in rare.iter().filter(|(count, _)| count.get() > 0) {
            write!(f, ", {} {what}", count.get())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_told_apart_up_to_a_limit() {
        let counters = Counters::default();
        counters.exception_named("ValueError");
        counters.exception_named("KeyError");
        counters.exception_named("ValueError");
        let all: Vec<(&str, u64)> = counters.names.all().collect();
        assert_eq!(all, [("ValueError", 2), ("KeyError", 1)]);
        for number in 0..1000 {
            counters.exception_named(&format!("E{number}"));
        }
        counters.exception_named(&"x".repeat(101));
        let all: Vec<(&str, u64)> = counters.names.all().collect();
        assert_eq!(all.len(), MOST_NAMES + 1);
        assert_eq!(all.last(), Some(&("other", 971)));
        assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 1004);
        assert_eq!(counters.exceptions.get(), 1004);
    }

    #[test]
    fn a_level_falls_when_the_guards_go() {
        let level = Level::default();
        let one = level.enter();
        let two = level.enter();
        assert_eq!(level.get(), 2);
        drop(one);
        assert_eq!(level.get(), 1);
        drop(two);
        assert_eq!(level.get(), 0);
    }

    #[test]
    fn rare_things_are_told_only_if_they_happened() {
        let counters = Counters::default();
        assert!(counters.to_string().ends_with("0 parked"));
        counters.poison.add_one();
        assert!(counters.to_string().ends_with("0 parked, 1 set aside"));
    }
}
