//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`ExportRequest`] | the bare JSON value `true` |
//! | [`TrackingRequest`] | [`TrackingResponse`] |
//!
//! Names of types and fields are those of the original and must stay.

use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// See [`ExportRequest`].
    ExportRequest(ExportRequest),
    /// See [`TrackingRequest`].
    TrackingRequest(TrackingRequest),
}

/// Lay out the package of a book for the archive to fetch. An earlier package of the same book is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The whole catalogue record, in MARCXML or OAI MARC.
    pub aleph_record: String,
    /// Names the package: 1 to 64 letters, digits, `.`, `_`, `-`; meant to be a UUID.
    pub book_uuid: String,
    /// URN:NBN; null and `""` leave it out of the package. The key has to be there.
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub urn_nbn: Option<String>,
    /// Where the publication can be had.
    pub url: String,
    /// What the publisher called the file. Only its suffix is used.
    pub filename: String,
    /// The file in base64. It stays text until it is written, because it may be large.
    pub b64_data: String,
}

/// Ask what the archive has reported of a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingRequest {
    /// As in the [`ExportRequest`].
    pub book_uuid: String,
}

/// Answer to [`TrackingRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingResponse {
    /// As in the request.
    pub book_id: String,
    /// Whether the archive has taken the package over.
    pub exported: bool,
    /// What the package's directory is called beside the book's id, `done_` for one: filled also on success.
    pub error: String,
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To [`ExportRequest`]: always true, and a bare JSON value.
    Exported(bool),
    /// See [`TrackingResponse`].
    Tracked(TrackingResponse),
}
