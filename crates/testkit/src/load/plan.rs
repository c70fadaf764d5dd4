//! What a load is to be.

use std::path::PathBuf;
use std::time::Duration;

/// What a load is to be; [`LoadPlan::start`] begins it.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    pub(super) requests: u64,
    pub(super) window: usize,
    pub(super) rate: Option<f64>,
    pub(super) work: Duration,
    pub(super) journal: Option<PathBuf>,
}

impl LoadPlan {
    /// So many requests, at most 256 of them waiting for their confirm at once, as fast as can be, for which the daemon
    /// has nothing to do.
    pub fn new(requests: u64) -> LoadPlan {
        LoadPlan {
            requests,
            window: 256,
            rate: None,
            work: Duration::ZERO,
            journal: None,
        }
    }

    /// As many requests as can be until [`Load::stop`](super::Load::stop); give it a rate.
    pub fn endless() -> LoadPlan {
        Self::new(u64::MAX)
    }

    /// How many requests may wait for their confirms at once.
    pub fn window(mut self, window: usize) -> LoadPlan {
        self.window = window.max(1);
        self
    }

    /// How many requests to publish a second. After an interruption it does not catch up.
    pub fn rate(mut self, per_second: f64) -> LoadPlan {
        self.rate = Some(per_second);
        self
    }

    /// How long the daemon is to work at each request, in whole milliseconds.
    pub fn work(mut self, work: Duration) -> LoadPlan {
        self.work = work;
        self
    }

    /// The file in which the test daemon notes every execution, given to it by the environment variable
    /// `EDEPOSIT_PUPPET_JOURNAL`: one line an execution, the request's UUID and the execution's id.
    pub fn journal(mut self, file: impl Into<PathBuf>) -> LoadPlan {
        self.journal = Some(file.into());
        self
    }
}
