//! What can go wrong with a record.

/// Why a record could not be read or asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The document, well-formed or not, has no `record` element. The text is the original's.
    #[error("There is no <record> in your MARC XML document!")]
    NoRecord,

    /// A record was found, but the XML is broken from some place on.
    #[error("The MARC XML document is broken at byte {position}: {reason}")]
    Malformed {
        /// Offset in the document, in bytes.
        position: u64,
        /// What is wrong there.
        reason: String,
    },

    /// The document declares a document type. No catalogue sends one, and entities defined there are a known attack.
    #[error(
        "The MARC XML document has a document type declaration, send it without <!DOCTYPE ...>"
    )]
    DocumentType,

    /// The document is larger than [`Limits`](crate::Limits) allow.
    #[error(
        "The MARC XML document has more than {limit} {what}, raise the limit or send a smaller one"
    )]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The limit in force.
        limit: usize,
    },

    /// A field id has to have three characters.
    #[error("`{0}` is no id of a MARC field: it has to have three characters, as `245` has")]
    FieldId(String),

    /// A short form has to have three to six characters.
    #[error(
        "`{0}` names no MARC value: write a field (`001`), or field, subfield and indicators (`245a`, `260b  `)"
    )]
    ShortForm(String),
}
