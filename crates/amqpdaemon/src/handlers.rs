//! Where handlers run: on threads of their own, apart from sessions and connections.
//!
//! A handler may block the thread it is polled on, by computing or by a call that waits. Two runtimes of tokio see to it that
//! this keeps neither the sessions waiting nor the other handlers:
//!
//! - Handlers are polled by a multi-thread runtime with [`THREADS`] workers, which does nothing else. It has neither an I/O driver
//!   nor timers: tokio would have one of the workers look after them, perhaps the very one that a handler blocks.
//! - Their sockets, timers and tasks belong to a second runtime, whose worker no handler blocks. Every handler is polled, and
//!   dropped, in its context.
//!
//! So a handler is woken by a thread that is no worker. Then, as tokio's documentation of its runtimes says, it is put into the
//! queue that all workers share, and one that is free takes it. Two cases are different. What a handler wakes itself comes next
//! on the same worker (the LIFO slot), and one that calls `yield_now` goes on there; if the worker's handler blocks just then, the
//! other one waits for it. So handlers that share a lock or a channel should not block right after they have released it.
//!
//! What a handler spawns runs on the second runtime and must not block: that is what `spawn_blocking` is for.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, unconstrained};

/// So many handlers may block their threads at once; any number may wait for something without.
pub(crate) const THREADS: usize = 16;

/// The handlers' runtimes.
pub(crate) struct Handlers {
    /// Polls handlers.
    workers: Handle,
    /// Their sockets, timers and tasks.
    resources: Handle,
    /// Both of them, taken when they end.
    runtimes: Mutex<Option<(Runtime, Runtime)>>,
}

impl Handlers {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no descriptors left to wait for sockets with.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let workers = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("handler")
            .build();
        let resources = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("handlers-io")
            .enable_all()
            .build();
        let starting = "starting the handlers' threads";
        let (workers, resources) = (workers.context(starting)?, resources.context(starting)?);
        Ok(Self {
            workers: workers.handle().clone(),
            resources: resources.handle().clone(),
            runtimes: Mutex::new(Some((workers, resources))),
        })
    }

    /// Handlers on the runtime of the test that calls this, whose clock it may stop.
    #[cfg(test)]
    pub(crate) fn on_this_runtime() -> Self {
        let runtime = Handle::current();
        Self {
            workers: runtime.clone(),
            resources: runtime,
            runtimes: Mutex::new(None),
        }
    }

    /// Runs something where the handlers' sockets, timers and tasks belong, on this thread.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _inside = self.resources.enter();
        work()
    }

    /// Starts a handler.
    pub(crate) fn spawn<F>(&self, handler: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.workers.spawn(Inside {
            resources: self.resources.clone(),
            // It may keep its thread, so tokio need not make it yield.
            handler: Some(unconstrained(handler).boxed()),
        })
    }

    /// Ends all handlers and waits until what they hold is released, such as the programs they have started: the process
    /// is about to exit, and nothing would be released then. One that blocks its thread is waited for until `within` only.
    pub(crate) fn end(&self, within: Duration) {
        let end = Instant::now() + within;
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((workers, resources)) = runtimes.take() {
            workers.shutdown_timeout(within);
            resources.shutdown_timeout(end.saturating_duration_since(Instant::now()));
        }
    }
}

/// Ends all without waiting: a handler that never ends must not keep the process.
impl Drop for Handlers {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// A handler, polled and dropped in the context of the runtime that its sockets, timers and tasks belong to.
struct Inside<T> {
    resources: Handle,
    /// None: it has been dropped.
    handler: Option<BoxFuture<'static, T>>,
}

impl<T> Future for Inside<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        let _inside = this.resources.enter();
        match &mut this.handler {
            Some(handler) => handler.as_mut().poll(cx),
            // Never: it is only dropped with this.
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Inside<T> {
    fn drop(&mut self) {
        let _inside = self.resources.enter();
        self.handler = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Waits for a handler, on a runtime that is not the handlers'.
    fn result_of<T>(handler: JoinHandle<T>) -> T {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let waiting = async { timeout(LONG, handler).await };
        runtime.block_on(waiting).expect("it does not end").unwrap()
    }

    /// Blocks so many threads until the sender is dropped.
    fn block(handlers: &Handlers, threads: usize) -> mpsc::Sender<()> {
        let (until, blocked) = mpsc::channel();
        let blocked = Arc::new(Mutex::new(blocked));
        let (begun, begins) = mpsc::channel();
        for _ in 0..threads {
            let (blocked, begun) = (Arc::clone(&blocked), begun.clone());
            handlers.spawn(async move {
                begun.send(()).unwrap();
                // The first waits for the sender, the others for the first.
                let _ = blocked.lock().unwrap().recv();
            });
            begins.recv_timeout(LONG).unwrap();
        }
        until
    }

    #[test]
    fn beside_those_that_block_sockets_and_timers_go_on() {
        let handlers = Handlers::start().unwrap();
        let _until = block(&handlers, THREADS - 1);
        let echo = handlers.spawn(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let echoing = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                while socket.read_exact(&mut byte).await.is_ok() {
                    sleep(Duration::from_millis(1)).await;
                    socket.write_all(&byte).await.unwrap();
                }
            });
            let mut socket = TcpStream::connect(address).await.unwrap();
            for byte in 0..200 {
                socket.write_all(&[byte]).await.unwrap();
                assert_eq!(socket.read_u8().await.unwrap(), byte);
            }
            drop(socket);
            echoing.await.unwrap();
        });
        result_of(echo);
    }

