//! What the converter wrote, and what of it tells a caller why there is no book.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes kept of each.
const MAX_LOG: u64 = 1 << 20;

/// Most lines and characters shown of a failed conversion.
const MAX_LINES: usize = 40;
const MAX_CHARACTERS: usize = 4000;

/// What Python writes between stack traces that belong together.
const CHAIN: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// Standard output and error of a conversion.
#[derive(Debug)]
pub(crate) struct Log {
    pub stdout: String,
    pub stderr: String,
}

impl Log {
    /// The last lines of each, without the converter's own stack traces.
    pub fn tail(&self) -> String {
        [last_lines(&self.stdout), last_lines(&self.stderr)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The end of what was written to a file, without the names of private directories. A book may have its say in it:
/// control characters do not get through.
pub(crate) fn text(mut file: File, private: [&str; 2]) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LOG)))?;
    let mut bytes = Vec::new();
    file.take(MAX_LOG).read_to_end(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for dir in private {
        text = text.replace(&format!("{dir}/"), "").replace(dir, ".");
    }
    text.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    Ok(text)
}

fn last_lines(text: &str) -> String {
    let mut lines = Vec::new();
    let mut in_trace = false;
    for line in text.lines() {
        if line.starts_with("Traceback (most recent call last)") {
            in_trace = true;
            continue;
        }
        // Its last line names the error, and is not indented.
        in_trace &= line.starts_with(' ');
        if !in_trace && !line.trim().is_empty() && !CHAIN.contains(&line) {
            lines.push(line);
        }
    }
    let text = lines[lines.len().saturating_sub(MAX_LINES)..].join("\n");
    let surplus = text.chars().count().saturating_sub(MAX_CHARACTERS);
    text.chars().skip(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_without_stack_traces() {
        let log = Log {
            stdout: "1% Převod\n".to_owned(),
            stderr: "noise\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    run()\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"x.py\", line 2\nValueError: Not an EPUB\n".to_owned(),
        };
        assert_eq!(
            log.tail(),
            "1% Převod\nnoise\nKeyError: 1\nValueError: Not an EPUB"
        );
    }

    #[test]
    fn a_long_log_is_cut() {
        let lines: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert!(last_lines(&lines).starts_with("60\n") && last_lines(&lines).ends_with("99"));
        assert_eq!(
            last_lines(&"ž".repeat(10_000)).chars().count(),
            MAX_CHARACTERS
        );
    }
}
