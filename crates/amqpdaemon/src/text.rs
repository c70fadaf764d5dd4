//! Texts of others, cut and quoted for headers and log lines.

use std::fmt::{self, Write as _};

/// The first bytes of a text, ending at a character's end.
pub(crate) fn cut(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

/// A text in quotes, as log lines have it. Nearly all need no escapes, and finding that out letter by letter takes half
/// of what the log context costs.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if self.0.bytes().all(is_plain) {
            f.write_char('"')?;
            f.write_str(self.0)?;
            f.write_char('"')
        } else {
            fmt::Debug::fmt(self.0, f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_look_alike() {
        for text in [
            "",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "a\"b",
            "a\nb\x1b[0m",
            "ž",
        ] {
            assert_eq!(Quoted(text).to_string(), format!("{text:?}"));
        }
    }
}
