//! What a command says to whoever typed it.
//!
//! A reader that has gone (`status | true`) must not turn into a panic, as it would with `println!`.

use std::fmt::Display;
use std::io::{self, Write};

/// What was asked for: on standard output.
pub(crate) fn answer(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Everything else: on standard error.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What does not keep a command from being carried out, a line each: on standard error.
pub(crate) fn warnings(warnings: &[String]) {
    for warning in warnings {
        note(format_args!("warning: {warning}"));
    }
}
