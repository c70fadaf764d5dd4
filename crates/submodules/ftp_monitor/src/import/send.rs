//! Sending: as many messages as it takes, each marked in the journal before the next one is written.

use edeposit_ftp::Settings;

use super::error::ImportError;
use crate::journal::{Journal, Record, Step};
use crate::message::{Body, Book, empty_len, json_len};
use crate::plan::{self, Plan, Planned};
use crate::report;
use crate::tree::{Listing, Tree};

/// Why a message is not known to be safe.
pub(super) struct Unsent(pub(super) String);

/// Where messages go.
pub trait Publisher {
    /// Whether there is any sense in trying: connected, and not about to end.
    fn is_ready(&self) -> bool;

    /// Publishes a message, and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// It is not known to be safe, and why.
    fn publish(&self, body: Vec<u8>) -> Result<(), String>;
}

/// What is sent, and how.
pub(super) struct Sending<'a> {
    pub(super) settings: &'a Settings,
    pub(super) publisher: &'a dyn Publisher,
    /// Whose import it is.
    pub(super) user: &'a str,
    pub(super) tree: &'a Tree<'a>,
    pub(super) listing: &'a Listing,
    pub(super) plan: &'a Plan,
}

impl Sending<'_> {
    /// Sends all messages of an import, and marks each in the journal.
    pub(super) fn run(
        &self,
        journal: &mut Journal,
        record: &mut Record,
    ) -> Result<Result<(), Unsent>, ImportError> {
        let &Self {
            user,
            listing,
            plan,
            ..
        } = self;
        let largest = plan::largest_message(self.settings);
        let mut left = plan.items.iter().peekable();
        let mut errors = plan.errors.clone();
        let mut discarded = plan.discarded.clone();
        loop {
            if !self.publisher.is_ready() {
                return Ok(Err(Unsent("there is no connection to RabbitMQ".to_owned())));
            }
            let told = shortened(report::error_report(&errors), largest / 2);
            let room = largest.saturating_sub(empty_len(user, &told));
            let mut size = 0;
            let mut part = Vec::new();
            while let Some(item) = left.next_if(|item| item.size <= room - size) {
                size += item.size;
                part.push(item);
            }
            let mut body = Body::new(user, largest - room + size)?;
            let mut files = Vec::new();
            let mut failures = Vec::new();
            for item in part {
                match self.add(item, &mut body) {
                    Ok(()) => {
                        files.extend(item.files().map(|file| listing.files[file].file.clone()))
                    }
                    Err(error) => failures.push(error),
                }
            }
            files.extend(
                discarded
                    .drain(..)
                    .map(|file| listing.files[file].file.clone()),
            );
            let lines = body.lines().to_vec();
            let mut told = vec![told];
            told.retain(|text| !text.is_empty());
            told.extend(failures.iter().cloned());
            errors.extend(failures);
            // of an earlier try that got only half-way
            errors.retain(|error| !record.errors.contains(error));
            let mut mark = vec![Step::Published {
                files,
                lines,
                errors: std::mem::take(&mut errors),
            }];
            // together with the last mark: from then on nothing is sent
            if left.peek().is_none() {
                let found_files = found_files(listing, record);
                mark.push(Step::Complete { found_files });
            }
            journal.reserve(&mark)?;
            if let Err(reason) = self.publisher.publish(body.finish(&told.join("\n"))) {
                return Ok(Err(Unsent(reason)));
            }
            journal.add(&mark)?;
            record.take(mark);
            if record.complete.is_some() {
                return Ok(Ok(()));
            }
        }
    }

    fn add(&self, item: &Planned, body: &mut Body) -> Result<(), String> {
        let (tree, listing) = (self.tree, self.listing);
        let metadata = item.metadata.map(|file| {
            let found = &listing.files[file];
            let read =
                plan::read_metadata(tree, found).and_then(|content| plan::parse(found, content));
            read.map_err(|problem| report::unreadable_metadata(&found.shown, &problem))
        });
        let metadata = metadata.transpose()?;
        let ebook = item.ebook.map(|file| &listing.files[file]);
        let failed = |error: &dyn std::fmt::Display| {
            format!(
                "Can't read {}: {error}",
                ebook.map_or("", |found| &found.shown)
            )
        };
        let book = ebook.map(|found| {
            tree.open(&found.file).map(|content| Book {
                filename: &found.shown,
                size: found.file.id.size,
                content,
            })
        });
        let book = book.transpose().map_err(|error| failed(&error))?;
        let encoding = self.settings.ebook_encoding;
        body.add(metadata.as_ref(), book, encoding, item.line.clone())
            .map_err(|error| failed(&error))
    }
}

impl Planned {
    fn files(&self) -> impl Iterator<Item = usize> {
        self.metadata.into_iter().chain(self.ebook)
    }
}

/// Whether there was anything to import, now or in an earlier try.
pub(super) fn found_files(listing: &Listing, record: &Record) -> bool {
    !listing.files.is_empty() || !record.lines.is_empty()
}

/// A text of so many bytes as JSON at most.
fn shortened(mut text: String, most: usize) -> String {
    if json_len(&text) > most {
        // a character takes six bytes at most for one of its own
        let end = text.floor_char_boundary(most / 6);
        text.truncate(end);
        text.push_str("\n...");
    }
    text
}
