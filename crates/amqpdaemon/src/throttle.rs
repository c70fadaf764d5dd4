//! Log lines that come in storms: the first in full, the rest as a number.
//!
//! A broken binding costs every answer, and every answer a line: the log would grow by what the queue holds, and the line
//! that matters would drown. So a [`Throttle`] stands before such a line. It lets the first of each reason through; those
//! that follow within [`PAUSE`] are counted, and their number is told once the time is over, or at the throttle's end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// For so long lines of a reason that was told are only counted.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);

/// So many reasons are told apart. Reasons name what callers chose, so there may be any number.
const MOST_REASONS: usize = 8;

/// For one kind of line. Counts are exact: each line is either let through or in one of the sums.
pub(crate) struct Throttle(Arc<Inner>);

struct Inner {
    tell: fn(u64),
    storm: Mutex<Storm>,
}

#[derive(Default)]
struct Storm {
    since: Option<Instant>,
    reasons: Vec<String>,
    /// Not let through.
    more: u64,
}

impl Throttle {
    /// `tell` logs that there were so many more within the last [`PAUSE`].
    pub(crate) fn new(tell: fn(u64)) -> Self {
        Self(Arc::new(Inner {
            tell,
            storm: Mutex::default(),
        }))
    }

    /// Whether the line is to be logged. Called inside a tokio runtime.
    pub(crate) fn admits(&self, reason: &str) -> bool {
        let now = Instant::now();
        let mut storm = self.0.storm();
        if storm.since.is_none_or(|since| now >= since + PAUSE) {
            self.0.end(&mut storm);
        }
        let since = *storm.since.get_or_insert(now);
        if !storm.reasons.iter().any(|told| told == reason) && storm.reasons.len() < MOST_REASONS {
            storm.reasons.push(reason.to_owned());
            return true;
        }
        storm.more += 1;
        if storm.more == 1 {
            self.0.tell_at(since + PAUSE);
        }
        false
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.0.end(&mut self.0.storm());
    }
}

impl Inner {
    fn tell_at(self: &Arc<Self>, end: Instant) {
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep_until(end).await;
            if let Some(inner) = inner.upgrade() {
                let mut storm = inner.storm();
                // A line may have come just before, and a new storm have begun.
                if storm.since.is_some_and(|since| since + PAUSE <= end) {
                    inner.end(&mut storm);
                }
            }
        });
    }

    fn end(&self, storm: &mut Storm) {
        let Storm { more, .. } = std::mem::take(storm);
        if more > 0 {
            (self.tell)(more);
        }
    }

    fn storm(&self) -> MutexGuard<'_, Storm> {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::advance;

    use super::*;

    thread_local! {
        static TOLD: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    fn throttle() -> Throttle {
        Throttle::new(|more| TOLD.with_borrow_mut(|told| told.push(more)))
    }

    fn told() -> Vec<u64> {
        TOLD.take()
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_two_lines_each_time() {
        let throttle = throttle();
        let admitted = (0..10_000).filter(|_| throttle.admits("x")).count();
        assert_eq!((admitted, told()), (1, vec![]));
        advance(PAUSE - Duration::from_millis(1)).await;
        assert!(!throttle.admits("x"));
        assert!(told().is_empty());
        advance(Duration::from_millis(2)).await;
        tokio::task::yield_now().await;
        assert_eq!(told(), [10_000], "told without another line");
        assert!(throttle.admits("x"), "a new storm begins in full");
        assert!(!throttle.admits("x"));
        drop(throttle);
        assert_eq!(told(), [1], "what is left is told at the end");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_before_the_timer_tells_the_sum_only_once() {
        let throttle = throttle();
        for _ in 0..3 {
            throttle.admits("x");
        }
        // The clock alone, without the timer's task.
        advance(PAUSE).await;
        assert!(throttle.admits("x"));
        assert!(!throttle.admits("x"));
        tokio::task::yield_now().await;
        assert_eq!(told(), [2]);
        advance(PAUSE).await;
        tokio::task::yield_now().await;
        assert_eq!(told(), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn single_lines_are_all_let_through() {
        let throttle = throttle();
        for _ in 0..5 {
            assert!(throttle.admits("x"));
            advance(PAUSE).await;
        }
        drop(throttle);
        assert!(told().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_are_told_apart_up_to_a_limit() {
        let throttle = throttle();
        let admitted = (0..100).filter(|n| throttle.admits(&format!("reason {n}")));
        assert_eq!(admitted.count(), MOST_REASONS);
        drop(throttle);
        assert_eq!(told(), [100 - MOST_REASONS as u64]);
    }
}
