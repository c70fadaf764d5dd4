//! What a proxy and its thread have in common.

use std::sync::atomic::AtomicU16;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::connection::{Counted, ProxiedConnection, Starting};

/// What the test's thread and the proxy's own have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: AtomicU16,
    pub(super) state: Mutex<State>,
    pub(super) counted: Counted,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// What holds for connections to come.
    pub(super) starting: Starting,
    pub(super) open: Vec<ProxiedConnection>,
    pub(super) made: usize,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
