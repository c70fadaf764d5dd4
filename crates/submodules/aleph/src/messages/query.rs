//! What can be searched for.

use serde::{Deserialize, Serialize};

use super::Loose;

/// Any query. `base` is the logical base to search, a part of the catalogue; if it is left out or null, it is the one of
/// the settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Query {
    /// By ISBN.
    ISBNQuery(ISBNQuery),
    /// By author.
    AuthorQuery(AuthorQuery),
    /// By publisher.
    PublisherQuery(PublisherQuery),
    /// By title.
    TitleQuery(TitleQuery),
    /// By identification number.
    ICZQuery(ICZQuery),
    /// By an index named in the query.
    GenericQuery(GenericQuery),
    /// By the system number of the record.
    DocumentQuery(DocumentQuery),
}

/// Search by ISBN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ISBNQuery {
    /// The ISBN, with or without hyphens.
    pub ISBN: String,
    /// See [`Query`].
    #[serde(default)]
    pub base: Option<String>,
}

/// Search by author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorQuery {
    /// Words of the name.
    pub author: String,
    /// See [`Query`].
    #[serde(default)]
    pub base: Option<String>,
}

/// Search by publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherQuery {
    /// Words of the name.
    pub publisher: String,
    /// See [`Query`].
    #[serde(default)]
    pub base: Option<String>,
}

/// Search by title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TitleQuery {
    /// Words of the title.
    pub title: String,
    /// See [`Query`].
    #[serde(default)]
    pub base: Option<String>,
}

/// Search by identification number, e.g. `nkc20240001234`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ICZQuery {
    /// The number.
    pub icz: String,
    /// See [`Query`].
    #[serde(default)]
    pub base: Option<String>,
}

/// Search in any index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenericQuery {
    /// See [`Query`]; null, but not left out, means the one of the settings.
    // without this, serde would take a missing field for null
    #[serde(deserialize_with = "Option::deserialize")]
    pub base: Option<String>,
    /// What to search.
    pub phrase: String,
    /// Has no effect, and had none in the original.
    pub considerSimilar: Loose,
    /// Code of the index, in lower or upper case; see [`INDEXES`](crate::INDEXES).
    pub field: String,
}

/// The record with a given system number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentQuery {
    /// The system number: digits, or a number.
    pub doc_id: Loose,
    /// The library (physical base) the record is in; if left out or null, the one of the settings.
    #[serde(default)]
    pub library: Option<String>,
}
