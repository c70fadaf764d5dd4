//! Locks between processes: a file that is locked with flock(2). They end with the process that holds them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
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

/// Opens the file that is a lock, and makes it if need be, 0600.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
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

/// Locks it; false if somebody else has it.
pub(crate) fn try_lock(file: &File, path: &Path, kind: Kind) -> Result<bool, Error> {
    let operation = match kind {
        Kind::Shared => FlockOperation::NonBlockingLockShared,
        Kind::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Error::io("locking", path)(error.into())),
        }
    }
}

/// Tries until it succeeds or the time is up. A wait in the kernel could not be ended.
pub(crate) fn wait<T>(
    what: impl Fn() -> String,
    path: &Path,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let end = Instant::now() + limit;
    loop {
        if let Some(got) = attempt()? {
            return Ok(got);
        }
        if Instant::now() >= end {
            return Err(Error::Busy {
                what: what(),
                path: path.to_owned(),
                seconds: limit.as_secs(),
            });
        }
        sleep(PAUSE.mul_f64(0.5 + fastrand::f64()));
    }
}
