//! One import, from the missing lock file to the new one.
//!
//! Nothing of a user's is deleted before the broker has confirmed the message it is in and the [`journal`](crate::journal)
//! has a mark of that. Whatever happens in between, the files are still there, the lock file is not, and the import is
//! taken up again: what has been marked is deleted and never sent again, what has not is sent, perhaps a second time.

mod error;
mod send;

use edeposit_ftp::{Accounts, Error, Home, ImportLock, Settings, Switches};

use crate::journal::{Journal, Record, Step};
use crate::one_line::one_line;
use crate::tree::{Listing, Tree};
use crate::trigger::Trigger;
use crate::{plan, report};
pub use error::ImportError;
pub use send::Publisher;
use send::{Sending, Unsent, found_files};

/// How an import ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The home has its lock file.
    Done,
    /// It has to be tried again later, and why; nothing is lost.
    Later(String),
}

/// Imports what a user has uploaded, if the lock file is missing; takes up what an earlier process left behind.
///
/// # Errors
/// See [`ImportError`]. What belongs to the user is a line in a report, not an error here.
pub fn import(
    settings: &Settings,
    publisher: &dyn Publisher,
    trigger: &Trigger,
) -> Result<Outcome, ImportError> {
    let user = &trigger.user;
    let Some(_lock) = ImportLock::try_acquire(settings, user)? else {
        return Ok(Outcome::Later(
            "another process is at work in the home".to_owned(),
        ));
    };
    let left_behind = Journal::left_behind(settings, user)?;
    let passwd = Accounts::new(settings).read()?;
    let home = Home::open(settings, user)?;
    let (Some(account), Some(home)) = (passwd.account(user), home) else {
        if let Some((journal, _)) = left_behind {
            journal.end()?;
        }
        tracing::info!(%user, "no import: there is no such account, or it has no home");
        return Ok(Outcome::Done);
    };
    let import = Import {
        settings,
        publisher,
        switches: account.switches().in_force(settings.switches),
        trigger,
    };
    if let Some((_, record)) = &left_behind
        && record.directory != trigger.directory
    {
        let directory = record.directory.clone();
        let trigger = &Trigger {
            user: user.clone(),
            directory,
        };
        match import.with(trigger).run(&home, left_behind)? {
            Outcome::Done => {}
            later => return Ok(later),
        }
        return import.run(&home, None);
    }
    import.run(&home, left_behind)
}

#[derive(Clone, Copy)]
struct Import<'a> {
    settings: &'a Settings,
    publisher: &'a dyn Publisher,
    switches: Switches,
    trigger: &'a Trigger,
}

impl<'a> Import<'a> {
    fn with(self, trigger: &'a Trigger) -> Self {
        Self { trigger, ..self }
    }

    fn run(
        &self,
        home: &Home,
        left_behind: Option<(Journal, Record)>,
    ) -> Result<Outcome, ImportError> {
        let directory = match home.below(&self.trigger.directory) {
            Ok(directory) => directory,
            Err(error) => {
                let error = one_line(&error);
                tracing::info!(error, "no import: the directory is not there");
                if let Some((journal, _)) = left_behind {
                    journal.end()?;
                }
                return Ok(Outcome::Done);
            }
        };
        let tree = Tree::new(self.settings, directory)?;
        let carried = match left_behind {
            Some((journal, record)) => match self.take_up(&tree, journal, record)? {
                Some(carried) => carried,
                None => return Ok(Outcome::Done),
            },
            None => Record::default(),
        };
        if tree.has_lock()? {
            if let Some((journal, _)) = Journal::left_behind(self.settings, &self.trigger.user)? {
                journal.end()?;
            }
            return Ok(Outcome::Done);
        }
        if !self.publisher.is_ready() {
            return Ok(Outcome::Later(
                "there is no connection to RabbitMQ".to_owned(),
            ));
        }
        self.import(&tree, carried)
    }

    /// Goes on where another process ended. What it has published is what is left to be told; None: nothing is left to do.
    fn take_up(
        &self,
        tree: &Tree<'_>,
        journal: Journal,
        mut record: Record,
    ) -> Result<Option<Record>, ImportError> {
        if record.complete.is_some() && !record.cleaned {
            tracing::info!(user = %self.trigger.user, files = record.files.len(), "finishing an import: its messages are safe");
            self.finish(tree, journal, &record)?;
            return Ok(None);
        }
        if record.cleaned {
            // It may have got as far as the lock file, which may have been deleted since.
            if !tree.has_lock()? && tree.close_and_list()?.files.is_empty() {
                tree.tidy()?;
                tree.open_again()?;
                tree.home().write_lock_file(self.settings)?;
            }
            let is_done = tree.has_lock()?;
            journal.end()?;
            return Ok((!is_done).then(Record::default));
        }
        delete(tree, &record)?;
        record.files.clear();
        if record.lines.is_empty() && record.errors.is_empty() {
            journal.end()?;
        }
        Ok(Some(record))
    }

