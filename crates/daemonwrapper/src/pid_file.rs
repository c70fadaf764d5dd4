//! The PID file, and the lock on it that is the truth about whether the daemon runs.
//!
//! The default place is `/tmp`, where anybody may have put a link, a pipe or a file of their own. Hence the rules: never
//! follow a link, never block, never touch a file that our own user's daemon could not have written; lock before
//! writing; and see afterwards that the path still names the file that was locked, for it may have been replaced in between.
//!
//! The lock (module `lock`) belongs to the open file, so it passes through the forks, and the system drops it when the
//! process ends, however it ends. The number in the file is only of interest while the lock is held, and is believed only
//! if that process has the file open. One exception: the Python original does not lock. If the file names a living
//! process of the original, that one counts as running, so that a host can be migrated daemon by daemon.
//!
//! Whoever clears up `/tmp` may remove the file of a running daemon. The daemon looks after it ([`PidFile::keep`]), else nobody
//! would find it any more, and a second one could be started.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::error::Error;
use crate::process::{self, Running};

mod content;
mod failure;
mod lock;
mod trust;
pub(crate) use content::is_stopping;
use content::{STOPPING, read_pid, write_pid};
use failure::{failed, refused};
use lock::Lock;
pub(crate) use trust::{Owner, check_directory};
use trust::{check, check_owner};

/// How long to wait between two looks at a file whose state is in between.
const PAUSE: Duration = Duration::from_millis(20);

/// Never through a link, never waiting for the other end of a pipe, never handed on to another program.
const SAFE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// A PID file that is ours: locked as long as this lives.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    removed: bool,
}

/// What a daemon has found when it looked after its own file.
#[derive(Debug)]
pub(crate) enum Kept {
    InPlace,
    /// It was gone and has been made anew.
    MadeAnew,
    /// Another daemon runs with a file of the same path.
    Lost(Running),
}

/// The outcome of an attempt to become the one that runs.
#[derive(Debug)]
pub(crate) enum Claim {
    Ours(PidFile),
    Taken(Running),
}

/// What a look at an existing file has shown.
pub(crate) enum Seen {
    /// Nothing is there.
    Nothing,
    /// Left behind: nobody holds the lock. We do, as long as the file lives.
    Stale(PidFile),
    /// A daemon runs.
    Held(File, Running),
    /// A daemon of the Python original runs; it holds no lock.
    Original(File, Running),
    /// Left behind, but a stranger keeps us from locking it; or only looked at.
    Free(File),
    /// Locked, but the file does not name the holder (yet).
    Unclear,
}

