//! Names and values from files, made fit for one line of a log or terminal.

use std::borrow::Cow;

/// Characters of a name or value that are shown.
const LONGEST: usize = 200;

/// The text without control characters, and cut if it is very long.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    let head = &text[..end.unwrap_or(text.len())];
    if end.is_none() && !head.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in head.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    if end.is_some() {
        shown.push_str("...");
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_and_lengths() {
        assert_eq!(printable("čeština 'x'"), "čeština 'x'");
        assert_eq!(printable("a\n\u{1b}[2J"), "a\\n\\u{1b}[2J");
        let long = printable(&"ž".repeat(300)).into_owned();
        assert_eq!(long, format!("{}...", "ž".repeat(200)));
    }
}
