//! Why a conversion failed.

use std::io;
use std::path::PathBuf;

use edeposit_amqpdaemon::Exception;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The converter: the reason, and its last lines.
    #[error("Conversion failed:\n{0}\n{1}")]
    Conversion(String, String),
    #[error("cannot make a directory in {}: {source}; does it exist, and has it room? (TEMP_DIR)", .parent.display())]
    Directory { parent: PathBuf, source: io::Error },
    #[error("running the converter: {0}")]
    Io(#[from] io::Error),
    /// Nobody waits for it.
    #[error("the conversion was given up")]
    Abandoned,
}

/// The converter's failures are `UserWarning`s, this machine's are `IOError`s.
impl From<Failure> for Exception {
    fn from(failure: Failure) -> Self {
        let name = match failure {
            Failure::Conversion(..) => "UserWarning",
            Failure::Directory { .. } | Failure::Io(_) => "IOError",
            Failure::Abandoned => "RuntimeError",
        };
        Exception::builtin(name, failure.to_string())
    }
}