    fn import(&self, tree: &Tree<'_>, carried: Record) -> Result<Outcome, ImportError> {
        let user = &self.trigger.user;
        let mut steps = vec![Step::Begun {
            directory: self.trigger.directory.clone(),
        }];
        if !carried.lines.is_empty() || !carried.errors.is_empty() {
            steps.push(Step::Published {
                files: Vec::new(),
                lines: carried.lines.clone(),
                errors: carried.errors.clone(),
            });
        }
        let journal = Journal::begin(self.settings, user, &steps)?;
        let result = self.import_with(tree, journal, carried);
        // The user can go on, and the import begins anew later.
        if result.is_err()
            && let Err(error) = tree.open_again()
        {
            tracing::error!(%user, %error, "opening the home");
        }
        result
    }

    fn import_with(
        &self,
        tree: &Tree<'_>,
        mut journal: Journal,
        mut record: Record,
    ) -> Result<Outcome, ImportError> {
        let user = &self.trigger.user;
        record.directory = self.trigger.directory.clone();
        let (mut listing, failure) = match tree.close_and_list() {
            Ok(listing) => (listing, None),
            Err(error) => {
                tracing::error!(%user, %error, "listing what was uploaded");
                (Listing::default(), Some(format!("Import failed: {error}")))
            }
        };
        let mut plan = plan::plan(
            tree,
            &mut listing,
            self.settings,
            self.switches,
            user.as_str(),
        );
        plan.errors.extend(failure);
        let is_known = record.lines.is_empty() && record.errors.is_empty();
        if is_known || !plan.items.is_empty() || !plan.errors.is_empty() {
            let sending = Sending {
                settings: self.settings,
                publisher: self.publisher,
                user: user.as_str(),
                tree,
                listing: &listing,
                plan: &plan,
            };
            if let Err(Unsent(reason)) = sending.run(&mut journal, &mut record)? {
                delete(tree, &record)?;
                tree.open_again()?;
                if record.lines.is_empty() && record.errors.is_empty() {
                    journal.end()?;
                }
                return Ok(Outcome::Later(reason));
            }
        }
        if record.complete.is_none() {
            // there was nothing left to tell
            let found_files = found_files(&listing, &record);
            journal.add(&[Step::Complete { found_files }])?;
            record.complete = Some(found_files);
        }
        self.finish(tree, journal, &record)?;
        let (imported, errors) = (record.lines.len(), record.errors.len());
        tracing::info!(%user, imported, errors, "imported");
        Ok(Outcome::Done)
    }

    /// All messages are safe: deletes what was in them, opens the tree, writes the reports, and at last the lock file.
    fn finish(
        &self,
        tree: &Tree<'_>,
        mut journal: Journal,
        record: &Record,
    ) -> Result<(), ImportError> {
        delete(tree, record)?;
        tree.tidy()?;
        tree.open_again()?;
        self.write_reports(tree.home(), record);
        journal.add(&[Step::Cleaned])?;
        if !tree.has_lock()? {
            tree.home().write_lock_file(self.settings)?;
        }
        Ok(journal.end()?)
    }

    /// What cannot be written, because the user has put a directory in its place, is logged.
    fn write_reports(&self, home: &Home, record: &Record) {
        let settings = self.settings;
        let (lines, errors) = (&record.lines, &record.errors);
        let write = |name: &str, text: String| {
            if let Err(error) = home.write_file(settings, name, text.as_bytes()) {
                tracing::warn!(%error, "writing a report");
            }
        };
        if self.switches.create_import_log && !(lines.is_empty() && errors.is_empty()) {
            let text = report::import_report(lines, errors, &settings.user_error_log);
            write(&settings.user_import_log, text);
        }
        if !errors.is_empty() {
            write(&settings.user_error_log, report::error_report(errors));
        } else if record.complete == Some(true)
            && let Err(error) = home.remove_file(&settings.user_error_log)
        {
            tracing::warn!(%error, "removing an old report");
        }
    }
}

/// Deletes what has been published. All of it is tried before an error counts.
fn delete(tree: &Tree<'_>, record: &Record) -> Result<(), Error> {
    let tried = record.files.iter().map(|file| tree.delete(file));
    tried.fold(Ok(()), Result::and)
}
