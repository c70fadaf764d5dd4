//! A histogram of durations that costs its user two atomic additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of the buckets in seconds: from a look into a table to the longest time a handler has by default. One
/// more bucket has all that is longer.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Durations {
    /// Measures until the guard is dropped.
    pub(crate) fn start(&self) -> Running<'_> {
        Running {
            durations: self,
            since: Instant::now(),
        }
    }

    fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let place = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// All durations together, in seconds.
    pub(crate) fn sum(&self) -> f64 {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// Upper bounds in seconds, the last infinite, with the number of durations up to each and above the one before.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        bounds.zip(counts).collect()
    }
}

/// Something that is being measured.
pub(crate) struct Running<'a> {
    durations: &'a Durations,
    since: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.durations.observe(self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_one_bucket() {
        let durations = Durations::default();
        for milliseconds in [0, 5, 6, 1000, 600_000, 600_001, 10_000_000] {
            durations.observe(Duration::from_millis(milliseconds));
        }
        let buckets = durations.buckets();
        let at = |bound: f64| buckets.iter().find(|(b, _)| *b == bound).map(|(_, n)| *n);
        assert_eq!(at(0.005), Some(2), "a bound belongs to its bucket");
        assert_eq!(at(0.01), Some(1));
        assert_eq!(at(1.0), Some(1));
        assert_eq!(at(600.0), Some(1));
        assert_eq!(at(f64::INFINITY), Some(2));
        assert_eq!(buckets.iter().map(|(_, n)| n).sum::<u64>(), 7);
        assert!((durations.sum() - 11201.012).abs() < 1e-6);
        drop(durations.start());
        assert_eq!(durations.buckets()[0].1, 3);
    }
}
