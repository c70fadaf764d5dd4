//! What the original put on the wire, and the test that every submodule has for it: each recorded message is read as the
//! submodule's own type and written again as the same JSON.
//!
//! The recordings are the files in `tests/vectors`; the page there says how they were made.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use edeposit_serializers::{Error, Value, from_str, to_value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A recorded message.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    /// The submodule it belongs to, as `aleph`.
    pub submodule: String,
    /// Its type by the original's name, as `SearchRequest`; of plain values Python's, as `bool`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `request`, `response`, `progress`, or `nested`: only inside another message.
    pub direction: String,
    /// The body, as it was sent.
    pub wire: String,
    /// What is special about it.
    pub note: String,
}

/// A file of recorded data.
///
/// # Errors
/// It is missing or no JSON.
pub fn vectors<T: DeserializeOwned>(file: &str) -> Result<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// The recorded messages of a submodule.
///
/// # Panics
/// They cannot be read.
pub fn recorded(submodule: &str) -> Vec<Recorded> {
    let mut messages: Vec<Recorded> = vectors("messages.json").unwrap();
    messages.retain(|message| message.submodule == submodule);
    messages
}

/// Reads a body as a message of type `T`, and gives what is written of it.
///
/// # Errors
/// It is no such message.
pub fn again<T: DeserializeOwned + Serialize>(wire: &str) -> Result<Value, Error> {
    to_value(&from_str::<T>(wire)?)
}

/// Reads a body and gives what is written of it: [`again`] for some type.
pub type Again = fn(&str) -> Result<Value, Error>;

/// Reads and writes every recorded message of `submodule`, and checks that nothing has changed. `of` says how a type is
/// read and written; None for one that is not dealt with. There must be `count` messages that are.
///
/// # Panics
/// Something has changed, cannot be read, or is missing.
#[track_caller]
pub fn check_recorded(submodule: &str, count: usize, of: impl Fn(&str) -> Option<Again>) {
    let mut checked = 0;
    for message in recorded(submodule) {
        let Some(again) = of(&message.kind) else {
            continue;
        };
        let expected: Value = serde_json::from_str(&message.wire).unwrap();
        let about = format!("{} ({})", message.kind, message.note);
        match again(&message.wire) {
            Ok(written) => assert_eq!(written, expected, "{about}"),
            Err(error) => panic!("{about}: {error}"),
        }
        checked += 1;
    }
    assert_eq!(checked, count, "recorded messages of {submodule}");
}
