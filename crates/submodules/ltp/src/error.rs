//! What can go wrong with a package, and how the caller is told.

use std::path::{Path, PathBuf};

use edeposit_amqpdaemon::Exception;
use edeposit_marcxml2mods::ConversionError;
use edeposit_serializers::IncorrectPadding;
use rustix::io::Errno;

/// A package that was not laid out, or a state that is not known. Nothing of the package is left in the file system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LtpError {
    /// The id of the book could be a path, or is too long.
    #[error(
        "'{}' is not a valid book_uuid! It has to have 1 to 64 letters, digits, '.', '_' or '-', and not to begin with '.' or '-'.", .0.escape_debug()
    )]
    BookId(String),

    /// `urn_nbn` has characters that no XML document can hold.
    #[error("'{}' is not a valid urn_nbn! It has control characters.", .0.escape_debug())]
    UrnNbn(String),

    /// The catalogue record cannot be read.
    #[error(transparent)]
    Record(#[from] edeposit_marc::Error),

    /// The catalogue record cannot be converted to MODS.
    #[error("{0}")]
    Conversion(ConversionError),

    /// The conversion gave no document.
    #[error("The record gave no MODS document.")]
    NoMods,

    /// Nobody is named as the package's maker.
    #[error(
        "The record has neither 910 $a nor 040 $d, one of which has to name the library that made it. Add it and send the request again."
    )]
    NoCreator,

    /// The base64 text breaks off. The words are Python's.
    #[error(transparent)]
    Padding(#[from] IncorrectPadding),

    /// The file is larger than allowed.
    #[error("The file has more than {0} bytes, which is the limit (MAX_FILE_SIZE).")]
    TooLarge(u64),

    /// The file system has not enough room.
    #[error(
        "[Errno 28] No space left on device: '{}' has {free} bytes free, and {needed} are needed (MIN_FREE_BYTES among them)", .path.display()
    )]
    NoSpace {
        /// Which one.
        path: PathBuf,
        /// What an ordinary user may still write, bytes.
        free: u64,
        /// The file and what has to stay free, bytes.
        needed: u64,
    },

    /// No package of this book is in the export directory, whatever its state.
    #[error("UUID {0} not found!")]
    NotFound(String),

    /// The system refuses something. The words are Python's.
    #[error("[Errno {}] {}: '{}' ({doing})", .errno.raw_os_error(), words(*.errno), .path.display())]
    System {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why not.
        errno: Errno,
    },

    /// The export directory's file system cannot exchange two directories in one step.
    #[error(
        "the file system of EXPORT_DIR '{}' cannot exchange two directories in one step (renameat2 with RENAME_EXCHANGE: {}), so no package could be replaced safely. Use a local file system, such as ext4, xfs or btrfs", .path.display(), words(*.errno)
    )]
    NoExchange {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },

    /// The caller's time is up, or the daemon ends: nobody waits for the package any more.
    #[error("The export was given up: its time was up, or the daemon stops.")]
    GivenUp,
}

impl LtpError {
    /// For `map_err`: what was refused while `doing` something to `path`.
    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::System {
            doing,
            path: path.to_owned(),
            errno,
        }
    }
}

/// The system's words for an error, without the number.
fn words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Names as the original had them.
impl From<LtpError> for Exception {
    fn from(error: LtpError) -> Self {
        let text = error.to_string();
        match error {
            LtpError::Conversion(error) => error.into(),
            LtpError::Padding(_) => Self::type_error(text),
            LtpError::NoSpace { .. } | LtpError::System { .. } | LtpError::NoExchange { .. } => {
                Self::builtin("OSError", text)
            }
            LtpError::GivenUp => Self::builtin("RuntimeError", text),
            _ => Self::value_error(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_quoted_as_python_does() {
        let error = LtpError::at("making a directory", Path::new("/home/ltp"))(Errno::ACCESS);
        let exception = Exception::from(error);
        assert_eq!(exception.name, "OSError");
        assert_eq!(
            exception.message,
            "[Errno 13] Permission denied: '/home/ltp' (making a directory)"
        );
        let exception = Exception::from(LtpError::BookId("../x".to_owned()));
        assert_eq!(exception.name, "ValueError");
        assert!(
            exception
                .message
                .starts_with("'../x' is not a valid book_uuid!")
        );
    }
}
