//! A lock for each book: one export of it at a time, whichever request or daemon it belongs to.
//!
//! The lock is that of a file `.locks/ID` in the export directory. The kernel lets go of it when the process that holds
//! it ends, however it ends; so whoever has the lock of a book owns all that is temporary there for this book.
//!
//! The file is deleted with the lock held. Who waited for it then holds the lock of a file without a name, and tries again.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::LtpError;
use crate::dir::{Dir, identity_of};

/// The directory of lock files.
pub(crate) const LOCKS: &str = ".locks";

/// How often a lock that another one holds is asked for.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    locks: Dir,
    name: String,
    /// Closing it unlocks.
    _file: File,
}

impl Lock {
    /// Takes the lock of the book `id`, waiting for it until `stop`.
    pub fn wait(export: &Dir, id: &str, stop: &CancellationToken) -> Result<Self, LtpError> {
        loop {
            if let Some(lock) = Self::attempt(export, id)? {
                return Ok(lock);
            }
            if stop.is_cancelled() {
                return Err(LtpError::GivenUp);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes the lock unless it is held.
    pub fn attempt(export: &Dir, id: &str) -> Result<Option<Self>, LtpError> {
        let locks = export.make_or_open(LOCKS)?;
        let path = locks.path().join(id);
        loop {
            let file = locks.lock_file(id)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(refused(&path)(errno)),
            }
            let held = identity_of(&file).map_err(refused(&path))?;
            if locks.identity(id) == Some(held) {
                let name = id.to_owned();
                return Ok(Some(Self {
                    locks,
                    name,
                    _file: file,
                }));
            }
        }
    }
}

fn refused(path: &Path) -> impl FnOnce(Errno) -> LtpError {
    LtpError::at("locking", path)
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.locks.remove(&self.name) {
            tracing::warn!("a lock file stays, which does no harm: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Defect 15. Many threads, each with file descriptions of its own as processes have, and files deleted all
    /// the time: never two inside.
    #[test]
    fn never_two_at_once_and_no_file_left() {
        let home = tempfile::tempdir().unwrap();
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let export = Dir::open(home.path()).unwrap();
                    for _ in 0..2000 {
                        let Some(lock) = Lock::attempt(&export, "1").unwrap() else {
                            continue;
                        };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_micros(30));
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                });
            }
        });
        let locks = Dir::open(&home.path().join(LOCKS)).unwrap();
        assert_eq!(locks.names().unwrap(), [""; 0]);
    }

    #[test]
    fn waiting_ends_when_nobody_wants_it_any_more() {
        let home = tempfile::tempdir().unwrap();
        let export = Dir::open(home.path()).unwrap();
        let _lock = Lock::attempt(&export, "1").unwrap().unwrap();
        assert!(Lock::attempt(&export, "2").unwrap().is_some());
        let stop = CancellationToken::new();
        stop.cancel();
        let waited = Lock::wait(&export, "1", &stop);
        assert!(matches!(waited, Err(LtpError::GivenUp)));
    }
}
