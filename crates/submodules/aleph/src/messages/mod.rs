//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`SearchRequest`] | [`SearchResult`] |
//! | [`CountRequest`] | [`CountResult`], but a bare number for a [`DocumentQuery`] |
//! | [`ISBNValidationRequest`] | [`ISBNValidationResult`] |
//! | [`ExportRequest`] | [`ExportResult`] |
//!
//! Names of types and fields are those of the original and must stay. A field takes what the callers are known to send;
//! [`Loose`] is the
//! type of a field that takes nearly any JSON.

#![allow(non_snake_case)]

mod loose;
mod publication;
mod query;
mod record;

pub use loose::Loose;
pub use publication::{
    Author, Creator, EPeriodical, EPeriodicalSemanticInfo, EPublication, SemanticInfo,
};
pub use query::{
    AuthorQuery, DocumentQuery, GenericQuery, ICZQuery, ISBNQuery, PublisherQuery, Query,
    TitleQuery,
};
pub use record::{AlephRecord, AnySemanticInfo, ParsedInfo};

use serde::{Deserialize, Serialize};

use loose::record_or;

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// See [`SearchRequest`].
    SearchRequest(SearchRequest),
    /// See [`CountRequest`].
    CountRequest(CountRequest),
    /// See [`ISBNValidationRequest`].
    ISBNValidationRequest(ISBNValidationRequest),
    /// See [`ExportRequest`].
    ExportRequest(Box<ExportRequest>),
}

/// Find the records that a query matches, 30 at most by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// What to search.
    pub query: Query,
}

/// Count the records that a query matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountRequest {
    /// What to search.
    pub query: Query,
}

/// Check the form and the check digit of an ISBN. Nothing is looked up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ISBNValidationRequest {
    /// The ISBN.
    pub ISBN: ISBNToValidate,
}

/// An ISBN as the callers send it for validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ISBNToValidate {
    /// The query that would search for it.
    Query(ISBNQuery),
    /// The ISBN: a text, a number, or a list of which the first item counts. Anything else is no valid ISBN.
    Value(Loose),
}

impl<'de> Deserialize<'de> for ISBNToValidate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record_or(deserializer, Self::Query, Self::Value, "ISBN")
    }
}

/// File an announced publication with the cataloguers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The publication.
    pub epublication: EPublication,
}

/// Answer to [`SearchRequest`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SearchResult {
    /// The records found, in the catalogue's order.
    pub records: Vec<AlephRecord>,
}

/// Answer to [`CountRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountResult {
    /// How many records the catalogue would hand out. A server caps this: of 4998 hits it may admit 2500.
    pub num_of_records: u64,
}

/// Answer to [`ISBNValidationRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ISBNValidationResult {
    /// Whether it is a well-formed ISBN with the right check digit.
    pub is_valid: bool,
}

/// Answer to [`ExportRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportResult {
    /// What the request had for ISBN, as it was.
    pub ISBN: Loose,
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Response {
    /// See [`SearchResult`].
    SearchResult(SearchResult),
    /// See [`CountResult`].
    CountResult(CountResult),
    /// A bare `0` or `1`: the count for a [`DocumentQuery`]. The original answered so, and the callers know it.
    DocumentCount(u64),
    /// See [`ISBNValidationResult`].
    ISBNValidationResult(ISBNValidationResult),
    /// See [`ExportResult`].
    ExportResult(ExportResult),
}
