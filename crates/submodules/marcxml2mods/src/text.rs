//! Cleaning of catalogue texts, whose values end with the punctuation of the printed card.

/// Drops closing punctuation, repeatedly.
pub(crate) fn chop(text: &str) -> &str {
    text.trim_end_matches(['.', ':', ',', ';', '/', ' '])
}

/// The same, but a full stop stays: it may belong to initials.
pub(crate) fn chop_but_stop(text: &str) -> &str {
    text.trim_end_matches([':', ',', ';', '/', ' '])
}

/// Drops opening punctuation, and a bracket.
pub(crate) fn chop_front(text: &str) -> &str {
    text.trim_start_matches(['.', ':', ',', ';', '/', '[', ' '])
}

/// Collapses white space and strips it from the ends, as XPath's `normalize-space` does.
pub(crate) fn squeeze(text: &str) -> String {
    let words = text.split([' ', '\t', '\r', '\n']);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Whether there is nothing but white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.trim_matches([' ', '\t', '\r', '\n']).is_empty()
}

/// Strips ASCII white space.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

/// The text after the first `mark`; nothing if there is none.
pub(crate) fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

/// The text cut after so many characters.
pub(crate) fn split_characters(text: &str, count: usize) -> (&str, &str) {
    let at = text
        .char_indices()
        .nth(count)
        .map_or(text.len(), |(i, _)| i);
    text.split_at(at)
}

/// The text in pieces of three characters, the last of which may be shorter: codes of languages written together.
pub(crate) fn threes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, more) = split_characters(rest, 3);
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Whether XML 1.0 allows the character.
pub(crate) fn is_xml_character(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation() {
        assert_eq!(chop("Brno : ; / ,."), "Brno");
        assert_eq!(chop(" . "), "");
        assert_eq!(chop("50 %!"), "50 %!");
        assert_eq!(chop_but_stop("Raymond, Eric S., "), "Raymond, Eric S.");
        assert_eq!(chop_front("[; Praha]"), "Praha]");
        assert_eq!(squeeze(" a \t\r\n b\u{a0} "), "a b\u{a0}");
        assert_eq!(after("(OCoLC)1(OCoLC)2", "(OCoLC)"), "1(OCoLC)2");
        assert_eq!(threes("čzeenga").collect::<Vec<_>>(), ["čze", "eng", "a"]);
    }
}
