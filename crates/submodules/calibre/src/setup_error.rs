//! Why the submodule cannot be set up.

use std::io;
use std::path::PathBuf;

/// Why [`Calibre`](crate::Calibre) could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] edeposit_settings::Error),
    /// There is no such program.
    #[error(
        "there is no program '{0}': install calibre, or name its ebook-convert in EBOOK_CONVERT"
    )]
    NoConverter(String),
    /// A program that every Linux system has is missing.
    #[error("there is no program '{0}' in PATH: install util-linux")]
    NoUtilLinux(&'static str),
    /// `SANDBOX` is `required`.
    #[error("SANDBOX is required: {0}")]
    NoSandbox(String),
    /// `TEMP_DIR` cannot be used.
    #[error("cannot use the directory {} (TEMP_DIR): {source}", .dir.display())]
    TempDir {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
