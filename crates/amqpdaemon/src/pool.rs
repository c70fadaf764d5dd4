//! A runtime whose threads come into play only as they are needed.
//!
//! tokio wakes a second thread as soon as the first has something to do. If a request takes microseconds, that costs more
//! than it helps. So all threads of a [`Pool`] but one are held back, each by a task that blocks it on purpose, and the
//! first does everything.
//!
//! A thread of its own, the foreman, sees to it that work goes on. Threads tell when they go to sleep for want of work and
//! when they wake up; the foreman looks every [`PATIENCE`], as long as there is anything to see.
//!
//! - If all are awake, and none has slept since the last look, they are blocked or have too much to do: one of those held
//!   back is let go. It stays in play until there is nothing to do; after a [`REST`] it is held back again then.
//! - If the last news is that one woke up, and it goes on, nobody may be waiting for sockets and timers: a sleeper is called.
//!   (If it is that one went to sleep, that one waits for them, or found another who does.)
//! - When nothing has happened for some looks, a sleeper is called once. tokio does not always wake one for what a thread has
//!   taken to do next, since that thread would do it; one that is blocked or held back does not. A sleeper, once awake, looks
//!   for work with all the others before it sleeps again.
//!
//! What may block its thread takes turns ([`Threads::spawn_in_turn`]), one fewer than there are threads.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::ready;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::PollSemaphore;

/// The foreman looks so often.
const PATIENCE: Duration = Duration::from_millis(10);
/// If no more turns than this were taken since the last look, threads are blocked: a turn takes a millisecond or more.
const FEW_TURNS: u64 = 10;
/// After so many looks without news, threads that are all awake have too much to do, and sleepers nothing.
const MOST_LOOKS: u32 = 10;
/// When no further thread was needed for so long, and there is nothing to do, threads are held back again.
const REST: Duration = Duration::from_secs(1);

/// A runtime with threads in reserve. To be ended by [`Pool::end`]: dropped, it would wait for them for ever.
pub(crate) struct Pool {
    runtime: Runtime,
    threads: Threads,
}

/// The way to a pool's threads.
#[derive(Clone)]
pub(crate) struct Threads {
    runtime: Handle,
    reserve: Arc<Reserve>,
    turns: Arc<Semaphore>,
}

impl Pool {
    /// Starts the threads: one more than there are turns.
    pub(crate) fn new(turns: usize) -> anyhow::Result<Self> {
        let threads = turns + 1;
        let reserve = Arc::new(Reserve::new(threads));
        let (asleep, awake) = (Arc::clone(&reserve), Arc::clone(&reserve));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("handler")
            .on_thread_park(move || asleep.fell_asleep())
            .on_thread_unpark(move || awake.woke_up())
            .enable_all()
            .build()
            .context("starting the handlers' runtime")?;
        let threads = Threads {
            runtime: runtime.handle().clone(),
            reserve,
            turns: Arc::new(Semaphore::new(turns)),
        };
        let foreman = threads.clone();
        thread::Builder::new()
            .name("foreman".to_owned())
            .spawn(move || foreman.look_after())
            .context("starting a thread")?;
        for held in 1..=turns {
            threads.hold_one_back(None);
            threads.reserve.wait_until_held(held);
        }
        Ok(Self { runtime, threads })
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Ends all tasks, and waits until they are dropped; no longer than `within` for one that blocks its thread.
    pub(crate) fn end(self, within: Duration) {
        self.threads.reserve.end();
        self.runtime.shutdown_timeout(within);
    }
}

impl Threads {
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Starts a task that may block its thread now and then.
    pub(crate) fn spawn_in_turn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let reserve = Arc::clone(&self.reserve);
        let mut turns = PollSemaphore::new(Arc::clone(&self.turns));
        self.runtime.spawn(async move {
            let mut task = pin!(task);
            poll_fn(|cx| {
                let _turn = ready!(turns.poll_acquire(cx));
                reserve.turns.fetch_add(1, SeqCst);
                task.as_mut().poll(cx)
            })
            .await
        })
    }

    /// Has a thread held back, unless there is other news by then than that it woke up for this. What a thread has put off
    /// would have to wait as long as it is held; one that has slept has put nothing off.
    fn hold_one_back(&self, last_news: Option<u64>) {
        let reserve = Arc::clone(&self.reserve);
        self.runtime.spawn(async move {
            let now = reserve.news.load(SeqCst);
            if last_news.is_none_or(|last| now == last + 1) {
                // What this thread was to do next, others cannot take. Now this is next, and what was is everybody's.
                tokio::spawn(async {});
                reserve.hold();
            }
        });
    }

