//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`ScanFile`] | [`ScanResult`] |
//! | [`Request::UpdateDatabase`] | [`DatabaseUpdated`] |
//!
//! Names of types and fields are those of the original and must stay.

use edeposit_serializers::Base64;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// See [`ScanFile`].
    ScanFile(ScanFile),
    /// Fetch new signatures. It has no fields.
    UpdateDatabase,
}

/// Look for malware in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanFile {
    /// What the file is called: a label for the answer, never used as a path.
    pub filename: String,
    /// The file.
    pub b64_data: Base64,
}

/// Answer to [`ScanFile`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanResult {
    /// As in the request.
    pub filename: String,
    /// Empty if nothing was found. Otherwise one entry: `/tmp/tmpXXXXXX_` and the file's base name -> status `FOUND` and
    /// the malware's name. There is no such path; the original's callers know the form.
    pub result: IndexMap<String, (String, String)>,
}

/// Answer to [`Request::UpdateDatabase`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseUpdated {
    /// All that `freshclam` printed, 1 MiB at most.
    pub log: String,
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Response {
    /// See [`ScanResult`].
    ScanResult(ScanResult),
    /// See [`DatabaseUpdated`].
    DatabaseUpdated(DatabaseUpdated),
}
