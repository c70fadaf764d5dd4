//! What became of a load's requests.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What became of a load's requests. `Display` is a small table.
///
/// A request that the broker did not confirm is published again and may then be in the queue twice; that is counted apart
/// from what the daemon does to a request that was published once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Requests begun.
    pub requests: u64,
    /// Those the broker has not confirmed. They are not missing yet.
    pub unconfirmed: u64,
    /// How often a request was published again because its confirm was lost.
    pub republished: u64,
    /// Requests with exactly one answer.
    pub answered_once: u64,
    /// Requests published once, with more than one answer.
    pub answered_again: u64,
    /// Requests published more than once, with more than one answer.
    pub answered_again_republished: u64,
    /// Confirmed requests without an answer.
    pub missing: u64,
    /// The UUIDs of the first few of those.
    pub some_missing: Vec<String>,
    /// Answers from one execution that came marked as redelivered, after an answer from it had been read: most likely
    /// the very same message, because the load's own acknowledgement was lost.
    pub seen_again: u64,
    /// Requests published once whose answers show that they were executed more than once.
    pub executed_again: u64,
    /// Requests published more than once whose answers show that they were executed more than once.
    pub executed_again_republished: u64,
    /// By the journal, if there is one: how many executions there were.
    pub executions: Option<u64>,
    /// By the journal: requests that were published once and executed more than once, whether an answer shows it or not.
    pub journal_executed_again: Option<u64>,
    /// Answers that were exceptions, by name.
    pub exceptions: BTreeMap<String, u64>,
    /// Answers to none of our requests.
    pub strangers: u64,
    /// How often the publishing connection was made.
    pub publisher_connections: u64,
    /// How often the reading connection was made.
    pub reader_connections: u64,
    /// How long it took so far.
    pub duration: Duration,
}

impl Account {
    /// Whether every request was confirmed and has exactly one answer that is no exception, and none was executed twice as
    /// far as can be seen.
    pub fn is_perfect(&self) -> bool {
        self.answered_once == self.requests
            && self.unconfirmed == 0
            && self.exceptions.is_empty()
            && self.strangers == 0
            && self.journal_executed_again.unwrap_or(0) == 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, count: u64| writeln!(f, "{count:>10}  {what}");
        line("requests", self.requests)?;
        line("not confirmed", self.unconfirmed)?;
        line(
            "published again, their confirm being lost",
            self.republished,
        )?;
        line("answered exactly once", self.answered_once)?;
        line("answered more than once", self.answered_again)?;
        line(
            "answered more than once, but also published more than once",
            self.answered_again_republished,
        )?;
        line("missing", self.missing)?;
        line(
            "executed more than once, by their answers",
            self.executed_again,
        )?;
        line(
            "executed more than once, but also published more than once",
            self.executed_again_republished,
        )?;
        if let (Some(executions), Some(again)) = (self.executions, self.journal_executed_again) {
            line("executions, by the journal", executions)?;
            line("executed more than once, by the journal", again)?;
        }
        line(
            "answers read again, our acknowledgement being lost",
            self.seen_again,
        )?;
        line("answers to nothing we asked", self.strangers)?;
        line("connections to publish", self.publisher_connections)?;
        line("connections to read", self.reader_connections)?;
        for (name, count) in &self.exceptions {
            line(&format!("exceptions {name}"), *count)?;
        }
        writeln!(f, "{:>10.1}  seconds", self.duration.as_secs_f64())?;
        for uuid in &self.some_missing {
            writeln!(f, "missing: {uuid}")?;
        }
        Ok(())
    }
}
