//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
/// The longest pause that makes sense for a daemon, 30 s.
pub const LONGEST: Duration = Duration::from_secs(30);

/// A random time up to a bound that doubles with every failed attempt, from 0.25 s to `longest` ("full jitter": daemons that
/// lost the same broker do not come back all at once). Never less than 50 ms, so that nothing spins.
#[must_use]
pub fn delay(attempt: u32, longest: Duration) -> Duration {
    let bound = bound(attempt, longest);
    let jittered = bound.mul_f64(fastrand::f64());
    jittered.max(Duration::from_millis(50))
}

fn bound(attempt: u32, longest: Duration) -> Duration {
    FIRST
        .saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_its_limit() {
        let bounds: Vec<u128> = (0..9)
            .map(|attempt| bound(attempt, LONGEST).as_millis())
            .collect();
        assert_eq!(
            bounds,
            [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]
        );
        assert_eq!(bound(u32::MAX, LONGEST), LONGEST);
    }

    #[test]
    fn delays_stay_within_the_bound() {
        for attempt in [0, 3, 7, 100] {
            for _ in 0..200 {
                let delay = delay(attempt, LONGEST);
                assert!(
                    delay >= Duration::from_millis(50) && delay <= bound(attempt, LONGEST),
                    "{delay:?}"
                );
            }
        }
    }
}
