//! What to send and what to leave, decided before anything is sent: the first message tells of all errors.
//!
//! Files are looked into here, and read again when their message is written, so that no more than one message is in memory.

use std::collections::BTreeSet;
use std::io::Read;

use edeposit_ftp::EbookEncoding;
use edeposit_ftp::{Error, Settings, Switches};

use crate::decode::{self, LARGEST};
use crate::message::{base64_len, ebook_len, empty_len, item_len, json_len};
use crate::messages::MetadataFile;
use crate::pairing::{self, Item};
use crate::tree::{Found, Listing, Tree};
use crate::{fields, report, writers};

/// The largest message that a RabbitMQ takes, in bytes.
const LARGEST_MESSAGE: usize = 128 * 1024 * 1024;

/// One thing to send.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Numbers of files in the listing.
    pub(crate) metadata: Option<usize>,
    pub(crate) ebook: Option<usize>,
    /// How many bytes of a message it takes.
    pub(crate) size: usize,
    pub(crate) line: String,
}

/// What is to be done with a listing.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) items: Vec<Planned>,
    pub(crate) errors: Vec<String>,
    /// Metadata that will not do and is to be deleted.
    pub(crate) discarded: Vec<usize>,
}

/// How long a message may be, in bytes.
pub(crate) fn largest_message(settings: &Settings) -> usize {
    settings.max_message_size.min(LARGEST_MESSAGE)
}

/// Why a metadata file is not sent.
enum Refusal {
    /// It stays in any case.
    Left(String),
    /// Its content will not do.
    Bad(String),
}

/// Makes the plan for a tree that is closed.
pub(crate) fn plan(
    tree: &Tree<'_>,
    listing: &mut Listing,
    settings: &Settings,
    switches: Switches,
    user: &str,
) -> Plan {
    let mut plan = Plan {
        errors: std::mem::take(&mut listing.errors),
        ..Plan::default()
    };
    let files = &listing.files;
    let names: Vec<_> = files
        .iter()
        .map(|file| (file.directory, file.name.as_str()))
        .collect();
    let paired = pairing::pair(&names, switches);
    for group in &paired.ambiguous {
        let shown = group.iter().map(|file| files[*file].shown.as_str());
        plan.errors.push(report::same_name_error(shown));
    }
    let planner = Planner {
        tree,
        files,
        settings,
        room: largest_message(settings).saturating_sub(empty_len(user, "")),
        written: written(files),
    };
    for item in paired.items {
        match item {
            Item::Pair { metadata, ebook } => planner.pair(&mut plan, metadata, ebook, switches),
            Item::Metadata(file) => {
                if planner.is_finished(&mut plan, file) {
                    planner.single_metadata(&mut plan, file, switches);
                }
            }
            Item::Ebook(file) => {
                if planner.is_finished(&mut plan, file)
                    && let Err(error) = planner.single_ebook(&mut plan, file)
                {
                    plan.errors.push(error);
                }
            }
        }
    }
    plan
}

/// The files that somebody is still writing to, by their inodes.
fn written(files: &[Found]) -> BTreeSet<(u64, u64)> {
    let inode = |file: &Found| (file.file.id.device, file.file.id.inode);
    writers::being_written(&files.iter().map(inode).collect())
}

struct Planner<'a> {
    tree: &'a Tree<'a>,
    files: &'a [Found],
    settings: &'a Settings,
    /// What is left in a message for one item, in bytes.
    room: usize,
    written: BTreeSet<(u64, u64)>,
}

