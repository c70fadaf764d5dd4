//! `language`: of the text, the summary, the original.

use crate::source::Source;
use crate::text::{squeeze, threes};
use crate::tree::Element;

use super::codes::{Codes, meaning};

const LIST: &str = "iso639-2b";

/// What a subfield of 041 is about; `$a` is about the text itself.
const PARTS: Codes = &[
    ("b", "summary or subtitle"),
    ("d", "sung or spoken text"),
    ("e", "libretto"),
    ("f", "table of contents"),
    ("g", "accompanying material"),
    ("h", "translation"),
];

/// An element for a code of a list.
pub(crate) fn term(code: &str) -> Element {
    Element::leaf("languageTerm", code)
        .with("authority", LIST)
        .with("type", "code")
}

/// The language of 008, then those of 041.
pub(super) fn languages(source: &Source<'_>, to: &mut Vec<Element>) {
    let code = source.c008_range(35, 37);
    let used = squeeze(&code.replace(['|', '#', '-'], ""));
    let is_code = code.chars().count() == 3 && code.chars().all(|c| c.is_ascii_alphabetic());
    if !used.is_empty() && (source.compat || is_code) {
        to.push(Element::new("language").holding([term(&code)]));
    }
    for field in source.fields("041") {
        let whole = field.values('2').any(|list| list == "rfc3066");
        for (code, value) in &field.subfields {
            if !"abdefgh".contains(*code) {
                continue;
            }
            let mut push = |term: Element| {
                let mut language = Element::new("language").holding([term]);
                if let Some(part) = meaning(PARTS, Some(*code)) {
                    language.set("objectPart", part);
                }
                to.push(language);
            };
            if whole {
                if !value.is_empty() && *value != used && *value != "rfc3066" {
                    let mut other = term(value);
                    other.set("authority", "rfc3066");
                    push(other);
                }
                continue;
            }
            let mut seen = used.clone();
            for piece in threes(value) {
                if !seen.contains(piece) {
                    push(term(piece));
                }
                seen.push_str(piece);
            }
        }
    }
}
