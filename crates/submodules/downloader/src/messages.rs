//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`Download`] | [`DownloadedFile`] |
//! | [`ProgressDownload`] | any number of [`Progress`], then [`DownloadedFile`] |
//! | [`CheckExistence`] | [`Exists`] |
//!
//! Names of types and fields are those of the original and must stay. A `url` is given back as it came.

use edeposit_serializers::Value;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// See [`Download`].
    Download(Download),
    /// See [`ProgressDownload`].
    ProgressDownload(ProgressDownload),
    /// See [`CheckExistence`].
    CheckExistence(CheckExistence),
}

/// Fetch a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Where it is. Null is refused, as an address without a scheme is.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
}

/// Fetch a file, and tell how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressDownload {
    /// As in [`Download`].
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
    /// How many [`Progress`] messages there may be: a whole number, at least 1. Anything else is told to be wrong.
    pub steps: Value,
}

/// Ask whether there is such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckExistence {
    /// Where it would be. There is nothing at null.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
}

/// Answer to [`Download`] and [`ProgressDownload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadedFile {
    /// As in the request.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
    /// The file in base64, with padding and without line breaks. It is text because it was encoded as it came in;
    /// [`Base64::decode`](edeposit_serializers::Base64::decode) reads it.
    pub b64_data: String,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// As in the request.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
    /// From 1 to the `steps` asked for; it grows with each message, and the last one's is `steps`.
    pub step: u64,
    /// Bytes so far.
    pub downloaded: u64,
    /// Bytes in all; null as long as the server does not say.
    #[serde(deserialize_with = "Option::deserialize")]
    pub content_length: Option<u64>,
}

/// Answer to [`CheckExistence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exists {
    /// As in the request.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
    /// Whether the server has it; false also if there is no such server.
    pub result: bool,
    /// The headers of the server's reply, empty if there is no such file. Several of one name are joined by `, `.
    pub headers: IndexMap<String, String>,
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Response {
    /// See [`DownloadedFile`].
    DownloadedFile(DownloadedFile),
    /// See [`Exists`].
    Exists(Exists),
}
