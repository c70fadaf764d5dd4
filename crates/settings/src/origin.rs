//! Where a constant's value comes from.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value comes from. `Display` is for people: `the defaults`, `/etc/edeposit/amqp.json`, `the environment
/// variable RABBITMQ_HOST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The declaration.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable of this name.
    Environment(String),
    /// The program itself, by [`substitute_globals`](crate::Settings::substitute_globals).
    Program,
}

impl Origin {
    /// Does a value from here override one from there?
    pub(crate) fn overrides(&self, other: &Origin) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> u8 {
        match self {
            Origin::Default => 0,
            Origin::File(_) => 1,
            Origin::Environment(_) => 2,
            Origin::Program => 3,
        }
    }

    /// Where an operator finds the constant of this name.
    pub(crate) fn place(&self, name: &str) -> String {
        match self {
            Origin::Environment(variable) => format!("{variable} in the environment"),
            origin => format!("{name} in {origin}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the defaults"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Environment(variable) => write!(f, "the environment variable {variable}"),
            Origin::Program => f.write_str("the program"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
