//! Whether the daemon does its work: it consumes, and RabbitMQ has proved so lately.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use edeposit_pikadaemon::{LIVENESS_INTERVAL, Report};

use crate::counters::Count;

/// A proof of being alive counts for so long: one or two may be late.
const FRESH: Duration = LIVENESS_INTERVAL.saturating_mul(3);

/// How the daemon stands, as its session reports it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    standing: Mutex<Standing>,
    /// Sessions that were set up.
    pub(crate) sessions: Count,
    /// Sessions that were lost.
    pub(crate) lost: Count,
    /// Tries to set up a session that failed.
    pub(crate) failures: Count,
}

#[derive(Debug, Default)]
struct Standing {
    phase: Phase,
    blocked: bool,
    /// The last proof, by the wall clock.
    proved_at: Option<SystemTime>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Connecting,
    Consuming {
        proof: Instant,
    },
    Waiting {
        reason: String,
    },
    Draining,
}

impl Health {
    /// Takes what the session reports.
    pub(crate) fn take(&self, report: &Report<'_>) {
        let mut standing = self.standing();
        match report {
            Report::Consuming => {
                self.sessions.add_one();
                standing.prove();
            }
            Report::Alive => standing.prove(),
            Report::Blocked { .. } => standing.blocked = true,
            Report::Unblocked => standing.blocked = false,
            Report::Waiting { reason } => {
                let consumed = matches!(standing.phase, Phase::Consuming { .. });
                let count = if consumed { &self.lost } else { &self.failures };
                count.add_one();
                standing.blocked = false;
                standing.phase = Phase::Waiting {
                    reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
                };
            }
            Report::Draining => standing.phase = Phase::Draining,
            _ => {}
        }
    }

    /// Whether the daemon does its work; if not, why, in one line.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        self.verdict_at(Instant::now())
    }

    fn verdict_at(&self, now: Instant) -> Result<(), String> {
        match &self.standing().phase {
            Phase::Connecting => Err("connecting to RabbitMQ".to_owned()),
            Phase::Waiting { reason } => Err(format!("waiting for RabbitMQ: {reason}")),
            Phase::Draining => Err("draining: finishing the requests in hand".to_owned()),
            Phase::Consuming { proof } => match now.saturating_duration_since(*proof) {
                age if age <= FRESH => Ok(()),
                age => Err(format!(
                    "RabbitMQ has not answered the liveness check for {} s",
                    age.as_secs()
                )),
            },
        }
    }

    /// Whether there is a session that consumes.
    pub(crate) fn is_consuming(&self) -> bool {
        matches!(self.standing().phase, Phase::Consuming { .. })
    }

    /// Whether RabbitMQ takes no messages for now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.standing().blocked
    }

    /// When RabbitMQ last proved that it serves this daemon.
    pub(crate) fn proved_at(&self) -> Option<SystemTime> {
        self.standing().proved_at
    }

    /// Held for a moment only, by everyone.
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn prove(&mut self) {
        self.phase = Phase::Consuming {
            proof: Instant::now(),
        };
        self.proved_at = Some(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_proof_is_health() {
        let health = Health::default();
        let why = |health: &Health| health.verdict().unwrap_err();
        assert_eq!(why(&health), "connecting to RabbitMQ");
        health.take(&Report::Consuming);
        assert_eq!(health.verdict(), Ok(()));
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(health.verdict_at(later(44)), Ok(()));
        assert_eq!(
            health.verdict_at(later(50)).unwrap_err(),
            "RabbitMQ has not answered the liveness check for 50 s"
        );
        health.take(&Report::Waiting {
            reason: "it is\naway",
        });
        assert_eq!(why(&health), "waiting for RabbitMQ: it is away");
        health.take(&Report::Alive);
        assert_eq!(health.verdict(), Ok(()));
        health.take(&Report::Draining);
        assert!(why(&health).starts_with("draining"));
    }

    #[test]
    fn sessions_and_failures_are_counted_apart() {
        let health = Health::default();
        let reason = "x";
        for report in [
            Report::Waiting { reason },
            Report::Consuming,
            Report::Blocked { reason },
        ] {
            health.take(&report);
        }
        assert!(health.is_blocked() && health.is_consuming());
        health.take(&Report::Waiting { reason });
        health.take(&Report::Waiting { reason });
        assert!(!health.is_blocked(), "a new session begins unblocked");
        assert!(!health.is_consuming());
        let counts = (
            health.sessions.get(),
            health.lost.get(),
            health.failures.get(),
        );
        assert_eq!(counts, (1, 1, 2));
    }
}
