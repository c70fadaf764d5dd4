//! The book's id and the file's suffix: the two parts of a message that become parts of names in the file system.

use std::fmt;

use crate::LtpError;

/// No id of a book is longer.
const LONGEST: usize = 64;

/// No suffix is longer.
const LONGEST_SUFFIX: usize = 16;

/// The id of a book, safe as part of a name: letters, digits, `.`, `_`, `-`, neither `.` nor `-` first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BookId(String);

impl BookId {
    pub fn new(text: &str) -> Result<Self, LtpError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let valid = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with(['.', '-']);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(LtpError::BookId(text.chars().take(2 * LONGEST).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is what it is meant to be. A UUID does not occur in a name by chance; `1` does.
    pub fn is_uuid(&self) -> bool {
        self.0.len() == 36 && uuid::Uuid::try_parse(&self.0).is_ok()
    }
}

impl fmt::Display for BookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows the last dot of a file's name, the whole name if it has none; `bin` for what could not be a suffix.
pub(crate) fn suffix(filename: &str) -> &str {
    let name = filename.rsplit('/').next().unwrap_or(filename);
    let suffix = name.rsplit('.').next().unwrap_or(name);
    let usable = (1..=LONGEST_SUFFIX).contains(&suffix.len())
        && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
    if usable { suffix } else { "bin" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defect 1: an id was a path.
    #[test]
    fn ids_are_no_paths() {
        for id in [
            "6f1c2d34-5e67-4a89-9b01-23456789abcd",
            "1",
            "a..b",
            "_x-",
            &"x".repeat(64),
        ] {
            assert_eq!(BookId::new(id).unwrap().as_str(), id);
        }
        for id in [
            "",
            ".",
            "..",
            "../x",
            "/home/x",
            "a/b",
            ".tmp-1",
            "-rf",
            "a b",
            "a\0",
            "a\n",
            "č",
            &"x".repeat(65),
        ] {
            assert!(BookId::new(id).is_err(), "{id}");
        }
        assert!(
            BookId::new("6f1c2d34-5e67-4a89-9b01-23456789abcd")
                .unwrap()
                .is_uuid()
        );
        assert!(
            !BookId::new("6f1c2d345e674a899b0123456789abcd")
                .unwrap()
                .is_uuid()
        );
    }

    /// Defect 11: any characters, any length.
    #[test]
    fn suffixes() {
        for (name, expected) in [
            ("Les.a.louka.epub", "epub"),
            ("kniha.tar.gz", "gz"),
            ("A.PDF", "PDF"),
            ("kniha", "kniha"),
            ("x.", "bin"),
            ("", "bin"),
            ("a.b/kniha", "kniha"),
            ("/a/b.c/x.mobi", "mobi"),
            ("x.e pub", "bin"),
            ("x.čeština", "bin"),
            ("x.\0", "bin"),
            ("x.0123456789abcdef", "0123456789abcdef"),
            ("x.0123456789abcdefg", "bin"),
        ] {
            assert_eq!(suffix(name), expected, "{name}");
        }
        assert_eq!(suffix(&format!("x.{}", "y".repeat(200))), "bin");
    }
}
