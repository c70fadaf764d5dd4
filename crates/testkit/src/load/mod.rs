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
mod ledger;
mod plan;
mod publisher;
mod reader;
mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::runtime::Builder;
use tokio::sync::Notify;

pub use account::Account;
use ledger::Ledger;
pub use plan::LoadPlan;
use shared::{LOOK_EVERY, Shared};

use crate::{FaultProxy, Schema, Vhost};

impl LoadPlan {
    /// Begins. The schema must be declared; its output queue must have no other consumer.
    ///
    /// # Errors
    /// No port for a proxy, or no thread.
    pub fn start(self, vhost: &Vhost, schema: &Schema) -> Result<Load> {
        let shared = Arc::new(Shared {
            ledger: Ledger::new(),
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
        let mut account = self.shared.ledger.account();
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
            self.shared.ledger.read_journal(journal, &mut account)?;
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
        self.shared.ledger.is_complete(planned)
            && is_empty(&schema.input_queue)
            && is_empty(&schema.output_queue)
            && self.shared.ledger.is_complete(planned)
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