impl PidFile {
    /// Takes the file and its lock, without writing a number yet.
    ///
    /// A running daemon is reported at once if `patience` is `None`; else its end is waited for so long.
    pub(crate) fn claim(
        path: &Path,
        settle: Duration,
        patience: Option<Duration>,
    ) -> Result<Claim, Error> {
        check_directory(path)?;
        let begin = Instant::now();
        loop {
            create_missing(path)?;
            match look(path, Owner::Us)? {
                Seen::Stale(ours) => {
                    ours.prepare().map_err(failed("prepare", path))?;
                    return Ok(Claim::Ours(ours));
                }
                // At the second look, for the first one may have met a daemon that was just ending.
                Seen::Free(file) if begin.elapsed() >= PAUSE => {
                    if is_at(&file, path) {
                        fs::remove_file(path).map_err(failed("remove", path))?;
                    }
                    // A stranger who is quick again and again.
                    if begin.elapsed() >= settle.max(PAUSE * 10) {
                        return Err(Error::Busy {
                            path: path.to_owned(),
                        });
                    }
                    continue;
                }
                Seen::Free(_) => {}
                Seen::Held(_, running) | Seen::Original(_, running) => {
                    if patience.is_none_or(|patience| begin.elapsed() >= patience) {
                        return Ok(Claim::Taken(running));
                    }
                }
                // Nothing: removed again since it was made.
                Seen::Nothing | Seen::Unclear => {
                    if begin.elapsed() >= patience.unwrap_or(settle) {
                        return Err(Error::Busy {
                            path: path.to_owned(),
                        });
                    }
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn new(path: &Path, file: File) -> Self {
        let removed = false;
        PidFile {
            path: path.to_owned(),
            open: Mutex::new(Open { file, removed }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare(&self) -> io::Result<()> {
        let file = &self.open().file;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.set_len(0)
    }

    /// Writes the number of this process; called after the fork.
    pub(crate) fn write_pid(&self) -> Result<(), Error> {
        write_pid(&self.open().file, None).map_err(failed("write", &self.path))
    }

    /// Notes that the daemon has been told to end, so that no other `stop` tells it a second time.
    pub(crate) fn mark_stopping(&self) -> Result<(), Error> {
        write_pid(&self.open().file, Some(STOPPING)).map_err(failed("write", &self.path))
    }

    /// Makes the file anew if the path does not name it any more; to be called now and then by the running daemon.
    pub(crate) fn keep(&self) -> Result<Kept, Error> {
        let mut open = self.open();
        if open.removed || is_at(&open.file, &self.path) {
            return Ok(Kept::InPlace);
        }
        match Self::claim(&self.path, Duration::ZERO, None)? {
            Claim::Ours(new) => {
                open.file = new
                    .open
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner)
                    .file;
                write_pid(&open.file, None).map_err(failed("write", &self.path))?;
                Ok(Kept::MadeAnew)
            }
            Claim::Taken(running) => Ok(Kept::Lost(running)),
        }
    }

    /// Removes the file if the path still names it. The lock stays until this value and its copies in other processes end.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let mut open = self.open();
        open.removed = true;
        if is_at(&open.file, &self.path) {
            fs::remove_file(&self.path).map_err(failed("remove", &self.path))?;
        }
        Ok(())
    }
}

/// Looks at the file without changing anything.
pub(crate) fn look(path: &Path, owner: Owner) -> Result<Seen, Error> {
    let flags = if owner == Owner::Us {
        OFlags::RDWR
    } else {
        OFlags::RDONLY
    };
    let file = match open(path, flags | SAFE, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => return Ok(Seen::Nothing),
        Err(Errno::LOOP) => return Err(refused(path, "it is a symbolic link")),
        Err(Errno::ISDIR | Errno::NXIO) => return Err(refused(path, "it is no regular file")),
        Err(error) => {
            // The plain answer "permission denied" would hide the reason.
            check_owner(path, owner)?;
            return Err(failed("open", path)(error.into()));
        }
    };
    check(&file, path, owner)?;
    let lock = match owner {
        Owner::Us => lock::take(&file),
        Owner::Anyone => lock::is_held(&file).map(|held| match held {
            true => Lock::Held,
            false => Lock::Hindered,
        }),
    };
    match lock.map_err(failed("lock", path))? {
        Lock::Held => match read_pid(&file).filter(|&pid| holds(pid, &file)) {
            Some(pid) => Ok(Seen::Held(file, Running::new(pid, path))),
            None => Ok(Seen::Unclear),
        },
        _ if !is_at(&file, path) => Ok(Seen::Unclear),
        lock => match read_pid(&file).filter(|&pid| names_original(&file, pid)) {
            Some(pid) => Ok(Seen::Original(file, Running::new(pid, path))),
            None if lock == Lock::Ours => Ok(Seen::Stale(PidFile::new(path, file))),
            None => Ok(Seen::Free(file)),
        },
    }
}

/// Who runs, if anybody; a state in between is given some time to become clear.
pub(crate) fn running(path: &Path, settle: Duration) -> Result<Option<Running>, Error> {
    let begin = Instant::now();
    loop {
        match look(path, Owner::Anyone)? {
            Seen::Nothing | Seen::Stale(_) | Seen::Free(_) => return Ok(None),
            Seen::Held(_, running) | Seen::Original(_, running) => return Ok(Some(running)),
            Seen::Unclear if begin.elapsed() >= settle => {
                return Err(Error::Busy {
                    path: path.to_owned(),
                });
            }
            Seen::Unclear => thread::sleep(PAUSE),
        }
    }
}

/// Whether the open file still names this process as its holder.
pub(crate) fn still_names(file: &File, pid: u32) -> bool {
    read_pid(file) == Some(pid) && holds(pid, file)
}

/// Waits until nobody holds the lock; true if so.
pub(crate) fn wait_for_lock(file: &File, at_most: Duration) -> bool {
    let begin = Instant::now();
    while !matches!(lock::take(file), Ok(Lock::Ours)) {
        if begin.elapsed() >= at_most {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

/// Removes what a daemon left behind that could not do it itself; the caller holds the lock.
pub(crate) fn remove_left_behind(file: File, path: &Path) -> Result<(), Error> {
    PidFile::new(path, file).remove()
}

fn create_missing(path: &Path) -> Result<(), Error> {
    let mode = Mode::from_raw_mode(0o644);
    match open(
        path,
        OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | SAFE,
        mode,
    ) {
        // A tight umask of the caller would hide the file from `status` of other users.
        Ok(fd) => File::from(fd)
            .set_permissions(Permissions::from_mode(0o644))
            .map_err(failed("create", path)),
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(failed("create", path)(error.into())),
    }
}

fn holds(pid: u32, file: &File) -> bool {
    let Ok(meta) = file.metadata() else {
        return false;
    };
    process::has_open(pid, meta.dev(), meta.ino()).unwrap_or_else(|| {
        // Another user's process, or one that hides itself, does not show its files: then lock, number and owner must do.
        match process::owner(pid) {
            Some(uid) => uid == meta.uid() || uid == 0,
            // It is there, but hidden altogether. Of our own daemons none is.
            None => meta.uid() != rustix::process::geteuid().as_raw(),
        }
    })
}

/// Whether the number in the file, which nobody has locked, is that of a daemon of the Python original.
pub(crate) fn names_original(file: &File, pid: u32) -> bool {
    let Ok(meta) = file.metadata() else {
        return false;
    };
    let Ok(written) = meta.modified() else {
        return false;
    };
    process::owner(pid) == Some(meta.uid()) && process::is_original(pid, written)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(opened), Ok(named)) => opened.dev() == named.dev() && opened.ino() == named.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
