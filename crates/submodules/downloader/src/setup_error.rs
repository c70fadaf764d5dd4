//! Why the submodule cannot be set up.

use std::path::PathBuf;

/// Why a [`Downloader`](crate::Downloader) could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] edeposit_settings::Error),
    /// The certificate authorities cannot be read.
    #[error("CA_FILE {path}: {reason}", path = .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be set up, which happens if the system has no certificates.
    #[error(
        "cannot set up the HTTP client, are the system's certificates (ca-certificates) installed? {0}"
    )]
    Client(#[source] reqwest::Error),
}
