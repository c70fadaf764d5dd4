//! A constant's default, and where its value comes from.

use std::fmt;
use std::path::PathBuf;

/// A constant's default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// A text.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no. A file may say `true` and `false`, as well as 1 and 0.
    Flag(bool),
    /// An empty list of texts. A file may have an array of strings, as well as one text with commas.
    List,
}

impl fmt::Display for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Default::Text(text) => f.write_str(text),
            Default::Integer(number) => number.fmt(f),
            Default::Float(number) => number.fmt(f),
            Default::Flag(flag) => u8::from(*flag).fmt(f),
            Default::List => Ok(()),
        }
    }
}

/// Where a value comes from. A later one overrides the earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The table.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Environment,
    /// The program itself, by [`substitute_globals`](crate::Constants::substitute_globals).
    Program,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the defaults"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Environment => f.write_str("the environment"),
            Origin::Program => f.write_str("the program"),
        }
    }
}
