//! The directory of an import: closed to its user, listed, emptied, opened again.
//!
//! The user may have put anything there: links to elsewhere, pipes, names of any bytes. All work is done from a directory
//! held open, by plain names that are not followed if they are links. Once a directory is closed (owned by the FTP
//! server, without right to write), nothing in it can be exchanged for something else.

mod walk;

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use edeposit_ftp::{Error, Home, Owner, Settings};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::journal::{Id, ListedFile};
use walk::{Entry, MOST, failed, log, walk};

const CLOSED_DIRECTORY: u32 = 0o555;
const CLOSED_FILE: u32 = 0o444;
const OPEN_DIRECTORY: u32 = 0o775;
const OPEN_FILE: u32 = 0o664;

/// The directory of an import.
pub(crate) struct Tree<'a> {
    settings: &'a Settings,
    home: Home,
    owner: Owner,
}

/// What is in it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Found>,
    /// What is left where it is, and why.
    pub(crate) errors: Vec<String>,
    /// How many directories have been seen.
    directories: usize,
}

/// A regular file.
#[derive(Debug)]
pub(crate) struct Found {
    /// The number of its directory, in pre-order.
    pub(crate) directory: usize,
    pub(crate) name: String,
    /// Its name for people and for the message: an absolute path on this machine.
    pub(crate) shown: String,
    pub(crate) file: ListedFile,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(settings: &'a Settings, home: Home) -> Result<Self, Error> {
        let owner = Owner::of_homes(settings)?;
        Ok(Self {
            settings,
            home,
            owner,
        })
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Whether there is anything by the name of the lock file. A link or a directory is no lock file, but the user's doing.
    pub(crate) fn has_lock(&self) -> Result<bool, Error> {
        let name = self.settings.lock_filename.as_str();
        match statat(&self.home, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("reading", Path::new(name), error)),
        }
    }

