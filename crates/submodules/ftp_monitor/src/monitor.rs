//! The monitor's life: what the log says, what the homes look like, and one import after the other.
//!
//! One thread does all of it: imports come one by one, so that no more than one message is in memory, and log lines that
//! come meanwhile wait in their file. How far the log has been read is kept when all it asked for has been done.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edeposit_ftp::{Accounts, Error, Home, Settings};

use crate::follow::Follower;
use crate::import::{ImportError, Outcome, Publisher, import};
use crate::journal::Journal;
use crate::one_line::one_line;
use crate::tree::Tree;
use crate::trigger::{self, Line, Trigger};
use crate::watch::Watch;

/// How long it may take to notice that the daemon is to end, and to look at rotated files.
const TURN: Duration = Duration::from_millis(500);

/// Watches homes and imports.
pub struct Monitor {
    settings: Settings,
    log: PathBuf,
}

/// What the monitor asks and tells while it runs.
pub trait Surroundings: Publisher {
    /// Whether it is to end.
    fn is_stopping(&self) -> bool;

    /// It is alive.
    fn turn(&self) {}
}

impl Monitor {
    /// Follows this log, or by default that of the settings.
    #[must_use]
    pub fn new(settings: Settings, log: Option<PathBuf>) -> Self {
        let log = log.unwrap_or_else(|| settings.log_file.clone());
        Self { settings, log }
    }

    /// The log that is followed.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Runs until it is to end. Imports that fail are tried again.
    ///
    /// # Errors
    /// `STATE_PATH` cannot be used.
    pub fn run(&self, surroundings: &dyn Surroundings) -> Result<(), ImportError> {
        let settings = &self.settings;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.state_path)?;
        let mut pending: BTreeSet<Trigger> = Journal::users(settings)?
            .into_iter()
            .map(Trigger::home)
            .collect();
        let mut follower = Follower::new(&self.log, &settings.state_path.join("log-position.json"));
        let mut watch = Watch::of(&self.log);
        let mut waiting = BTreeSet::new();
        let mut next_scan = Instant::now();
        let mut was_ready = surroundings.is_ready();
        let mut unreadable: u64 = 0;
        while !surroundings.is_stopping() {
            surroundings.turn();
            follower.read(|line| match trigger::read(settings, line) {
                Line::Trigger(trigger) => drop(pending.insert(trigger)),
                Line::Other => {}
                Line::Unreadable => {
                    unreadable += 1;
                    if unreadable.is_power_of_two() {
                        tracing::warn!(unreadable, "lines of the log that are none");
                    }
                }
            });
            let is_ready = surroundings.is_ready();
            if Instant::now() >= next_scan || (is_ready && !was_ready) {
                pending.append(&mut waiting);
                self.scan(&mut pending);
                next_scan = Instant::now() + settings.scan_interval;
            }
            was_ready = is_ready;
            while let Some(trigger) = pending.pop_first() {
                if surroundings.is_stopping() {
                    waiting.insert(trigger);
                    break;
                }
                surroundings.turn();
                if !self.import(surroundings, &trigger) {
                    waiting.insert(trigger);
                }
            }
            // a home without lock file is found again anyway, a directory in it is not
            let is_all_done = |trigger: &Trigger| trigger.directory.as_os_str().is_empty();
            if pending.iter().chain(&waiting).all(is_all_done)
                && let Err(error) = follower.save()
            {
                tracing::warn!(%error, "keeping the position in the log");
            }
            watch.wait(TURN);
        }
        Ok(())
    }

    /// False: it is to be tried again.
    fn import(&self, publisher: &dyn Surroundings, trigger: &Trigger) -> bool {
        let user = &trigger.user;
        match import(&self.settings, publisher, trigger) {
            Ok(Outcome::Done) => true,
            Ok(Outcome::Later(reason)) => {
                tracing::warn!(%user, reason, "the import waits");
                false
            }
            Err(error) => {
                let error = one_line(&error);
                tracing::error!(%user, error, "the import failed and will be tried again");
                false
            }
        }
    }

    /// Every home without lock file is to be imported: the missing file is the truth, the log only makes it quick.
    fn scan(&self, pending: &mut BTreeSet<Trigger>) {
        let passwd = match Accounts::new(&self.settings).read() {
            Ok(passwd) => passwd,
            Err(error) => return tracing::error!(%error, "reading the accounts"),
        };
        for user in passwd.accounts().filter_map(|account| account.user_name()) {
            let has_lock = || match Home::open(&self.settings, &user)? {
                Some(home) => Tree::new(&self.settings, home)?.has_lock(),
                None => Ok(true),
            };
            match has_lock() {
                Ok(true) => {}
                Ok(false) => drop(pending.insert(Trigger::home(user))),
                Err(error) => {
                    let error: Error = error;
                    tracing::warn!(%user, %error, "looking for the lock file");
                }
            }
        }
    }
}
