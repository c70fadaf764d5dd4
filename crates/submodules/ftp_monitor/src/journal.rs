//! What has become of an import, so that it is finished after a crash and nothing is imported twice.
//!
//! A file a user, made before anything is sent, with one line of JSON for each [`Step`] that has been taken. A message is
//! marked here between the broker's confirm and the deletion of its files. A line that was cut off by a crash counts for
//! nothing: its step is taken again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use edeposit_ftp::{Settings, UserName};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Room for the last steps, which are short, in bytes.
const MARGIN: u64 = 1024;

/// A file as it was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Id {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

/// A file whose content is safe, to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedFile {
    /// Relative to the directory of the import.
    pub(crate) path: PathBuf,
    pub(crate) id: Id,
}

/// One step of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// It begins.
    Begun { directory: PathBuf },
    /// A message is safe in the broker.
    Published {
        files: Vec<ListedFile>,
        lines: Vec<String>,
        errors: Vec<String>,
    },
    /// All messages are: what is left is deleting and telling the user.
    Complete { found_files: bool },
    /// Only the lock file is missing.
    Cleaned,
}

/// The journal of one user's import.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

/// What a journal tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) directory: PathBuf,
    /// What has been published.
    pub(crate) files: Vec<ListedFile>,
    pub(crate) lines: Vec<String>,
    pub(crate) errors: Vec<String>,
    /// All of it has; and whether there was anything at all.
    pub(crate) complete: Option<bool>,
    pub(crate) cleaned: bool,
}

impl Journal {
    /// Begins a journal, in place of one that may be there.
    pub(crate) fn begin(settings: &Settings, user: &UserName, steps: &[Step]) -> io::Result<Self> {
        let path = path(settings, user)?;
        let new = path.with_file_name(format!("{user}.new~"));
        let _ = fs::remove_file(&new);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let mut journal = Self { file, path };
        journal.add(steps)?;
        fs::rename(&new, &journal.path)?;
        sync_directory(&journal.path)?;
        Ok(journal)
    }

    /// Makes room on the disk for these steps, so that adding them does not fail when it is too late. Not all file systems
    /// can do so.
    ///
    /// # Errors
    /// There is no room.
    pub(crate) fn reserve(&self, steps: &[Step]) -> io::Result<()> {
        let (at, bytes) = (self.file.metadata()?.len(), lines(steps)?.len() as u64);
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, at, bytes + MARGIN) {
            Err(error) if error == Errno::NOSPC || error == Errno::DQUOT => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Adds steps, on disk when this returns.
    pub(crate) fn add(&mut self, steps: &[Step]) -> io::Result<()> {
        self.file.write_all(&lines(steps)?)?;
        self.file.sync_data()
    }

    /// The import is over.
    pub(crate) fn end(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        sync_directory(&self.path)
    }

    /// The journal that a process left behind, if one did, and what it tells.
    pub(crate) fn left_behind(
        settings: &Settings,
        user: &UserName,
    ) -> io::Result<Option<(Self, Record)>> {
        let path = path(settings, user)?;
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let whole = content
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let file = OpenOptions::new().append(true).open(&path)?;
        // what was cut off must not run into the next line
        file.set_len(whole as u64)?;
        let record = Record::read(&content[..whole]);
        Ok(Some((Self { file, path }, record)))
    }

    /// The users whose imports a process left behind.
    pub(crate) fn users(settings: &Settings) -> io::Result<Vec<UserName>> {
        let mut users = Vec::new();
        for entry in fs::read_dir(directory(settings)?)? {
            users.extend(entry?.file_name().to_str().and_then(UserName::new));
        }
        Ok(users)
    }
}

impl Record {
    fn read(content: &[u8]) -> Self {
        let mut record = Self::default();
        let lines = content.split(|byte| *byte == b'\n');
        record.take(lines.filter_map(|line| serde_json::from_slice(line).ok()));
        record
    }

    /// Has these steps too.
    pub(crate) fn take(&mut self, steps: impl IntoIterator<Item = Step>) {
        for step in steps {
            match step {
                Step::Begun { directory } => self.directory = directory,
                Step::Published {
                    files,
                    lines,
                    errors,
                } => {
                    self.files.extend(files);
                    self.lines.extend(lines);
                    self.errors.extend(errors);
                }
                Step::Complete { found_files } => self.complete = Some(found_files),
                Step::Cleaned => self.cleaned = true,
            }
        }
    }
}

fn lines(steps: &[Step]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for step in steps {
        serde_json::to_writer(&mut lines, step)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn directory(settings: &Settings) -> io::Result<PathBuf> {
    let directory = settings.state_path.join("journal");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    Ok(directory)
}

/// A user's name may be any that begins with a dot, but has no `~`.
fn path(settings: &Settings, user: &UserName) -> io::Result<PathBuf> {
    Ok(directory(settings)?.join(user.as_str()))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_settings::{Declared, Sources};

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.state_path = directory.path().join("state");
        let user = UserName::new("..a").unwrap();
        assert!(Journal::left_behind(&settings, &user).unwrap().is_none());
        let begun = Step::Begun {
            directory: "a/b".into(),
        };
        let id = Id {
            device: 1,
            inode: 2,
            size: 3,
            modified: (4, 5),
        };
        let published = |name: &str| Step::Published {
            files: vec![ListedFile {
                path: name.into(),
                id,
            }],
            lines: vec![name.to_owned()],
            errors: Vec::new(),
        };
        let mut journal = Journal::begin(&settings, &user, &[begun]).unwrap();
        journal.add(&[published("one")]).unwrap();
        // a crash in the middle of a line
        journal
            .file
            .write_all(b"{\"Complete\": {\"found_f")
            .unwrap();
        drop(journal);
        let (mut journal, record) = Journal::left_behind(&settings, &user).unwrap().unwrap();
        assert_eq!(record.directory, PathBuf::from("a/b"));
        assert_eq!((record.lines.len(), record.complete), (1, None));
        let complete = Step::Complete { found_files: true };
        journal.add(&[published("two"), complete]).unwrap();
        let (journal, record) = Journal::left_behind(&settings, &user).unwrap().unwrap();
        assert_eq!(record.lines, ["one", "two"]);
        assert_eq!((record.files.len(), record.complete), (2, Some(true)));
        assert!(!record.cleaned);
        assert_eq!(Journal::users(&settings).unwrap(), [user]);
        journal.end().unwrap();
        assert_eq!(Journal::users(&settings).unwrap(), []);
    }
}
