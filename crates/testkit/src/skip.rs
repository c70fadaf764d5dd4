//! What a test does that cannot check its matter on this machine.

use std::env;
use std::io::{self, Write};
use std::thread;

/// Says that a test checks nothing here, and why; the caller returns then. Where `CI=true` everything must be checked, so
/// it fails the test there.
///
/// The words go to standard error itself: what is printed by `eprintln!` is not shown of a test that passes.
///
/// # Panics
/// In the environment is `CI=true`.
#[track_caller]
pub fn skip(reason: &str) {
    let required = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!required, "with CI=true nothing may be skipped: {reason}");
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // Nobody may listen.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
}
