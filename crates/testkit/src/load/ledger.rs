//! What is known of each request: a few bytes, so that there may be millions.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use uuid::Uuid;

use super::Account;

/// How many missing requests are named.
const NAMED: usize = 10;

/// All requests of a load.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The first half of the UUID of all our requests; the second is the number.
    run: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    /// To be published again, before any new one.
    again: Vec<u64>,
    /// Further executions of the few requests that have more than one.
    executions: HashMap<u64, Vec<u128>>,
    exceptions: BTreeMap<String, u64>,
    unconfirmed: u64,
    unanswered: u64,
    republished: u64,
    seen_again: u64,
    strangers: u64,
    publisher_connections: u64,
    reader_connections: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    published: u16,
    answers: u16,
    confirmed: bool,
    /// The execution the first answer came from; 0 if it does not say.
    execution: u128,
}

/// What an answer says.
pub(super) struct Read<'a> {
    pub(super) uuid: &'a str,
    /// 0 if it does not say.
    pub(super) execution: u128,
    pub(super) exception: Option<String>,
    pub(super) redelivered: bool,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            run: Uuid::new_v4().as_u64_pair().0,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uuid(&self, number: u64) -> Uuid {
        Uuid::from_u64_pair(self.run, number)
    }

    fn number(&self, uuid: &str) -> Option<u64> {
        let (run, number) = Uuid::try_parse(uuid).ok()?.as_u64_pair();
        (run == self.run).then_some(number)
    }

    /// The next request to publish, of at most `planned` ones; one published before comes first.
    pub(super) fn next(&self, planned: u64) -> Option<u64> {
        let mut inner = self.inner();
        if let Some(number) = inner.again.pop() {
            inner.republished += 1;
            let entry = inner.entry(number)?;
            entry.published = entry.published.saturating_add(1);
            return Some(number);
        }
        let number = inner.entries.len() as u64;
        if number >= planned {
            return None;
        }
        inner.entries.push(Entry {
            published: 1,
            ..Entry::default()
        });
        inner.unconfirmed += 1;
        inner.unanswered += 1;
        Some(number)
    }

    /// The number of requests begun, and those without a confirm.
    pub(super) fn begun(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.entries.len() as u64, inner.unconfirmed)
    }

    pub(super) fn confirmed(&self, number: u64) {
        let mut inner = self.inner();
        let first = inner
            .entry(number)
            .is_some_and(|entry| !std::mem::replace(&mut entry.confirmed, true));
        if first {
            inner.unconfirmed -= 1;
        }
    }

    /// Nobody knows whether it arrived.
    pub(super) fn in_doubt(&self, number: u64) {
        self.inner().again.push(number);
    }

    pub(super) fn publisher_connected(&self) {
        self.inner().publisher_connections += 1;
    }

    pub(super) fn reader_connected(&self) {
        self.inner().reader_connections += 1;
    }

    pub(super) fn answered(&self, read: &Read<'_>) {
        let number = self.number(read.uuid);
        let mut inner = self.inner();
        let Some((number, entry)) = number.and_then(|n| Some((n, *inner.entry(n)?))) else {
            inner.strangers += 1;
            return;
        };
        let is_new = entry.answers == 0
            || (entry.execution != read.execution
                && !inner
                    .executions
                    .get(&number)
                    .is_some_and(|more| more.contains(&read.execution)));
        if read.redelivered && !is_new {
            inner.seen_again += 1;
            return;
        }
        if entry.answers > 0 && is_new {
            inner
                .executions
                .entry(number)
                .or_default()
                .push(read.execution);
        }
        if let Some(name) = &read.exception {
            *inner.exceptions.entry(name.clone()).or_default() += 1;
        }
        if let Some(entry) = inner.entry(number) {
            if entry.answers == 0 {
                entry.execution = read.execution;
            }
            entry.answers = entry.answers.saturating_add(1);
        }
        if entry.answers == 0 {
            inner.unanswered -= 1;
        }
    }

    /// Whether all that were begun, and if `planned` says how many those are to be, are confirmed and answered.
    pub(super) fn is_complete(&self, planned: Option<u64>) -> bool {
        let inner = self.inner();
        inner.unconfirmed == 0
            && inner.unanswered == 0
            && planned.is_none_or(|planned| inner.entries.len() as u64 >= planned)
    }

    pub(super) fn account(&self) -> Account {
        let inner = self.inner();
        let mut account = Account {
            requests: inner.entries.len() as u64,
            unconfirmed: inner.unconfirmed,
            republished: inner.republished,
            seen_again: inner.seen_again,
            strangers: inner.strangers,
            exceptions: inner.exceptions.clone(),
            publisher_connections: inner.publisher_connections,
            reader_connections: inner.reader_connections,
            ..Account::default()
        };
        for (number, entry) in inner.entries.iter().enumerate() {
            match (entry.answers, entry.published) {
                (0, _) if entry.confirmed => {
                    account.missing += 1;
                    if account.some_missing.len() < NAMED {
                        let uuid = self.uuid(number as u64).to_string();
                        account.some_missing.push(uuid);
                    }
                }
                (0, _) => {}
                (1, _) => account.answered_once += 1,
                (_, 0 | 1) => account.answered_again += 1,
                _ => account.answered_again_republished += 1,
            }
        }
        for number in inner.executions.keys() {
            match inner.published(*number) {
                0 | 1 => account.executed_again += 1,
                _ => account.executed_again_republished += 1,
            }
        }
        account
    }

    /// Adds what the test daemon has noted of its executions.
    pub(super) fn read_journal(&self, path: &Path, account: &mut Account) -> Result<()> {
        let reading = || format!("reading the journal {}", path.display());
        let inner = self.inner();
        let mut times = vec![0u16; inner.entries.len()];
        let mut executions = 0;
        for line in BufReader::new(File::open(path).with_context(reading)?).lines() {
            let line = line.with_context(reading)?;
            let number = line.split(' ').next().and_then(|uuid| self.number(uuid));
            let time = number.and_then(|number| times.get_mut(usize::try_from(number).ok()?));
            if let Some(time) = time {
                executions += 1;
                *time = time.saturating_add(1);
            }
        }
        let again = times
            .iter()
            .zip(&inner.entries)
            .filter(|(times, entry)| **times > 1 && entry.published <= 1);
        account.executions = Some(executions);
        account.journal_executed_again = Some(again.count() as u64);
        Ok(())
    }
}

impl Inner {
    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(number).ok()?)
    }

    fn published(&self, number: u64) -> u16 {
        let entry = usize::try_from(number)
            .ok()
            .and_then(|n| self.entries.get(n));
        entry.map_or(0, |entry| entry.published)
    }
}
