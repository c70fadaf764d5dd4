//! Why the submodule cannot be set up.

/// Why [`Aleph`](crate::Aleph) could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] edeposit_settings::Error),
    /// The catalogue's address is none; `***` if a password may be in it.
    #[error("ALEPH_URL: '{0}' is no address of a web server, write http://HOST or https://HOST")]
    Url(String),
    /// The HTTP client cannot be set up, which happens if the system has no certificates.
    #[error(
        "cannot set up the HTTP client, are the system's certificates (ca-certificates) installed? {0}"
    )]
    Client(#[source] reqwest::Error),
}
