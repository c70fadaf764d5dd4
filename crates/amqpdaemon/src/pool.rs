//! A runtime whose threads come into play only as they are needed.
//!
//! tokio wakes a second thread as soon as the first has something to do. If a request takes microseconds, that costs more
//! than it helps. So all threads of a [`Pool`] but one are held back, each by a task that blocks it on purpose, and the
//! first does everything.
//!
//! A thread of its own, the foreman, sees to it that work goes on. Threads tell when they go to sleep for want of work and
//! when they wake up. If the last news is that one woke up, and there is no other for [`PATIENCE`], those awake are blocked
//! or have much to do. Then the foreman calls one that is asleep, or if there is none, lets one of those held back go. When
//! none was needed for a [`REST`], one is held back again.
//!
//! While the last news is that a thread went to sleep, there is nothing to see to: that thread waits for sockets and timers,
//! or found another one waiting for them, and tokio wakes a sleeper for every task.
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

/// After so long without news the foreman looks whether threads are blocked.
const PATIENCE: Duration = Duration::from_millis(10);
/// They are if so few turns, or fewer, were taken meanwhile: a turn takes a millisecond or more then.
const FEW_TURNS: u64 = 10;
/// If many turns were taken, again and again, threads have too much to do.
const MOST_LOOKS: u32 = 10;
/// A thread that was not needed for so long is held back again.
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
        let reserve = Arc::new(Reserve::default());
        let (asleep, awake) = (Arc::clone(&reserve), Arc::clone(&reserve));
        let runtime = Builder::new_multi_thread()
            .worker_threads(turns + 1)
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
            threads.hold_one_back();
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
                reserve.turns_taken.fetch_add(1, SeqCst);
                task.as_mut().poll(cx)
            })
            .await
        })
    }

    /// Has the next thread with nothing better to do held back.
    fn hold_one_back(&self) {
        let reserve = Arc::clone(&self.reserve);
        self.runtime.spawn(async move {
            // What this thread was to do next, others cannot take. Now this is next, and what was is everybody's.
            tokio::spawn(async {});
            reserve.hold();
        });
    }

    /// The foreman's work.
    fn look_after(self) {
        let reserve = &self.reserve;
        // Set nowhere else.
        let _ = reserve.foreman.set(thread::current());
        let mut needed = Instant::now();
        let mut looks = 0;
        while !reserve.held().ended {
            let news = reserve.news.load(SeqCst);
            if is_asleep(news) {
                reserve.wait_for_news();
            } else if let Some(turns) = reserve.turns_without_news(news) {
                looks += 1;
                if turns <= FEW_TURNS || looks >= MOST_LOOKS {
                    looks = 0;
                    self.help(&mut needed);
                }
            } else {
                looks = 0;
            }
            // Of two that sleep, neither is blocked.
            let one_too_many = reserve.asleep.load(SeqCst) > 1;
            if one_too_many && needed.elapsed() >= REST && reserve.takes_one_back() {
                needed = Instant::now();
                self.hold_one_back();
            }
        }
    }

    fn help(&self, needed: &mut Instant) {
        if self.reserve.asleep.load(SeqCst) == 0 {
            *needed = Instant::now();
            self.reserve.let_one_go();
        } else {
            // For anything at all a sleeper is woken, and sees to the rest.
            self.runtime.spawn(async {});
        }
    }
}

/// What threads and foreman know of each other.
#[derive(Default)]
struct Reserve {
    /// Counts the news; odd: the last is that a thread went to sleep. Threads are born awake.
    news: AtomicU64,
    asleep: AtomicUsize,
    turns_taken: AtomicU64,
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
    /// So many were let go, and are not held again.
    out: usize,
    /// How many there have been.
    ever: usize,
    ended: bool,
}

/// Whether the last news is that a thread went to sleep.
fn is_asleep(news: u64) -> bool {
    !news.is_multiple_of(2)
}

impl Reserve {
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

    /// Returns when a thread wakes up, or after a rest if one may have to be held back.
    fn wait_for_news(&self) {
        self.foreman_waits.store(true, SeqCst);
        let Held { out, ended, .. } = *self.held();
        // Whoever wakes up from here on sees that the foreman waits.
        if is_asleep(self.news.load(SeqCst)) && !ended {
            match out {
                0 => thread::park(),
                _ => thread::park_timeout(REST),
            }
        }
        self.foreman_waits.store(false, SeqCst);
    }

    /// Waits; the number of turns taken meanwhile, or None if there is news.
    fn turns_without_news(&self, news: u64) -> Option<u64> {
        let before = self.turns_taken.load(SeqCst);
        let since = Instant::now();
        thread::park_timeout(PATIENCE);
        let nothing = self.news.load(SeqCst) == news && since.elapsed() >= PATIENCE;
        nothing.then(|| self.turns_taken.load(SeqCst) - before)
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
            held.out += 1;
            self.let_go.notify_one();
        }
    }

    /// Whether one that was let go is to be held again.
    fn takes_one_back(&self) -> bool {
        let mut held = self.held();
        let was_let_go = held.out > 0;
        held.out -= usize::from(was_let_go);
        was_let_go
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
