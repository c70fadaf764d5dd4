//! From bytes to JSON, refusing what the convention refuses.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, NT_NAME};

/// How deep a message may be nested; deeper is an error, not a stack overflow.
pub const MAX_DEPTH: usize = 127;

/// How many values a message may have, counting lists, objects and what is in them.
///
/// A value takes up to fifty times the memory of its bytes in the message, so that the size of a message alone
/// would not bound what reading it costs. Long texts, such as a book in base64, are one value.
pub const MAX_VALUES: usize = 500_000;

/// Parses a message body.
///
/// Stricter than JSON in one point: an object with `__nt_name` twice is refused. Of other repeated members the last
/// counts, as in Python.
///
/// # Errors
/// Not UTF-8, not JSON (`NaN` and `Infinity` included, which Python would read), too deep, or of too many values.
pub fn parse(json: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(json).map_err(|e| {
        let position = e.valid_up_to();
        Error::new(ErrorKind::NotUtf8 {
            byte: json.get(position).copied().unwrap_or_default(),
            position,
        })
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let left = Cell::new(Some(MAX_VALUES));
    let value = Json { left: &left }
        .deserialize(&mut deserializer)
        .map_err(|e| match left.get() {
            Some(_) => Error::new(classify(text, &e)),
            None => Error::new(ErrorKind::TooMany),
        })?;
    deserializer.end().map_err(|e| {
        Error::new(ErrorKind::ExtraData {
            line: e.line(),
            column: e.column(),
        })
    })?;
    Ok(value)
}

fn classify(text: &str, error: &serde_json::Error) -> ErrorKind {
    let message = error.to_string();
    if message.starts_with("recursion limit") {
        return ErrorKind::TooDeep;
    }
    // Python's words for anything that cannot begin a value, wherever it stands.
    if text.trim_start().is_empty()
        || message.starts_with("expected value")
        || begins_with_a_word(text)
    {
        return ErrorKind::NotJson;
    }
    ErrorKind::Syntax { message }
}

/// `NaN` and `tohle` alike: the parser reads the first letters as a misspelt `null` or `true`.
fn begins_with_a_word(text: &str) -> bool {
    text.trim_start()
        .starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Builds a [`Value`], noticing a repeated `__nt_name`.
#[derive(Clone, Copy)]
struct Json<'a> {
    /// How many more values there may be; none once there was one too many.
    left: &'a Cell<Option<usize>>,
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.left
            .set(self.left.get().and_then(|left| left.checked_sub(1)));
        if self.left.get().is_none() {
            return Err(de::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        // Many short lists would else take four times what is in them.
        list.shrink_to_fit();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NT_NAME && object.contains_key(NT_NAME) {
                return Err(de::Error::custom(format!("{NT_NAME} given twice")));
            }
            object.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}
