//! One setting as it is declared: name, default, limits, meaning.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::kind::Kind;
use crate::printable::printable;

/// A setting as it is declared. A [`Declaration`](crate::Declaration) is a table of these.
///
/// Each function makes one of another kind; the kind says which values are taken. The last parameter is the meaning: a
/// sentence or two in Markdown, which the documentation and the command `check` show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Its name in the settings file.
    pub name: &'static str,
    /// What it means, in Markdown.
    pub meaning: &'static str,
    /// What its number counts ("bytes"); empty if it has none.
    pub unit: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Value,
    secrecy: Secrecy,
    is_used: bool,
}

/// A default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Text(&'static str),
    Integer(i64),
    Seconds(f64),
    Flag(bool),
}

/// Whether the value may be shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Open,
    /// Only if there is no login in it, before an `@`.
    MayHoldLogin,
    Secret,
}

impl Setting {
    /// A text that must not be empty.
    pub const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        let kind = Kind::Text {
            may_be_empty: false,
        };
        Self::new(name, kind, Value::Text(default), meaning)
    }

    /// A text that may be empty.
    pub const fn any_text(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        let kind = Kind::Text { may_be_empty: true };
        Self::new(name, kind, Value::Text(default), meaning)
    }

    /// An absolute path: a daemon works in `/`.
    pub const fn path(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        let kind = Kind::Path {
            may_be_empty: false,
        };
        Self::new(name, kind, Value::Text(default), meaning)
    }

    /// An absolute path, or an empty text.
    pub const fn optional_path(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        let kind = Kind::Path { may_be_empty: true };
        Self::new(name, kind, Value::Text(default), meaning)
    }

    /// A whole number within `limits`.
    pub const fn integer(
        name: &'static str,
        default: i64,
        limits: RangeInclusive<i64>,
        meaning: &'static str,
    ) -> Self {
        let (least, most) = (*limits.start(), *limits.end());
        let kind = Kind::Integer { least, most };
        Self::new(name, kind, Value::Integer(default), meaning)
    }

    /// A number of bytes within `limits`.
    pub const fn bytes(
        name: &'static str,
        default: i64,
        limits: RangeInclusive<i64>,
        meaning: &'static str,
    ) -> Self {
        Self::integer(name, default, limits, meaning).unit("bytes")
    }

    /// A number of seconds within `limits`, which may have a fraction.
    pub const fn seconds(
        name: &'static str,
        default: f64,
        limits: RangeInclusive<f64>,
        meaning: &'static str,
    ) -> Self {
        let (least, most) = (*limits.start(), *limits.end());
        let kind = Kind::Seconds { least, most };
        Self::new(name, kind, Value::Seconds(default), meaning).unit("seconds")
    }

    /// Yes or no: `true` or `false`, or 1 or 0.
    pub const fn flag(name: &'static str, default: bool, meaning: &'static str) -> Self {
        Self::new(name, Kind::Flag, Value::Flag(default), meaning)
    }

    /// A list of texts that have neither commas nor blanks in them; by default it is empty. A file may have an array of
    /// strings, or one text with commas or blanks between the items; the environment has the latter.
    pub const fn list(name: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::List, Value::Text(""), meaning)
    }

    /// One of these words.
    pub const fn word(
        name: &'static str,
        default: &'static str,
        words: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self::new(name, Kind::Word(words), Value::Text(default), meaning)
    }

    /// The mode of a file in octal digits, such as `"0770"`.
    pub const fn mode(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::Mode, Value::Text(default), meaning)
    }

    const fn new(name: &'static str, kind: Kind, default: Value, meaning: &'static str) -> Self {
        Self {
            name,
            meaning,
            unit: "",
            kind,
            default,
            secrecy: Secrecy::Open,
            is_used: true,
        }
    }

    /// Says what the number counts.
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// It is never shown to people.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secrecy = Secrecy::Secret;
        self
    }

    /// It is an address that may have a login in it (`http://user:password@host`), and is not shown then.
    #[must_use]
    pub const fn may_hold_login(mut self) -> Self {
        self.secrecy = Secrecy::MayHoldLogin;
        self
    }

    /// It is accepted, since the original had it, and has no effect.
    #[must_use]
    pub const fn unused(mut self) -> Self {
        self.is_used = false;
        self
    }

    /// Has it an effect?
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.is_used
    }

    /// The default as text.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self.default {
            Value::Text(text) => text.to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Seconds(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
        }
    }

    /// What it takes, in words: `whole numbers from 1 to 1000`.
    #[must_use]
    pub fn takes(&self) -> String {
        self.kind.in_words(self.unit)
    }

    /// A value as it may be shown to people, of any length and with whatever characters: `***` for a secret, and for an
    /// address with a login in it.
    #[must_use]
    pub fn shown<'a>(&self, value: &'a str) -> Cow<'a, str> {
        if self.hides(value) {
            Cow::Borrowed("***")
        } else {
            printable(value)
        }
    }

    /// Must this value not be shown to people?
    pub(crate) fn hides(&self, value: &str) -> bool {
        match self.secrecy {
            Secrecy::Open => value.contains("://") && value.contains('@'),
            Secrecy::MayHoldLogin => value.contains('@'),
            Secrecy::Secret => true,
        }
    }

    /// What is wrong with a text that this setting does not take, if it does not.
    pub(crate) fn problem(&self, text: &str) -> Option<String> {
        (!self.kind.takes(text)).then(|| match text {
            "" => format!("it is empty; it takes {}", self.takes()),
            _ => self.unusable(&format!("'{}'", self.shown(text))),
        })
    }

    /// That a value (already fit to be shown, "null") is not taken.
    pub(crate) fn unusable(&self, value: &str) -> String {
        format!("{value} cannot be used, it takes {}", self.takes())
    }
}
