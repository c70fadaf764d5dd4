//! Fields whose type differs from caller to caller: text, number, list, null.

use edeposit_serializers::{Error, ErrorKind, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

/// Any JSON value but a record or a dictionary.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(untagged)]
pub enum Loose {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Loose>),
}

impl Loose {
    /// The value as one text: a text, a number as written, or the first item of a list.
    #[must_use]
    pub fn first_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::List(items) => items.first().and_then(Self::first_text),
            Self::Null | Self::Bool(_) => None,
        }
    }
}

/// serde's own reading of untagged enums copies the value again for each level of nested lists.
impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer)?.try_into().map_err(|()| {
            let text = "expected null, a boolean, a number, a text or a list of these";
            serde::de::Error::custom(text)
        })
    }
}

impl TryFrom<Value> for Loose {
    type Error = ();

    /// A record or dictionary, alone or in a list, is an error.
    fn try_from(value: Value) -> Result<Self, ()> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => {
                let items = items.into_iter().map(Self::try_from);
                Self::List(items.collect::<Result<_, ()>>()?)
            }
            Value::Object(_) => return Err(()),
        })
    }
}

impl From<String> for Loose {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Loose {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<String>> for Loose {
    fn from(items: Vec<String>) -> Self {
        Self::List(items.into_iter().map(Self::Text).collect())
    }
}

/// Reads a record of type `T` or else a plain `P`. serde's own untagged enums cannot tell a record from a dictionary.
/// `required` is the field that `T` must have.
pub(super) fn record_or<'de, D, T, P, R>(
    deserializer: D,
    record: fn(T) -> R,
    plain: fn(P) -> R,
    required: &'static str,
) -> Result<R, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
    P: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    if value.is_object() {
        edeposit_serializers::from_value(value).map(record)
    } else {
        edeposit_serializers::from_value(value).map(plain)
    }
    .map_err(|error| same_kind(&error, required))
}

/// The error in the words of the deserializer that called, so that the caller is told the same kind of exception.
fn same_kind<E: serde::de::Error>(error: &Error, required: &'static str) -> E {
    match error.kind() {
        ErrorKind::UnknownRecord { name, .. } => {
            let name = name
                .as_str()
                .map_or_else(|| name.to_string(), str::to_owned);
            E::unknown_variant(&name, &[])
        }
        ErrorKind::UnknownField { field, .. } => E::unknown_field(field, &[]),
        ErrorKind::MissingFields { .. } => E::missing_field(required),
        _ => E::custom(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_of_anything() {
        let first_text = |json| {
            edeposit_serializers::from_str::<Loose>(json)
                .unwrap()
                .first_text()
        };
        for (json, text) in [
            (r#""a""#, Some("a")),
            ("8025102254", Some("8025102254")),
            (r#"["a", "b"]"#, Some("a")),
            ("[]", None),
            ("null", None),
            ("true", None),
        ] {
            assert_eq!(first_text(json).as_deref(), text, "{json}");
        }
        for json in ["{}", "[{}]", r#"{"__nt_name": "Author"}"#] {
            assert!(
                edeposit_serializers::from_str::<Loose>(json).is_err(),
                "{json}"
            );
        }
    }
}
