//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`ConversionRequest`] | [`ConversionResponse`] |
//!
//! Names of types and fields are those of the original and must stay.

use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// See [`ConversionRequest`].
    ConversionRequest(ConversionRequest),
}

/// Convert a catalogue record to MODS. All three fields have to be there; two may be null.
///
/// serde takes a field that is left out for `None` if it is an `Option`, but not if it has a `deserialize_with`: hence those
/// below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionRequest {
    /// The record itself, MARCXML or OAI MARC. Never a path.
    pub marc_xml: String,
    /// The package's UUID; null or empty: the document gets none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub uuid: Option<String>,
    /// Where the electronic publication is.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
}

/// Answer to [`ConversionRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionResponse {
    /// MODS documents, each complete; one of each record, and only the first record of the text is used.
    pub mods_files: Vec<String>,
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Response {
    /// See [`ConversionResponse`].
    ConversionResponse(ConversionResponse),
}