    /// The foreman's work.
    fn look_after(self) {
        let reserve = &self.reserve;
        // Set nowhere else.
        let _ = reserve.foreman.set(thread::current());
        let mut last = reserve.look();
        let mut quiet = 0;
        let mut needed = Instant::now();
        let mut called = None;
        loop {
            let is_idle = quiet >= MOST_LOOKS && last.asleep == last.in_play;
            if is_idle && last.in_play == 1 && last.is_only(called) {
                reserve.wait_for_news(last.news);
            } else {
                thread::sleep(PATIENCE);
            }
            let look = reserve.look();
            if look.ended {
                return;
            }
            quiet = if look.news == last.news { quiet + 1 } else { 0 };
            if look.asleep == 0 {
                let few_turns = look.turns - last.turns <= FEW_TURNS;
                if quiet > 0 && (few_turns || quiet >= MOST_LOOKS) {
                    quiet = 0;
                    needed = Instant::now();
                    reserve.let_one_go();
                }
            } else if (quiet > 0 && look.last_woke_up())
                || (quiet >= MOST_LOOKS && !look.is_only(called))
            {
                called = Some(look.news);
                // For anything at all a sleeper is woken.
                self.runtime.spawn(async {});
            }
            let is_idle = quiet >= MOST_LOOKS && look.asleep == look.in_play;
            if is_idle && look.in_play > 1 && look.is_only(called) && needed.elapsed() >= REST {
                self.hold_one_back(Some(look.news));
            }
            last = look;
        }
    }
}

/// What the foreman sees.
struct Look {
    news: u64,
    turns: u64,
    asleep: usize,
    in_play: usize,
    ended: bool,
}

impl Look {
    fn last_woke_up(&self) -> bool {
        self.news.is_multiple_of(2)
    }

    /// Whether there is no news since a sleeper was called, but its own.
    fn is_only(&self, called: Option<u64>) -> bool {
        const AWAKE_AND_ASLEEP: u64 = 4;
        called.is_some_and(|called| self.news - called <= AWAKE_AND_ASLEEP)
    }
}

/// What threads and foreman know of each other.
struct Reserve {
    threads: usize,
    /// Counts the news; odd: the last is that a thread went to sleep. Threads are born awake.
    news: AtomicU64,
    asleep: AtomicUsize,
    /// Counts the turns taken.
    turns: AtomicU64,
    foreman: OnceLock<Thread>,
    /// The foreman waits for a thread to wake up.
    foreman_waits: AtomicBool,
    held: Mutex<Held>,
    let_go: Condvar,
    was_held: Condvar,
}

/// The threads that are held back.
#[derive(Clone, Copy, Default)]
struct Held {
    now: usize,
    /// So many of them may go.
    free: usize,
    /// How many there have been.
    ever: usize,
    ended: bool,
}

