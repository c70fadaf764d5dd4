//! Why a metadata file could not be read, in the words that its publisher finds in the report.

/// Why a metadata file could not be read. Users know these texts, and scripts of theirs look for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no text.
    #[error("Metadata file is not valid UTF-8.")]
    NotUtf8,
    /// The file's name has no suffix.
    #[error("Can't recognize type of your metadata ('{0}')!")]
    NoSuffix(String),
    /// The file's suffix is none of those known.
    #[error("Can't parse file of type '{0}'!")]
    UnknownSuffix(String),
    /// A line is no key and value.
    #[error("Bad number of elements - line {number}:\n\t{line}\n")]
    BadLine {
        /// From 1.
        number: usize,
        /// The line.
        line: String,
    },
    /// It is no JSON.
    #[error("Can't parse your JSON data: {0}")]
    Json(String),
    /// It is no YAML, or uses what is not read.
    #[error("Can't parse your YAML data: {0}")]
    Yaml(String),
    /// It uses what is not read.
    #[error("Can't parse your XML data: {0}")]
    Xml(&'static str),
    /// There is no root.
    #[error("All elements have to be inside <root>.")]
    NoRoot,
    /// There are several.
    #[error("Too many <root> elements in your XML!")]
    ManyRoots,
    /// There is nothing in it.
    #[error("There are no <items> in your XML <root>!")]
    NoItems,
    /// An item has no key.
    #[error("There is no 'key' parameter in {0}.")]
    NoKey(String),
    /// Neither mapping nor list.
    #[error("Can't decode provided metadata - unknown structure.")]
    UnknownStructure,
    /// A list of something else.
    #[error("Metadata format has invalid strucure (dict is expected).")]
    InvalidStructure,
    /// A key or value that is no text.
    #[error("Can't decode the meta file - invalid type of keyword '{0}'!")]
    InvalidType(String),
}