impl Planner<'_> {
    fn shown(&self, file: usize) -> &str {
        &self.files[file].shown
    }

    fn is_written(&self, file: usize) -> bool {
        let id = self.files[file].file.id;
        self.written.contains(&(id.device, id.inode))
    }

    fn is_finished(&self, plan: &mut Plan, file: usize) -> bool {
        let is_written = self.is_written(file);
        if is_written {
            let error = format!("File is still being written: {}", self.shown(file));
            plan.errors.push(error);
        }
        !is_written
    }

    /// A book that cannot be sent now keeps its metadata back: apart they would never meet again.
    fn pair(&self, plan: &mut Plan, metadata: usize, ebook: usize, switches: Switches) {
        let waits = |partner: usize, file: usize| {
            let (partner, file) = (self.shown(partner), self.shown(file));
            format!("File waits for '{partner}', which belongs to it: {file}")
        };
        if self.is_written(metadata) || self.is_written(ebook) {
            for (file, partner) in [(metadata, ebook), (ebook, metadata)] {
                if self.is_finished(plan, file) {
                    plan.errors.push(waits(partner, file));
                }
            }
            return;
        }
        let book = match self.ebook(ebook) {
            Ok(book) => book,
            Err(error) => return plan.errors.extend([error, waits(ebook, metadata)]),
        };
        match self.metadata(metadata) {
            Ok(found) => {
                let line = report::pair_line(self.shown(metadata), self.shown(ebook));
                let size = item_len(Some(json_of(&found)), Some(book), &line);
                if size > self.room {
                    plan.errors
                        .extend([self.too_large(ebook), waits(ebook, metadata)]);
                    return;
                }
                plan.items.push(Planned {
                    metadata: Some(metadata),
                    ebook: Some(ebook),
                    size,
                    line,
                });
            }
            Err(refusal) => {
                self.refuse(plan, metadata, refusal, switches);
                if let Err(error) = self.single_ebook(plan, ebook) {
                    plan.errors.push(error);
                }
            }
        }
    }

    fn single_metadata(&self, plan: &mut Plan, file: usize, switches: Switches) {
        match self.metadata(file) {
            Ok(found) => {
                let line = report::metadata_line(self.shown(file));
                let size = item_len(Some(json_of(&found)), None, &line);
                if size > self.room {
                    return plan.errors.push(self.too_large(file));
                }
                plan.items.push(Planned {
                    metadata: Some(file),
                    ebook: None,
                    size,
                    line,
                });
            }
            Err(refusal) => self.refuse(plan, file, refusal, switches),
        }
    }

    fn refuse(&self, plan: &mut Plan, file: usize, refusal: Refusal, switches: Switches) {
        match refusal {
            Refusal::Left(error) => plan.errors.push(error),
            Refusal::Bad(error) => {
                plan.errors.push(error);
                if !switches.leave_bad_files {
                    plan.discarded.push(file);
                }
            }
        }
    }

    fn single_ebook(&self, plan: &mut Plan, file: usize) -> Result<(), String> {
        let line = report::ebook_line(self.shown(file));
        let size = item_len(None, Some(self.ebook(file)?), &line);
        if size > self.room {
            return Err(self.too_large(file));
        }
        plan.items.push(Planned {
            metadata: None,
            ebook: Some(file),
            size,
            line,
        });
        Ok(())
    }

    fn too_large(&self, file: usize) -> String {
        let limit = largest_message(self.settings);
        format!(
            "File is too large for a message of {limit} bytes: {}",
            self.shown(file)
        )
    }

    /// How many bytes the book takes in the message.
    fn ebook(&self, file: usize) -> Result<usize, String> {
        let (found, shown) = (&self.files[file], self.shown(file));
        let size = found.file.id.size;
        if size == 0 {
            return Err(format!("File is empty: {shown}"));
        }
        if size > self.room as u64 {
            return Err(self.too_large(file));
        }
        let opened = self.tree.open(&found.file);
        let mut opened =
            opened.map_err(|error| format!("Can't read {shown}: {}", cause(&error)))?;
        let content = match self.settings.ebook_encoding {
            EbookEncoding::Base64 => base64_len(size) + 2,
            EbookEncoding::Text => {
                let mut text = String::new();
                let read = opened.by_ref().take(size).read_to_string(&mut text);
                read.map_err(|error| format!("File can't be sent as text: {shown}: {error}"))?;
                json_len(&text)
            }
        };
        Ok(ebook_len(shown, content))
    }

    fn metadata(&self, file: usize) -> Result<MetadataFile, Refusal> {
        let (found, shown) = (&self.files[file], self.shown(file));
        if found.file.id.size == 0 {
            return Err(Refusal::Left(format!("File is empty: {shown}")));
        }
        let content = read_metadata(self.tree, found)
            .map_err(|problem| Refusal::Left(report::unreadable_metadata(shown, &problem)))?;
        parse(found, content).map_err(|problem| Refusal::Bad(report::bad_metadata(shown, &problem)))
    }
}

/// A metadata file's content.
pub(crate) fn read_metadata(tree: &Tree<'_>, found: &Found) -> Result<Vec<u8>, String> {
    let size = found.file.id.size;
    if size > LARGEST {
        return Err(format!("The file has more than {LARGEST} bytes."));
    }
    let file = tree.open(&found.file).map_err(|error| cause(&error))?;
    let mut content = Vec::new();
    let read = file.take(size).read_to_end(&mut content);
    read.map(|_| content).map_err(|error| error.to_string())
}

/// The metadata that a file's content is.
pub(crate) fn parse(found: &Found, content: Vec<u8>) -> Result<MetadataFile, String> {
    let pairs = decode::decode(&found.name, &content).map_err(|error| error.to_string())?;
    let publication = fields::publication(pairs).map_err(|error| error.to_string())?;
    let text = String::from_utf8(content).map_err(|error| error.to_string())?;
    Ok(MetadataFile {
        filename: found.shown.clone(),
        raw_data: text,
        parsed_data: Some(publication),
    })
}

fn json_of(metadata: &MetadataFile) -> usize {
    edeposit_serializers::to_vec(metadata).map_or(usize::MAX, |json| json.len())
}

/// Without the path, which the text has already.
fn cause(error: &Error) -> String {
    match error {
        Error::Io { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}
