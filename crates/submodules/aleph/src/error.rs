//! What can go wrong with the catalogue, and how the caller is told.

use edeposit_amqpdaemon::Exception;

/// A failed search. The texts are those the original's callers know, where it had one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlephError {
    /// The reply to a search has no `<find>`: the address in `ALEPH_URL` is probably no X-Server.
    #[error("Aleph didn't returned any information.")]
    NoInformation,

    /// The catalogue refused the request; its own words, shortened to 500 characters and one line.
    #[error("{0}")]
    Server(String),

    /// The reply is not what its kind of request is answered with.
    #[error("Aleph's reply to `{operation}` cannot be read: {reason}")]
    Reply {
        /// The operation asked for, e.g. `find`.
        operation: &'static str,
        /// What is wrong with the reply.
        reason: String,
    },

    /// A query names an index that the catalogue does not have.
    #[error("Unknown field '{0}'!")]
    UnknownField(String),

    /// The record does not exist or was deleted.
    #[error("{0}")]
    DocumentNotFound(String),

    /// The record's base does not exist, as far as can be told from the catalogue's words.
    #[error("{0}\nThe base you are trying to access probably doesn't exist.")]
    InvalidBase(String),

    /// The record's library does not exist.
    #[error("{0}")]
    LibraryNotFound(String),

    /// The record's XML cannot be read.
    #[error(transparent)]
    Record(#[from] edeposit_marc::Error),

    /// The records of a search are too much for one answer.
    #[error(
        "The records found have more than {limit} bytes together, search for something narrower or lower ALEPH_MAX_RECORDS"
    )]
    TooMuch {
        /// How many bytes they may have.
        limit: usize,
    },

    /// The catalogue's web server answered with an error status.
    #[error("HTTP Error {status}: {reason}")]
    Http {
        /// The status code.
        status: u16,
        /// The standard words for it.
        reason: &'static str,
    },

    /// The catalogue could not be reached, or broke off, or took too long, or replied without end.
    #[error("<urlopen error {reason}>")]
    Transport {
        /// What happened.
        reason: String,
        /// The error of the HTTP client, if it was one.
        #[source]
        source: Option<reqwest::Error>,
    },
}

impl AlephError {
    /// Whether just one record is at fault, so that the other records of a search are still worth having: there is one,
    /// but it was deleted or cannot be read. Where there is none at all, the catalogue is at fault.
    pub(crate) fn is_about_one_record(&self) -> bool {
        match self {
            Self::DocumentNotFound(_) => true,
            Self::Record(error) => *error != edeposit_marc::Error::NoRecord,
            _ => false,
        }
    }
}

/// Names and texts as the original had them. It left the text of transport failures out of the header `exception`; here it
/// is in both header and body.
impl From<AlephError> for Exception {
    fn from(error: AlephError) -> Self {
        let text = error.to_string();
        let aleph =
            |name: &str| Self::class(&format!("edeposit.amqp.aleph.aleph.{name}"), text.as_str());
        let exception = match &error {
            AlephError::NoInformation
            | AlephError::Server(_)
            | AlephError::Reply { .. }
            | AlephError::TooMuch { .. } => aleph("AlephException"),
            AlephError::UnknownField(_) => aleph("InvalidAlephFieldException"),
            AlephError::DocumentNotFound(_) => aleph("DocumentNotFoundException"),
            AlephError::InvalidBase(_) => aleph("InvalidAlephBaseException"),
            AlephError::LibraryNotFound(_) => aleph("LibraryNotFoundException"),
            AlephError::Record(_) => Self::value_error(text.as_str()),
            AlephError::Http { .. } => Self::class("urllib2.HTTPError", text.as_str()),
            AlephError::Transport { .. } => Self::class("urllib2.URLError", text.as_str()),
        };
        exception.caused_by(&error)
    }
}