impl Reserve {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            news: AtomicU64::new(0),
            asleep: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
            foreman: OnceLock::new(),
            foreman_waits: AtomicBool::new(false),
            held: Mutex::default(),
            let_go: Condvar::new(),
            was_held: Condvar::new(),
        }
    }

    fn fell_asleep(&self) {
        self.asleep.fetch_add(1, SeqCst);
        self.tell(1);
    }

    fn woke_up(&self) {
        self.asleep.fetch_sub(1, SeqCst);
        self.tell(0);
        if self.foreman_waits.load(SeqCst) && self.foreman_waits.swap(false, SeqCst) {
            self.wake_foreman();
        }
    }

    fn tell(&self, asleep: u64) {
        // The next number of this kind; it always succeeds.
        let next = |news: u64| Some((news | 1) + 1 + asleep);
        let _ = self.news.fetch_update(SeqCst, SeqCst, next);
    }

    /// Returns when there is more news than this.
    fn wait_for_news(&self, last: u64) {
        self.foreman_waits.store(true, SeqCst);
        // Whoever wakes up from here on sees that the foreman waits.
        let look = self.look();
        if look.news == last && !look.ended {
            thread::park();
        }
        self.foreman_waits.store(false, SeqCst);
    }

    fn look(&self) -> Look {
        let Held { now, ended, .. } = *self.held();
        Look {
            news: self.news.load(SeqCst),
            turns: self.turns.load(SeqCst),
            asleep: self.asleep.load(SeqCst),
            in_play: self.threads - now,
            ended,
        }
    }

    fn wake_foreman(&self) {
        if let Some(foreman) = self.foreman.get() {
            foreman.unpark();
        }
    }

    /// Blocks this thread until it may go.
    fn hold(&self) {
        let mut held = self.held();
        held.now += 1;
        held.ever += 1;
        self.was_held.notify_all();
        let wait = |held: &mut Held| held.free == 0 && !held.ended;
        held = self
            .let_go
            .wait_while(held, wait)
            .unwrap_or_else(PoisonError::into_inner);
        held.free = held.free.saturating_sub(1);
        held.now -= 1;
    }

    fn wait_until_held(&self, threads: usize) {
        let wait = |held: &mut Held| held.ever < threads;
        // Nothing is to be done with it.
        let _held = self.was_held.wait_while(self.held(), wait);
    }

    /// Lets one go, if any is held.
    fn let_one_go(&self) {
        let mut held = self.held();
        if held.free < held.now {
            held.free += 1;
            self.let_go.notify_one();
        }
    }

    fn end(&self) {
        self.held().ended = true;
        self.let_go.notify_all();
        self.wake_foreman();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    impl Pool {
        fn held(&self) -> usize {
            self.threads.reserve.held().now
        }

        /// Blocks so many threads until the sender is dropped, one after the other.
        fn block(&self, threads: usize) -> mpsc::Sender<()> {
            let (until, blocked) = mpsc::channel();
            let blocked = Arc::new(Mutex::new(blocked));
            let (begun, begins) = mpsc::channel();
            for _ in 0..threads {
                let (blocked, begun) = (Arc::clone(&blocked), begun.clone());
                self.threads.spawn_in_turn(async move {
                    begun.send(()).unwrap();
                    // The first waits for the sender, the others for the first.
                    let _ = blocked.lock().unwrap().recv();
                });
                begins.recv_timeout(LONG).unwrap();
            }
            until
        }
    }

    fn wait_until(what: impl Fn() -> bool) {
        let since = Instant::now();
        while !what() {
            assert!(since.elapsed() < LONG, "in vain");
            thread::sleep(PATIENCE);
        }
    }

    #[test]
    fn threads_take_over_what_others_block_and_are_held_back_again() {
        let pool = Pool::new(3).unwrap();
        assert_eq!(pool.held(), 3);
        let until = pool.block(3);
        wait_until(|| pool.held() == 0);
        // Sockets and timers are waited for as well, by the only thread that is left.
        let listening = pool.threads.runtime.spawn(TcpListener::bind("127.0.0.1:0"));
        let listener = pool.threads.runtime.block_on(listening).unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        pool.threads.runtime.spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while socket.read_exact(&mut byte).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
                socket.write_all(&byte).await.unwrap();
            }
        });
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        for byte in 0..200 {
            socket.write_all(&[byte]).unwrap();
            let mut echoed = [0];
            socket.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed, [byte]);
        }
        drop(until);
        wait_until(|| pool.held() == 3);
        pool.end(LONG);
    }

    #[test]
    fn what_has_no_turn_waits_for_one() {
        let pool = Pool::new(2).unwrap();
        let until = pool.block(2);
        let mut third = pool.threads.spawn_in_turn(async {});
        let runtime = pool.threads.runtime.clone();
        let early = async { timeout(Duration::from_millis(100), &mut third).await };
        assert!(runtime.block_on(early).is_err());
        drop(until);
        runtime.block_on(async { timeout(LONG, third).await.unwrap().unwrap() });
        pool.end(LONG);
    }

    /// Whatever blocks when, and whichever thread it blocks: all is done in the end.
    #[test]
    fn nothing_is_left_behind() {
        let pool = Pool::new(4).unwrap();
        let work = pool.threads.clone();
        let all = pool.threads.runtime.spawn(async move {
            let end = Instant::now() + Duration::from_secs(5);
            while Instant::now() < end {
                let tasks = (0..fastrand::u32(1..200)).map(|_| {
                    let work_there = work.clone();
                    work.spawn_in_turn(async move {
                        if fastrand::u32(..100) == 0 {
                            thread::sleep(Duration::from_millis(fastrand::u64(..30)));
                        }
                        // Something that this thread would do next, while it goes on.
                        let next = work_there.spawn_in_turn(async {});
                        tokio::task::yield_now().await;
                        next.await.unwrap();
                        sleep(Duration::from_millis(fastrand::u64(..3))).await;
                    })
                });
                let tasks: Vec<_> = tasks.collect();
                // Now and then long enough for threads to be held back.
                if fastrand::u32(..50) == 0 {
                    sleep(REST + 10 * PATIENCE).await;
                }
                for task in tasks {
                    timeout(LONG, task).await.unwrap().unwrap();
                }
            }
        });
        pool.threads.runtime.block_on(all).unwrap();
        wait_until(|| pool.held() == 4);
        pool.end(LONG);
    }

    #[test]
    fn it_ends_whatever_its_threads_do() {
        for blocked in 0..=2 {
            let pool = Pool::new(2).unwrap();
            let until = pool.block(blocked);
            let (dropped, is_dropped) = mpsc::channel::<()>();
            pool.threads.runtime.spawn(async move {
                let _dropped = dropped;
                std::future::pending::<()>().await;
            });
            let since = Instant::now();
            pool.end(Duration::from_millis(300));
            assert!(since.elapsed() < LONG);
            if blocked == 0 {
                let all_dropped = is_dropped.try_recv();
                assert_eq!(all_dropped, Err(mpsc::TryRecvError::Disconnected));
            }
            drop(until);
        }
    }
}
