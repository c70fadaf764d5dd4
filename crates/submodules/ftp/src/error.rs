//! What can go wrong with accounts and homes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Something about an account or a home that could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refuses something.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was being done: "reading".
        doing: &'static str,
        /// What with.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },

    /// A lock is held by somebody else for too long.
    #[error("{what} is busy: another process has held {} for over {seconds} s; try again later", .path.display())]
    Busy {
        /// What is locked.
        what: String,
        /// The file that is the lock.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },

    /// A file is larger than it can be by rights.
    #[error("{} has more than {limit} bytes, it is not read", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },

    /// A directory in which locks are kept could be written to by others.
    #[error("others may write to {}: run chmod 700 {}", .path.display(), .path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
    },

    /// There is no system user to own the homes.
    #[error("neither of the system users proftpd and ftp exists: install ProFTPD")]
    NoFtpUser,
}

impl Error {
    pub(crate) fn io(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    /// Whether the process lacks a right that root has.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied)
    }
}
