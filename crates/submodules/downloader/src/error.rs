//! What can go wrong with a download, and how the caller is told.

use std::error::Error;
use std::io;

use edeposit_amqpdaemon::Exception;
use reqwest::Url;

use crate::lookup::Refused;

/// A failed download. Names and texts are those the original's callers know, where it had any.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The address has no scheme, or is none at all.
    #[error("Invalid URL '{0}': No schema supplied. Perhaps you meant http://{0}?")]
    MissingSchema(String),

    /// Only http and https are fetched.
    #[error("No connection adapters were found for '{0}'")]
    InvalidSchema(String),

    /// The address cannot be read.
    #[error("Invalid URL '{url}': {reason}")]
    InvalidUrl {
        /// The address, shortened.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The server says that it has not got the file, or that it failed.
    #[error("{status} {class}: {reason}")]
    Status {
        /// The status code.
        status: u16,
        /// Whose fault that is, e.g. `Client Error`.
        class: &'static str,
        /// The server's own words for it.
        reason: String,
    },

    /// The server sent us on and on.
    #[error("Exceeded {0} redirects.")]
    TooManyRedirects(usize),

    /// The server cannot be reached, must not be contacted, or broke off.
    #[error("{server}: {reason}")]
    Connection {
        /// Host and port.
        server: String,
        /// What happened.
        reason: String,
    },

    /// There is no safe connection to the server.
    #[error("{server}: {reason}")]
    Tls {
        /// Host and port.
        server: String,
        /// What happened.
        reason: String,
    },

    /// There was no connection in time.
    #[error("{server}: no connection within {seconds} s (CONNECT_TIMEOUT)")]
    ConnectTimeout {
        /// Host and port.
        server: String,
        /// The limit.
        seconds: f64,
    },

    /// The server was silent for too long, or the whole took too long.
    #[error("{server}: {what} took longer than {seconds} s ({setting})")]
    ReadTimeout {
        /// Host and port.
        server: String,
        /// What took so long.
        what: &'static str,
        /// The limit.
        seconds: f64,
        /// The setting that has it.
        setting: &'static str,
    },

    /// The file is too large.
    #[error("the file has {size} bytes, at most {limit} are fetched (MAX_SIZE)")]
    TooLarge {
        /// How many it has, as far as known: `more than 5`.
        size: String,
        /// How many it may have.
        limit: u64,
    },

    /// The server's `Content-Length` is no number, or there are several.
    #[error("invalid literal for int() with base 10: the server's Content-Length is no number")]
    ContentLength,

    /// There cannot be so many steps.
    #[error("steps must be a whole number, at least 1, not {0}")]
    Steps(String),
}

impl From<DownloadError> for Exception {
    fn from(error: DownloadError) -> Self {
        let text = error.to_string();
        let requests =
            |name: &str| Self::class(&format!("requests.exceptions.{name}"), text.as_str());
        match error {
            DownloadError::MissingSchema(_) => requests("MissingSchema"),
            DownloadError::InvalidSchema(_) => requests("InvalidSchema"),
            DownloadError::InvalidUrl { .. } => requests("InvalidURL"),
            DownloadError::Status { .. } => requests("HTTPError"),
            DownloadError::TooManyRedirects(_) => requests("TooManyRedirects"),
            DownloadError::Connection { .. } => requests("ConnectionError"),
            DownloadError::Tls { .. } => requests("SSLError"),
            DownloadError::ConnectTimeout { .. } => requests("ConnectTimeout"),
            DownloadError::ReadTimeout { .. } => requests("ReadTimeout"),
            DownloadError::TooLarge { .. }
            | DownloadError::ContentLength
            | DownloadError::Steps(_) => Self::value_error(text),
        }
    }
}

/// A server as errors and logs name it: host and port, never the user and password that may be in the address.
pub(crate) fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The time limits, for saying which one was passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub connect: f64,
    pub read: f64,
}

impl DownloadError {
    pub(crate) fn refused(url: &Url, refused: &Refused) -> Self {
        Self::Connection {
            server: server(url),
            reason: refused.to_string(),
        }
    }

    /// What the HTTP client's error comes down to.
    pub(crate) fn of_client(error: &reqwest::Error, url: &Url, limits: Limits) -> Self {
        let mut reason = String::new();
        let mut is_tls = false;
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<Refused>() {
                return Self::refused(url, refused);
            }
            is_tls |= error.is::<rustls::Error>();
            // the innermost one tells; the outer ones have the address, with its password
            reason = error.to_string();
            cause = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        let server = server(url);
        if error.is_timeout() && error.is_connect() {
            Self::ConnectTimeout {
                server,
                seconds: limits.connect,
            }
        } else if error.is_timeout() {
            Self::ReadTimeout {
                server,
                what: "a part of the answer",
                seconds: limits.read,
                setting: "READ_TIMEOUT",
            }
        } else if is_tls {
            Self::Tls { server, reason }
        } else if reason.contains("content-length") {
            Self::ContentLength
        } else {
            Self::Connection { server, reason }
        }
    }
}
