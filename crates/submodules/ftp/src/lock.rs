//! Locks between processes: a file that is locked with flock(2). They end with the process that holds them.

use std::fs::{File, OpenOptions, symlink_metadata};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::Error;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// How a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Together with others who only read.
    Shared,
    /// Alone.
    Exclusive,
}

/// Locks the file at `path`, which is made if need be, 0600. `None` if somebody else has it.
pub(crate) fn attempt(path: &Path, kind: Kind) -> Result<Option<File>, Error> {
    let file = open(path)?;
    let operation = match kind {
        Kind::Shared => FlockOperation::NonBlockingLockShared,
        Kind::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(&file, operation) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
        Err(error) => return Err(Error::io("locking", path)(error.into())),
    }
    // somebody may have removed the file since we opened it: others lock another one
    let ours = file.metadata().map_err(Error::io("reading", path))?;
    let is_there = symlink_metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
    Ok(is_there.then_some(file))
}

fn open(path: &Path) -> Result<File, Error> {
    let flags = OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits();
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(Error::io("opening", path))
}

/// Tries until it succeeds or the time is up. A wait in the kernel could not be ended. `what` is locked, for the error.
pub(crate) fn wait(what: &str, path: &Path, kind: Kind, limit: Duration) -> Result<File, Error> {
    let end = Instant::now() + limit;
    loop {
        if let Some(file) = attempt(path, kind)? {
            return Ok(file);
        }
        if Instant::now() >= end {
            return Err(Error::Busy {
                what: what.to_owned(),
                path: path.to_owned(),
                seconds: limit.as_secs(),
            });
        }
        sleep(PAUSE.mul_f64(0.5 + fastrand::f64()));
    }
}
