//! Why an import failed.

use edeposit_ftp::Error;

/// The import has to be tried again later.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Accounts or homes.
    #[error(transparent)]
    Ftp(#[from] Error),
    /// The journal.
    #[error("the journal of imports in STATE_PATH: {0}")]
    Journal(#[from] std::io::Error),
    /// The message.
    #[error(transparent)]
    Message(#[from] edeposit_serializers::Error),
}
