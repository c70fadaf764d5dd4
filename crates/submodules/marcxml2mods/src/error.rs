//! What can go wrong with a conversion, and how the caller is told.

use edeposit_amqpdaemon::Exception;

/// Why there are no MODS documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The text holds no record, or a broken one.
    #[error(transparent)]
    Record(#[from] edeposit_marc::Error),

    /// A value of the record, the UUID or the URL has a character that no XML document may have.
    #[error(
        "U+{code:04X} in {place} is no character of XML, take it out and send the record again"
    )]
    Character {
        /// Where it stands.
        place: String,
        /// The character.
        code: u32,
    },

    /// The record would make a document out of all proportion.
    #[error("The record has more than {limit} {what}, no document is made of so many")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },

    /// The record says nowhere where the publication is, and neither does the caller. The words are the original's.
    #[error("cannot concatenate 'str' and 'NoneType' objects")]
    NoUrl,
}

/// Names as the original had them; that of broken XML comes from the library it read XML with.
impl From<&ConversionError> for Exception {
    fn from(error: &ConversionError) -> Self {
        use edeposit_marc::Error;
        let text = error.to_string();
        let exception = match error {
            ConversionError::Record(Error::Malformed { .. } | Error::DocumentType)
            | ConversionError::Character { .. } => Self::class("lxml.etree.XMLSyntaxError", text),
            ConversionError::NoUrl => Self::type_error(text).with_traceback(
                "the request's url is null, and the record has none to take instead",
            ),
            ConversionError::Record(_) | ConversionError::TooMuch { .. } => Self::value_error(text),
        };
        match exception.traceback {
            Some(_) => exception,
            None => exception.caused_by(error),
        }
    }
}

impl From<ConversionError> for Exception {
    fn from(error: ConversionError) -> Self {
        Self::from(&error)
    }
}
