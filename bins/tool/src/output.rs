//! Where the tool writes: results on standard output, everything else on standard error.
//!
//! A reader that has gone away (`| head`) is no error. Work that changes the broker goes on without
//! it; reading messages stops, because one that nobody has seen must not leave its queue.

use std::io::{self, Write};

/// Prints a line on standard output, whether anybody reads it or not.
pub fn say(line: &str) {
    let _ = write(&format!("{line}\n"));
}

/// Prints a line that is no result, on standard error.
pub fn remark(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes text on standard output and says whether it arrived.
///
/// # Errors
/// The reader is gone, or what the output was directed to takes no more.
pub fn write(text: &str) -> io::Result<()> {
    write_bytes(text.as_bytes())
}

/// [`write()`] for what need not be text.
///
/// # Errors
/// As [`write()`].
pub fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// `1 message`, `2 messages`.
pub fn counted(count: u32, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}