    /// A timer and a task have woken it just before: whoever looks after timers must not be who it blocks.
    #[test]
    fn one_that_blocks_just_after_it_was_woken_keeps_no_other_waiting() {
        let handlers = Handlers::start().unwrap();
        for _ in 0..50 {
            let (ended, has_ended) = mpsc::channel();
            let blocking = handlers.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                has_ended.recv_timeout(LONG).unwrap();
            });
            let other = handlers.spawn(async move {
                for _ in 0..5 {
                    sleep(Duration::from_millis(1)).await;
                    tokio::spawn(async {}).await.unwrap();
                }
                ended.send(()).unwrap();
            });
            result_of(blocking);
            result_of(other);
        }
    }

    /// tokio would make it yield after 128 reads, and have it wait on a thread that another may block.
    #[test]
    fn one_that_has_much_to_read_is_not_put_off() {
        let handlers = Handlers::start().unwrap();
        let reading = handlers.spawn(async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            (0..10_000).for_each(|number| sender.send(number).unwrap());
            let all = async { while receiver.recv().await != Some(9_999) {} };
            all.now_or_never()
        });
        assert_eq!(result_of(reading), Some(()));
    }

    #[test]
    fn with_all_threads_blocked_one_waits_for_the_next() {
        let handlers = Handlers::start().unwrap();
        let until = block(&handlers, THREADS);
        let waiting = handlers.spawn(async {});
        // What is no handler goes on.
        result_of(handlers.enter(|| tokio::spawn(sleep(Duration::from_millis(50)))));
        assert!(!waiting.is_finished());
        drop(until);
        result_of(waiting);
    }

    #[test]
    fn one_that_is_told_to_end_is_dropped_where_it_ran() {
        struct Spawns(mpsc::Sender<JoinHandle<()>>);
        impl Drop for Spawns {
            fn drop(&mut self) {
                let clearing_up = tokio::spawn(sleep(Duration::from_millis(1)));
                self.0.send(clearing_up).unwrap();
            }
        }
        let handlers = Handlers::start().unwrap();
        let (sender, spawned) = mpsc::channel();
        let held = Spawns(sender);
        let handler = handlers.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        handler.abort();
        result_of(spawned.recv_timeout(LONG).unwrap());
    }

    #[test]
    fn they_end_whatever_they_do() {
        for blocked in [0, 1, THREADS] {
            let handlers = Handlers::start().unwrap();
            let (held, is_released) = mpsc::channel::<()>();
            let (begun, begins) = mpsc::channel();
            handlers.spawn(async move {
                let _held = held;
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            begins.recv_timeout(LONG).unwrap();
            let until = block(&handlers, blocked);
            // Returns although they are blocked.
            handlers.end(Duration::from_millis(300));
            if blocked == THREADS {
                // Nobody else could have dropped it.
                drop(until);
            }
            let released = is_released.recv_timeout(LONG);
            assert_eq!(released, Err(mpsc::RecvTimeoutError::Disconnected));
        }
    }

    #[test]
    fn it_is_entered_for_the_set_up() {
        let handlers = Handlers::start().unwrap();
        let spawned = handlers.enter(|| {
            tokio::spawn(async {
                sleep(Duration::from_millis(1)).await;
                thread::current().name().map(str::to_owned)
            })
        });
        assert_eq!(result_of(spawned).as_deref(), Some("handlers-io"));
    }
}
