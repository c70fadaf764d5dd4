//! The runtime that handlers run on.
//!
//! It is apart from the connection's: a handler that blocks its thread keeps neither heartbeats nor answers waiting. One
//! that blocks for ever cannot be ended, and its thread is lost. When half of the threads are lost, new requests get a new
//! runtime; the old one stays for what still works there.
//!
//! With one request at a time there are two threads, and a handler can block but one of them: the daemon itself shares this
//! runtime then. The request's way is shorter by two hand-overs between threads, which is a tenth of the time its answer
//! takes if the handler takes none. With more requests at a time, one thread for all that is not a handler is the better use
//! of the machine. What a handler spawns must not block either thread: that is what `spawn_blocking` is for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tracing::error;

/// Where handlers run.
pub(crate) struct Handlers {
    threads: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The newest of the runtimes.
    current: Handle,
    runtimes: Vec<Runtime>,
    /// Threads of the newest that are blocked for good.
    lost: usize,
}

impl Handlers {
    /// Threads for so many requests at once.
    pub(crate) fn new(requests: u16) -> anyhow::Result<Self> {
        let threads = usize::from(requests).clamp(2, 16);
        let runtime = runtime(threads)?;
        let inner = Inner {
            current: runtime.handle().clone(),
            runtimes: vec![runtime],
            lost: 0,
        };
        Ok(Self {
            threads,
            inner: Mutex::new(inner),
        })
    }

    /// Runs something inside the runtime, on this thread.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let current = self.runtime();
        let _inside = current.enter();
        work()
    }

    /// The newest of the runtimes.
    pub(crate) fn runtime(&self) -> Handle {
        self.inner().current.clone()
    }

    /// Starts a handler.
    pub(crate) fn spawn<F>(&self, handler: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime().spawn(handler)
    }

    /// A handler was told to end and does not.
    pub(crate) fn lost_one(&self) {
        let mut inner = self.inner();
        inner.lost += 1;
        error!("a handler blocks its thread and cannot be ended; the thread is lost");
        if inner.lost * 2 < self.threads {
            return;
        }
        match runtime(self.threads) {
            Ok(new) => {
                inner.current = new.handle().clone();
                inner.runtimes.push(new);
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
        let runtimes = std::mem::take(&mut self.inner().runtimes);
        for runtime in runtimes {
            runtime.shutdown_timeout(end.saturating_duration_since(Instant::now()));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all without waiting: a handler that never ends must not keep the process.
impl Drop for Handlers {
    fn drop(&mut self) {
        let runtimes = std::mem::take(&mut self.inner().runtimes);
        for runtime in runtimes {
            runtime.shutdown_background();
        }
    }
}

fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("handler")
        .enable_all()
        .build()
        .context("starting the handlers' runtime")
}
