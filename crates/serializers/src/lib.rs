//! The JSON form of E-deposit's messages: the namedtuple convention.
//!
//! The original sent Python namedtuples. On the wire a *record* is a JSON object of all its fields plus
//! `__nt_name`, the name of its type; everything else (strings, numbers, lists, dictionaries) is plain JSON:
//!
//! ```json
//! {"__nt_name": "SearchRequest", "query": {"__nt_name": "ISBNQuery", "ISBN": "80-251-0225-4", "base": "nkc"}}
//! ```
//!
//! In Rust a record is a struct, and a choice between records is an enum, with nothing but serde's derives:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, Serialize, PartialEq, Debug)]
//! enum Request {
//!     Greet { name: String },
//!     Count(Count),
//! }
//!
//! #[derive(Deserialize, Serialize, PartialEq, Debug)]
//! struct Count {
//!     from: i64,
//!     #[serde(default)]
//!     to: Option<i64>,
//! }
//!
//! let request: Request = edeposit_serializers::from_str(r#"{"__nt_name": "Count", "from": 3}"#)?;
//! assert_eq!(request, Request::Count(Count { from: 3, to: None }));
//! assert_eq!(
//!     edeposit_serializers::to_string(&Request::Greet { name: "Jan".into() })?,
//!     r#"{"__nt_name":"Greet","name":"Jan"}"#
//! );
//! # Ok::<(), edeposit_serializers::Error>(())
//! ```
//!
//! | Rust | JSON |
//! |---|---|
//! | struct, variant with named fields | record of that name; no other fields, none left out but those with `#[serde(default)]` and `Option`s |
//! | variant that holds a struct | that struct's record |
//! | unit struct, unit variant | record without fields |
//! | map, [`Value`] | plain dictionary |
//! | [`Base64`] | string |
//!
//! serde takes a missing `Option` for `None`. Where a caller has to say null, write
//! `#[serde(deserialize_with = "Option::deserialize")]`.
//!
//! Only the records that a type names can be read: an unknown `__nt_name` is an error, never a call of something else.
//! Types that carry `#[serde(tag = "__nt_name")]` work too, but serde then ignores unknown fields unless told otherwise
//! (`deny_unknown_fields`) and errors below them do not say where.

mod base64_field;
mod de;
mod error;
mod nt_name;
mod parse;
mod python;
mod ser;

pub use base64_field::{Base64, IncorrectPadding};
pub use error::{Error, ErrorKind, python_type};
pub use nt_name::NT_NAME;
pub use parse::{MAX_DEPTH, MAX_VALUES, parse};
pub use python::{python_str, python_unicode};
pub use serde_json::Value;

use serde::{Serialize, de::DeserializeOwned};

/// Reads a message from its wire form.
///
/// # Errors
/// The bytes are no UTF-8 or no JSON, are nested deeper than [`MAX_DEPTH`], have more than [`MAX_VALUES`] values, or do
/// not fit `T`.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    from_value(parse(json)?)
}

/// Reads a message from a string; see [`from_slice`].
///
/// # Errors
/// As [`from_slice`].
pub fn from_str<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    from_slice(json.as_bytes())
}

/// Reads a message from JSON that is parsed already.
///
/// # Errors
/// The value does not fit `T`.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(de::ValueDeserializer(value))
}

/// Writes a message in its wire form: compact JSON, UTF-8.
///
/// # Errors
/// The message holds something JSON has no form for: NaN, infinity, a dictionary key that is no string.
pub fn to_vec<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, Error> {
    let mut json = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut json);
    message
        .serialize(ser::Records(&mut serializer))
        .map_err(|e| Error::new(ErrorKind::Unserializable(e.to_string())))?;
    Ok(json)
}

/// Writes a message as a string; see [`to_vec`].
///
/// # Errors
/// As [`to_vec`].
pub fn to_string<T: Serialize + ?Sized>(message: &T) -> Result<String, Error> {
    to_value(message).map(|value| value.to_string())
}

/// Turns a message into a JSON value.
///
/// # Errors
/// As [`to_vec`].
pub fn to_value<T: Serialize + ?Sized>(message: &T) -> Result<Value, Error> {
    message
        .serialize(ser::Records(serde_json::value::Serializer))
        .map_err(|e| Error::new(ErrorKind::Unserializable(e.to_string())))
}
