//! Removing a home and all that is in it, while its user may still be at work there.
//!
//! First the home is taken away: its owner and mode leave no room for the user, and its new name is none that a user can
//! have. Then it is emptied. No link is followed, and however deep the directories are nested, at most three are open at a
//! time: each subdirectory is moved up to the top and emptied there.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edeposit_ftp::{Error, Home, Settings, UserName, open_data_path};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, fchmod, fchown, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::{Errno, Result as SystemResult};
use rustix::process::geteuid;

/// What begins the names of homes that are being removed. No user name has this character.
const REMOVED: &str = "+removed+";

/// Names read at a time: a directory may have millions.
const AT_ONCE: usize = 4096;

/// Problems told of; there may be one for each file.
const TOLD: usize = 10;

/// After this time what is left is left.
const LIMIT: Duration = Duration::from_secs(300);

/// Removes a user's home, and what may be left of earlier ones. What could not be removed, and why, is returned.
pub(crate) fn remove_home(settings: &Settings, user: &UserName) -> Result<Vec<String>, Error> {
    let parent = open_data_path(settings)?;
    let mut removal = Removal {
        problems: Vec::new(),
        more: 0,
        next: 0,
        end: Instant::now() + LIMIT,
    };
    let prefix = format!("{REMOVED}{user}+");
    match Home::open(settings, user) {
        Ok(None) => {}
        Ok(Some(home)) => {
            seize(&home);
            let random: String = (0..8).map(|_| fastrand::alphanumeric()).collect();
            let moved = format!("{prefix}{random}");
            let renamed = renameat_with(
                &parent,
                user.as_str(),
                &parent,
                moved.as_str(),
                RenameFlags::NOREPLACE,
            );
            if let Err(error) = renamed {
                removal.problem(home.path(), error);
            }
        }
        Err(Error::Io { path, source, .. }) => removal
            .problems
            .push(format!("{} ({source})", path.display())),
        Err(error) => return Err(error),
    }
    for name in names(&parent, prefix.as_bytes()).unwrap_or_default() {
        removal.tree(&parent, &name, &settings.data_path);
    }
    if removal.more > 0 {
        removal.problems.push(format!("and {} more", removal.more));
    }
    Ok(removal.problems)
}

struct Removal {
    problems: Vec<String>,
    more: usize,
    /// For names of directories that are moved up.
    next: u64,
    end: Instant,
}

impl Removal {
    fn problem(&mut self, path: &Path, error: Errno) {
        if self.problems.len() < TOLD {
            self.problems.push(format!("{} ({error})", path.display()));
        } else {
            self.more += 1;
        }
    }

    /// Removes a directory and all that is in it.
    fn tree(&mut self, parent: &OwnedFd, name: &CStr, parent_path: &Path) {
        let path = parent_path.join(name.to_string_lossy().as_ref());
        let root = match open_directory(parent, name) {
            Ok(root) => root,
            Err(error) => return self.problem(&path, error),
        };
        self.empty(&root, &path);
        if let Err(error) = unlinkat(parent, name, AtFlags::REMOVEDIR) {
            self.problem(&path, error);
        }
    }

    /// Round by round, until the directory is empty or a round removes nothing.
    fn empty(&mut self, root: &OwnedFd, path: &Path) {
        loop {
            let found = match names(root, b"") {
                Ok(found) if found.is_empty() => return,
                Ok(found) => found,
                Err(error) => return self.problem(path, error),
            };
            if Instant::now() > self.end {
                return self.problem(path, Errno::TIMEDOUT);
            }
            let mut failed: Vec<(PathBuf, Errno)> = Vec::new();
            let mut done = false;
            for name in &found {
                let shown = path.join(name.to_string_lossy().as_ref());
                let removed = match is_directory(root, name) {
                    Ok(true) => {
                        let (moved, problems) = self.lift(root, name, &shown);
                        done |= moved;
                        failed.extend(problems);
                        unlinkat(root, name, AtFlags::REMOVEDIR)
                    }
                    Ok(false) => unlinkat(root, name, AtFlags::empty()),
                    Err(error) => Err(error),
                };
                match removed {
                    Ok(()) | Err(Errno::NOENT) => done = true,
                    // its own problem is told of
                    Err(Errno::NOTEMPTY) if !failed.is_empty() => {}
                    Err(error) => failed.push((shown, error)),
                }
            }
            if !done {
                for (path, error) in failed {
                    self.problem(&path, error);
                }
                return;
            }
        }
    }

    /// Removes the files of a directory and moves its directories up into `root`. Tells whether anything was done, and what
    /// could not be.
    fn lift(&mut self, root: &OwnedFd, name: &CStr, path: &Path) -> (bool, Vec<(PathBuf, Errno)>) {
        let listed = open_directory(root, name).and_then(|directory| {
            seize(&directory);
            let found = names(&directory, b"")?;
            Ok((directory, found))
        });
        let (directory, found) = match listed {
            Ok(listed) => listed,
            Err(error) => return (false, vec![(path.to_owned(), error)]),
        };
        let mut failed = Vec::new();
        let mut done = false;
        for name in found {
            let removed = match is_directory(&directory, &name) {
                Ok(true) => self.move_up(&directory, &name, root),
                Ok(false) => unlinkat(&directory, &name, AtFlags::empty()),
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) | Err(Errno::NOENT) => done = true,
                Err(error) => failed.push((path.join(name.to_string_lossy().as_ref()), error)),
            }
        }
        (done, failed)
    }

    fn move_up(&mut self, from: &OwnedFd, name: &CStr, root: &OwnedFd) -> SystemResult<()> {
        // who is not root may only move a directory that is open to him
        if let Ok(directory) = open_directory(from, name) {
            seize(&directory);
        }
        loop {
            self.next += 1;
            let new = format!("+{}", self.next);
            match renameat_with(from, name, root, new.as_str(), RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                renamed => return renamed,
            }
        }
    }
}

fn open_directory(parent: &OwnedFd, name: &CStr) -> SystemResult<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn is_directory(parent: &OwnedFd, name: &CStr) -> SystemResult<bool> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Keeps the user from adding to a directory that is being emptied, and lets us in if it was closed. Nothing depends on it.
fn seize(directory: impl std::os::fd::AsFd) {
    let _ = fchown(&directory, Some(geteuid()), None);
    let _ = fchmod(&directory, Mode::RWXU);
}

/// Some of the names in a directory that begin with `prefix`.
fn names(directory: &OwnedFd, prefix: &[u8]) -> SystemResult<Vec<CString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") && name.to_bytes().starts_with(prefix) {
            found.push(name.to_owned());
        }
        if found.len() == AT_ONCE {
            break;
        }
    }
    Ok(found)
}
