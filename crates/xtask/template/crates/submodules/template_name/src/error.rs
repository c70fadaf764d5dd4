//! What can go wrong, and how the caller is told.

use edeposit_amqpdaemon::Exception;

/// Why there is no answer. The text says what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateNameError {
    /// The text is longer than `MAX_CHARACTERS`.
    #[error(
        "the text has {characters} characters, more than {limit} are not taken (MAX_CHARACTERS), send it in parts"
    )]
    TooLong {
        /// How many it has.
        characters: usize,
        /// How many it may have.
        limit: usize,
    },
}

/// Callers tell cases apart by the exception's name.
impl From<TemplateNameError> for Exception {
    fn from(error: TemplateNameError) -> Self {
        match error {
            TemplateNameError::TooLong { .. } => Self::value_error(error.to_string()),
        }
    }
}
