//! How Python 2 prints strings: callers of the original know these forms, from exceptions and from the schema tool.

use std::fmt::Write;

/// A text as Python 2 prints a `unicode`: `u'\u017dlut\xe1'`.
#[must_use]
pub fn python_unicode(text: &str) -> String {
    let quote = quote(text.contains('\''), text.contains('"'));
    let mut printed = format!("u{quote}");
    for c in text.chars() {
        push(&mut printed, c, quote);
    }
    printed.push(quote);
    printed
}

/// Bytes as Python 2 prints a `str`: `'\xc5\xbdlut\xc3\xa1'`.
#[must_use]
pub fn python_str(bytes: &[u8]) -> String {
    let quote = quote(bytes.contains(&b'\''), bytes.contains(&b'"'));
    let mut printed = String::from(quote);
    for byte in bytes {
        push(&mut printed, char::from(*byte), quote);
    }
    printed.push(quote);
    printed
}

fn quote(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn push(printed: &mut String, c: char, quote: char) {
    match c {
        '\\' => printed.push_str("\\\\"),
        '\n' => printed.push_str("\\n"),
        '\r' => printed.push_str("\\r"),
        '\t' => printed.push_str("\\t"),
        c if c == quote => printed.extend(['\\', c]),
        ' '..='~' => printed.push(c),
        c => {
            // writing to a String cannot fail
            let _ = match u32::from(c) {
                code @ ..=0xff => write!(printed, "\\x{code:02x}"),
                code @ ..=0xffff => write!(printed, "\\u{code:04x}"),
                code => write!(printed, "\\U{code:08x}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_quoted_and_escaped() {
        assert_eq!(python_str(b"a=b"), "'a=b'");
        assert_eq!(python_str(b"it's"), "\"it's\"");
        assert_eq!(python_str(b"'\""), "'\\'\"'");
        assert_eq!(python_str(b"\\\n\x00\xff"), r"'\\\n\x00\xff'");
    }

    #[test]
    fn texts_are_quoted_and_escaped() {
        assert_eq!(python_unicode("it's"), "u\"it's\"");
        assert_eq!(
            python_unicode("č é 😀 \u{7f}"),
            r"u'\u010d \xe9 \U0001f600 \x7f'"
        );
        assert_eq!(python_unicode("'\"\r\n\t𝄞"), "u'\\'\"\\r\\n\\t\\U0001d11e'");
    }
}
