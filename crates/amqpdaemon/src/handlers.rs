//! Where a daemon and its handlers run.
//!
//! The daemon shares the threads of its handlers, so that a request need not be handed over from thread to thread. A handler
//! may block its thread all the same and keeps neither heartbeats nor answers waiting: handlers have turns, fewer than there
//! are threads, and the [`Pool`] sees to it that one that is free takes over. What a handler spawns has no turns, and must
//! not block: that is what `spawn_blocking` is for.
//!
//! A handler that blocks for ever cannot be ended, and its thread is lost. When half of the threads are lost, new requests
//! get a new pool; the old one stays for what still works there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle, unconstrained};
use tracing::error;

use crate::pool::{Pool, Threads};

/// Most handlers that may block at once.
const MOST_TURNS: usize = 16;

/// Where a daemon and its handlers run.
pub(crate) struct Handlers {
    turns: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    pools: Vec<Pool>,
    /// Those of the newest pool.
    current: Threads,
    /// Threads of the newest pool that are blocked for good.
    lost: usize,
}

impl Handlers {
    /// Threads for so many requests at once.
    pub(crate) fn new(requests: u16) -> anyhow::Result<Self> {
        let turns = usize::from(requests).clamp(1, MOST_TURNS);
        let pool = Pool::new(turns)?;
        let inner = Inner {
            current: pool.threads().clone(),
            pools: vec![pool],
            lost: 0,
        };
        Ok(Self {
            turns,
            inner: Mutex::new(inner),
        })
    }

    /// Runs something inside the runtime, on this thread.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let threads = self.current();
        let _inside = threads.runtime().enter();
        work()
    }

    /// Runs the daemon itself, and blocks this thread until it ends. It must not block those it runs on.
    ///
    /// # Errors
    /// It panicked.
    pub(crate) fn run<F>(&self, daemon: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let threads = self.current();
        let runtime = threads.runtime();
        // What has done much at a time is put off by tokio, on its thread, and would wait for what blocks that.
        runtime.block_on(runtime.spawn(unconstrained(daemon)))
    }

    /// Starts a handler.
    pub(crate) fn spawn<F>(&self, handler: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.inner().current.spawn_in_turn(handler)
    }

    /// A handler was told to end and does not.
    pub(crate) fn lost_one(&self) {
        let mut inner = self.inner();
        inner.lost += 1;
        error!("a handler blocks its thread and cannot be ended; the thread is lost");
        if inner.lost * 2 < self.turns {
            return;
        }
        match Pool::new(self.turns) {
            Ok(pool) => {
                inner.current = pool.threads().clone();
                inner.pools.push(pool);
                inner.lost = 0;
            }
            Err(e) => error!(
                error = format!("{e:#}"),
                "handlers have no new threads; restart the daemon"
            ),
        }
    }

    /// Ends all handlers and waits until what they hold is released, such as the programs they have started: the process
    /// is about to exit, and nothing would be released then. One that blocks its thread is waited for until `within` only.
    pub(crate) fn end(&self, within: Duration) {
        let end = Instant::now() + within;
        let pools = std::mem::take(&mut self.inner().pools);
        for pool in pools {
            pool.end(end.saturating_duration_since(Instant::now()));
        }
    }

    fn current(&self) -> Threads {
        self.inner().current.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all without waiting: a handler that never ends must not keep the process.
impl Drop for Handlers {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
