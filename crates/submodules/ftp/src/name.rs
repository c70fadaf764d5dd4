//! Names of FTP users: each is a line's first field and a directory's name.

use std::fmt;

/// The longest name, in characters.
const LONGEST: usize = 64;

/// A name of 1 to 64 of the characters `a-z A-Z 0-9 . _ -` that is neither `.` nor `..`: as a directory it is a direct child
/// of its parent, and it fits into one field of the password file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// The name, if it may be one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let fits = (1..=LONGEST).contains(&name.len())
            && name.bytes().all(allowed)
            && !matches!(name, "." | "..");
        fits.then(|| Self(name.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defect 5 of the manager: names that lead elsewhere.
    #[test]
    fn only_plain_names() {
        let longest = "x".repeat(LONGEST);
        for good in ["a", "a.b", "...", ".a", "-x", "nakl_Argo-9.cz", &longest] {
            assert!(UserName::new(good).is_some(), "{good}");
        }
        let too_long = "x".repeat(LONGEST + 1);
        for bad in [
            "", ".", "..", "a/b", "/", "a\n", "\na", "a b", "a:b", "a\0", "š", "#a", "+a",
            &too_long,
        ] {
            assert!(UserName::new(bad).is_none(), "{bad}");
        }
    }
}
