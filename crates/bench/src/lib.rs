//! What `cargo xtask bench` measures and measures with: the echo as our daemon and on bare lapin, and the driver that asks
//! them. The peers in Python are in `python/`. Not published.
//!
//! All of them do the same job: [`Echo`] `{ text }` in, [`Echoed`] `{ text }` out.

use serde::{Deserialize, Serialize};

/// The request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// Whatever it is, it comes back.
    pub text: String,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echoed {
    /// The request's text.
    pub text: String,
}

/// Environment variable with a handler's pause in milliseconds; without it, the handler answers at once.
pub const PAUSE_VARIABLE: &str = "BENCH_PAUSE_MS";