    /// Closes everything to the user and tells what is there: directories in pre-order, names in the order of their bytes.
    pub(crate) fn close_and_list(&self) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        self.walk(Some(CLOSED_DIRECTORY), |entry| {
            self.list(&mut listing, entry)
        })?;
        Ok(listing)
    }

    /// Opens everything to the user again. What cannot be is logged.
    pub(crate) fn open_again(&self) -> Result<(), Error> {
        self.walk(Some(OPEN_DIRECTORY), |entry| {
            if let Entry::Regular {
                parent, name, path, ..
            } = entry
            {
                match open_file(parent, name) {
                    Ok(file) => self.own(&file, &path, OPEN_FILE),
                    Err(error) => log(&self.failed("opening", &path, error)),
                }
            }
            Ok(())
        })
    }

    /// Goes through the tree; each directory gets this mode, if any, before it is read.
    fn walk(
        &self,
        mode: Option<u32>,
        visit: impl FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let enter = |directory: &OwnedFd, path: &Path| {
            if let Some(mode) = mode {
                self.own(directory, path, mode);
            }
        };
        walk(&self.home, enter, visit)
    }

    fn list(&self, listing: &mut Listing, entry: Entry<'_>) -> Result<(), Error> {
        let (parent, name, path, directory) = match entry {
            Entry::Directory(_) => {
                listing.directories += 1;
                return Ok(());
            }
            Entry::TooDeep(path) => {
                let error = format!("Too many directories in one another: {}", self.shown(&path));
                listing.errors.push(error);
                return Ok(());
            }
            Entry::Other { name, path } => {
                if !self.is_ours(name) {
                    listing
                        .errors
                        .push(format!("Not a regular file: {}", self.shown(&path)));
                }
                return Ok(());
            }
            Entry::Regular {
                parent,
                name,
                path,
                stat,
            } => {
                if self.is_ours(name) || is_hidden_store(name) {
                    return Ok(());
                }
                if self.is_debris(name, &stat) {
                    return Ok(());
                }
                (parent, name, path, listing.directories)
            }
        };
        let shown = self.shown(&path);
        let (Some(name_text), Some(_)) = (name.to_str(), path.to_str()) else {
            listing
                .errors
                .push(format!("Name of file is not valid UTF-8: {shown}"));
            return Ok(());
        };
        if listing.files.len() >= MOST {
            return Err(Error::TooLarge {
                path: self.home.path().to_owned(),
                limit: MOST as u64,
            });
        }
        let opened = open_file(parent, name).and_then(|file| Ok((fstat(&file)?, file)));
        let id = match opened {
            Ok((stat, file)) => {
                self.own(&file, &path, CLOSED_FILE);
                id(&stat)
            }
            Err(error) => {
                listing.errors.push(format!("Can't read {shown}: {error}"));
                return Ok(());
            }
        };
        listing.files.push(Found {
            directory,
            name: name_text.to_owned(),
            shown,
            file: ListedFile { path, id },
        });
        Ok(())
    }

    /// Reports and lock file, in any directory: they are no business of an import.
    fn is_ours(&self, name: &OsStr) -> bool {
        let settings = self.settings;
        [
            &settings.lock_filename,
            &settings.user_import_log,
            &settings.user_error_log,
        ]
        .into_iter()
        .any(|ours| name == ours.as_str())
    }

    /// Whether this is what [`Home::write_file`] was about to write when its process was killed. Uploads belong to somebody
    /// else.
    fn is_debris(&self, name: &OsStr, stat: &Stat) -> bool {
        let random = name.as_bytes().strip_prefix(b".edeposit-");
        let is_random =
            |random: &[u8]| random.len() == 16 && random.iter().all(u8::is_ascii_alphanumeric);
        random.is_some_and(is_random) && stat.st_uid != self.settings.users_gid
    }

    /// Opens a file for reading, if it is still the one that was listed.
    pub(crate) fn open(&self, done: &ListedFile) -> Result<File, Error> {
        let failed = |error| self.failed("opening", &done.path, error);
        let (parent, name) = self.parent(&done.path)?;
        let file = open_file(&parent, name).map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        match id(&stat) == done.id {
            true => Ok(file),
            false => Err(failed(Errno::STALE)),
        }
    }

    /// Deletes a file, if it is still the one that was listed; one that is gone is no error.
    pub(crate) fn delete(&self, done: &ListedFile) -> Result<(), Error> {
        let failed = |error| self.failed("deleting", &done.path, error);
        let (parent, name) = match self.parent(&done.path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            parent => parent?,
        };
        match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if id(&stat) == done.id => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
        writable(&parent);
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes what a process of ours left behind half-written, and all directories that are empty, but not the tree's own.
    pub(crate) fn tidy(&self) -> Result<(), Error> {
        let mut debris = Vec::new();
        let mut directories = Vec::new();
        self.walk(None, |entry| {
            match entry {
                Entry::Regular {
                    name, path, stat, ..
                } if self.is_debris(name, &stat) => debris.push(path),
                Entry::Directory(path) if !path.as_os_str().is_empty() => directories.push(path),
                _ => {}
            }
            Ok(())
        })?;
        for path in &debris {
            self.unlink(path, AtFlags::empty());
        }
        directories.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for path in &directories {
            self.unlink(path, AtFlags::REMOVEDIR);
        }
        Ok(())
    }

    fn unlink(&self, path: &Path, flags: AtFlags) {
        let Ok((parent, name)) = self.parent(path) else {
            return;
        };
        writable(&parent);
        match unlinkat(&parent, name, flags) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => log(&self.failed("removing", path, error)),
        }
    }

    fn own(&self, file: impl AsFd, path: &Path, mode: u32) {
        if let Err(error) = self.owner.own(file, &self.home.path().join(path), mode) {
            log(&error);
        }
    }

    fn parent<'p>(&self, path: &'p Path) -> Result<(Home, &'p OsStr), Error> {
        let name = path
            .file_name()
            .ok_or_else(|| self.failed("reading", path, Errno::INVAL))?;
        let parent = self.home.below(path.parent().unwrap_or(Path::new("")))?;
        Ok((parent, name))
    }

    fn failed(&self, doing: &'static str, path: &Path, error: Errno) -> Error {
        failed(&self.home, doing, path, error)
    }

    /// As text; what is no text in it is escaped.
    fn shown(&self, path: &Path) -> String {
        let path = self.home.path().join(path);
        match path.to_str() {
            Some(text) => text.to_owned(),
            None => format!("{path:?}"),
        }
    }
}

fn open_file(parent: impl AsFd, name: &OsStr) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(Errno::INVAL),
    }
}

/// Root needs no such right; anybody else needs it to delete in a directory that is closed.
fn writable(directory: &Home) {
    if !geteuid().is_root() {
        // the deletion tells if it does not do
        let _ = fchmod(directory, Mode::from_raw_mode(0o755));
    }
}

fn id(stat: &Stat) -> Id {
    Id {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size.unsigned_abs(),
        modified: (
            stat.st_mtime,
            i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        ),
    }
}

/// An upload under way, with ProFTPD's `HiddenStores`.
fn is_hidden_store(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".in.") && name.ends_with(b".") && name.len() > 5
}
