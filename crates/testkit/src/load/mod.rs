//! A load of numbered requests that accounts for every one of them.
//!
//! A [`Load`] publishes requests with publisher confirms and reads the answers, each on a connection of its own, and goes on
//! whatever happens to these: it connects again, and publishes again, *with the same UUID*, what was not confirmed. The
//! [`Account`] says what became of each request.
//!
//! The requests are those of the test daemon's `Count`: its answer carries the id of the execution that made it. Two answers
//! with two such ids were executed twice; two answers with the same id were sent twice. What no answer shows, an execution
//! whose answer was lost, is in the test daemon's journal: see [`LoadPlan::journal`].
//!
//! It runs on a thread of its own, and each of its connections goes through a [`FaultProxy`] of its own: so a connection
//! that is given up is certainly gone, and tests can spoil it.

mod account;
mod book;
mod publisher;
mod reader;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::runtime::Builder;
use tokio::sync::Notify;

pub use account::Account;
use book::Book;

use crate::{FaultProxy, Schema, Vhost};

/// How long each step of connecting may take, and how long the broker may keep us waiting for a confirm.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// Pause before connecting again.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a waiting [`Load`] looks whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a load is to be; [`LoadPlan::start`] begins it.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    requests: u64,
    window: usize,
    rate: Option<f64>,
    work: Duration,
    journal: Option<PathBuf>,
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

    /// As many requests as can be until [`Load::stop`]; give it a rate.
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

    /// Begins. The schema must be declared; its output queue must have no other consumer.
    ///
    /// # Errors
    /// No port for a proxy, or no thread.
    pub fn start(self, vhost: &Vhost, schema: &Schema) -> Result<Load> {
        let shared = Arc::new(Shared {
            book: Book::new(),
            plan: self,
            vhost: vhost.share(),
            schema: schema.clone(),
            publishing: FaultProxy::to(vhost.amqp_port())?,
            reading: FaultProxy::to(vhost.amqp_port())?,
            stop: AtomicBool::new(false),
            over: Notify::new(),
        });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let working = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = working.over.notified() => {}
                        ((), ()) = async { tokio::join!(publisher::run(&working), reader::run(&working)) } => {}
                    }
                });
            })?;
        Ok(Load {
            shared,
            thread: Some(thread),
            begun: Instant::now(),
        })
    }
}

/// What both sides of a load need.
#[derive(Debug)]
struct Shared {
    plan: LoadPlan,
    vhost: Vhost,
    schema: Schema,
    book: Book,
    publishing: FaultProxy,
    reading: FaultProxy,
    stop: AtomicBool,
    over: Notify,
}

impl Shared {
    fn url(&self, proxy: &FaultProxy) -> String {
        format!("{}?heartbeat=5", self.vhost.amqp_url_at(proxy.port()))
    }
}

/// A load that is under way; see the module's concept. Ends when dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    begun: Instant,
}

impl Load {
    /// How things stand now.
    pub fn account(&self) -> Account {
        let mut account = self.shared.book.account();
        account.duration = self.begun.elapsed();
        account
    }

    /// The way on which requests are published.
    pub fn publishing(&self) -> &FaultProxy {
        &self.shared.publishing
    }

    /// The way on which answers are read. An answer whose acknowledgement it loses is delivered to the load again: it is
    /// counted in [`Account::seen_again`], not as answered twice.
    pub fn reading(&self) -> &FaultProxy {
        &self.shared.reading
    }

    /// Begins no further requests. Those begun are still published until they are confirmed.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until all requests are published, confirmed and answered, and both queues are empty, or `within` is over; then
    /// ends the load and returns its account. An endless load is stopped first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn finish(mut self, within: Duration) -> Result<Account> {
        if self.shared.plan.requests == u64::MAX {
            self.stop();
        }
        let end = Instant::now() + within;
        while Instant::now() < end && !self.is_done() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let mut account = self.account();
        self.end();
        if let Some(journal) = &self.shared.plan.journal {
            self.shared.book.read_journal(journal, &mut account)?;
        }
        Ok(account)
    }

    /// [`Load::finish`], and errs with the account unless every request was published and answered.
    ///
    /// # Errors
    /// As [`Load::finish`]; a request is missing.
    pub async fn finish_complete(self, within: Duration) -> Result<Account> {
        let account = self.finish(within).await?;
        match account.missing {
            0 if account.unconfirmed == 0 => Ok(account),
            _ => Err(anyhow!("requests are missing\n{account}")),
        }
    }

    /// All answered, and none to be answered or read once more.
    fn is_done(&self) -> bool {
        let planned = match self.shared.stop.load(Ordering::Relaxed) {
            true => None,
            false => Some(self.shared.plan.requests),
        };
        let schema = &self.shared.schema;
        let is_empty = |queue: &str| {
            let state = self.shared.vhost.queue(queue);
            matches!(state, Ok(Some(state)) if state.ready == 0 && state.unacked == 0)
        };
        // In this order: what leaves the first goes to the second.
        self.shared.book.is_complete(planned)
            && is_empty(&schema.input_queue)
            && is_empty(&schema.output_queue)
            && self.shared.book.is_complete(planned)
    }

    fn end(&mut self) {
        self.shared.over.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}
