//! The messages of this submodule, as they are on the wire.
//!
//! | request | progress | answer |
//! |---|---|---|
//! | [`Reverse`] | [`Progress`] | [`Reversed`] |
//!
//! Callers depend on the names of types and fields: they stay once somebody uses them.

use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// See [`Reverse`].
    Reverse(Reverse),
}

/// Reverse a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverse {
    /// The text; it may be empty.
    pub text: String,
}

/// How far the work on a [`Reverse`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 100.
    pub percent: u8,
}

/// Answer to [`Reverse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversed {
    /// The text, its last character first.
    pub text: String,
}

/// An answer of the daemon, or progress before the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// See [`Progress`].
    Progress(Progress),
    /// See [`Reversed`].
    Reversed(Reversed),
}
