//! What can be wrong with a message, and where in it.

use std::fmt;

use serde::de::{Expected, Unexpected};
use serde_json::Value;

/// A message that cannot be read or written: what is wrong, and where.
///
/// Its text reads `query.ISBN: expected a string, found a list`.
#[derive(Debug)]
pub struct Error {
    path: Vec<Segment>,
    kind: ErrorKind,
}

#[derive(Debug)]
enum Segment {
    Field(String),
    Index(usize),
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not UTF-8.
    #[error("'utf8' codec can't decode byte 0x{byte:02x} in position {position}: not valid UTF-8")]
    NotUtf8 {
        /// The offending byte.
        byte: u8,
        /// Its offset in the body.
        position: usize,
    },
    /// Not JSON from the first character on, or empty.
    #[error("No JSON object could be decoded")]
    NotJson,
    /// JSON followed by something else.
    #[error("Extra data: line {line} column {column}")]
    ExtraData {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON that breaks off or has an error inside.
    #[error("{message}")]
    Syntax {
        /// The parser's words, with line and column.
        message: String,
    },
    /// Nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    #[error("nested deeper than {} levels", crate::MAX_DEPTH)]
    TooDeep,
    /// More values than [`MAX_VALUES`](crate::MAX_VALUES).
    #[error("more than {} values", crate::MAX_VALUES)]
    TooMany,
    /// `__nt_name` names no record that may stand here.
    #[error("unknown record type {name}{}", known_records(.known))]
    UnknownRecord {
        /// The value of `__nt_name`, usually a string.
        name: Value,
        /// The records that may stand here.
        known: &'static [&'static str],
    },
    /// A record has a member that is none of its fields.
    #[error("__new__() got an unexpected keyword argument '{field}': {record} has {}", list(.fields, "no fields"))]
    UnknownField {
        /// The record's name.
        record: String,
        /// The member that does not belong there.
        field: String,
        /// The fields it has.
        fields: Vec<String>,
    },
    /// A record lacks fields that have no default.
    #[error(
        "__new__() takes exactly {} arguments ({} given): {record} lacks {}",
        .fields + 1, .given + 1, list(.missing, "a field")
    )]
    MissingFields {
        /// The record's name; empty where it is not known.
        record: String,
        /// The fields that are missing and have no default, as far as known.
        missing: Vec<String>,
        /// How many fields the record has.
        fields: usize,
        /// How many the message gave.
        given: usize,
    },
    /// Something else is expected here.
    #[error("expected {expected}, found {}", describe(.found))]
    WrongType {
        /// What is expected, in words.
        expected: String,
        /// What was found, by Python's name of its type (`dict`, `list`, `str`, ...).
        found: &'static str,
    },
    /// The message has something JSON has no form for.
    #[error("{0}")]
    Unserializable(String),
    /// Refused by the type itself.
    #[error("{0}")]
    Custom(String),
}

impl Error {
    /// An error about the message as a whole.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self {
            path: Vec::new(),
            kind,
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Where: `query.ISBN`, `records[3].xml`; empty for the message as a whole.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            match segment {
                Segment::Field(name) if path.is_empty() => path.push_str(name),
                Segment::Field(name) => path.extend([".", name]),
                Segment::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    pub(crate) fn in_field(mut self, name: &str) -> Self {
        self.path.push(Segment::Field(name.to_owned()));
        self
    }

    pub(crate) fn at_index(mut self, index: usize) -> Self {
        self.path.push(Segment::Index(index));
        self
    }

    /// serde reports a missing field without its record; the record's reader fills that in.
    pub(crate) fn in_record(mut self, name: &str, fields: &[&str], present: &[String]) -> Self {
        if !self.path.is_empty() {
            return self;
        }
        if let ErrorKind::MissingFields {
            record,
            fields: count,
            given,
            ..
        } = &mut self.kind
            && record.is_empty()
        {
            *record = name.to_owned();
            *count = fields.len();
            *given = present.len();
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Custom(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(ErrorKind::WrongType {
            expected: expected.to_string(),
            found: type_of(&found),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::UnknownRecord {
            name: variant.into(),
            known: expected,
        })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::UnknownField {
            record: "the record".to_owned(),
            field: field.to_owned(),
            fields: expected.iter().map(ToString::to_string).collect(),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        if field == crate::NT_NAME {
            return Self::new(ErrorKind::WrongType {
                expected: "a record".to_owned(),
                found: "dict",
            });
        }
        Self::new(ErrorKind::MissingFields {
            record: String::new(),
            missing: vec![field.to_owned()],
            fields: 1,
            given: 0,
        })
    }
}

/// Python's name for the type of a JSON value, as the original's messages have it: `dict`, `list`, `str`, `int`,
/// `float`, `bool`, `NoneType`.
#[must_use]
pub fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn type_of(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "bool",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "int",
        Unexpected::Float(_) => "float",
        Unexpected::Unit | Unexpected::Option => "NoneType",
        Unexpected::Seq => "list",
        Unexpected::Map
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "dict",
        _ => "str",
    }
}

fn describe(python_type: &str) -> &str {
    match python_type {
        "NoneType" => "null",
        "bool" => "a boolean",
        "int" => "an integer",
        "float" => "a number",
        "str" => "a string",
        "list" => "a list",
        "dict" => "an object",
        other => other,
    }
}

fn known_records(known: &[&str]) -> String {
    match known {
        [] => String::new(),
        names => format!(" (known here: {})", names.join(", ")),
    }
}

fn list(names: &[String], none: &str) -> String {
    if names.is_empty() {
        none.to_owned()
    } else {
        names.join(", ")
    }
}
