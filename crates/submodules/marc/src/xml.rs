//! What every reader of XML from the network needs: the text of an event, and a safe way to quote what somebody sent.

use std::borrow::Cow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// The text an event stands for: text, CDATA, or a reference to a character or to one of the five entities every XML has.
/// None for any other event.
///
/// # Errors
/// The reference is no character or names another entity; what is wrong with it.
pub fn characters<'a>(event: &Event<'a>) -> Result<Option<Cow<'a, str>>, String> {
    Ok(match event {
        Event::Text(text) => Some(text.xml10_content()),
        Event::CData(text) => Some(text.xml10_content()),
        Event::GeneralRef(reference) => {
            let character = reference
                .resolve_char_ref()
                .map_err(|error| error.to_string())?;
            Some(match character {
                Some(character) => character.to_string().into(),
                None => resolve_xml_entity(reference)
                    .ok_or_else(|| format!("unknown entity `&{};`", &**reference))?
                    .into(),
            })
        }
        _ => None,
    })
}

/// Makes a text fit for logs and error messages: at most `limit` characters of it, control characters escaped, so that it
/// neither floods a log nor forges a line of it.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut excerpt = String::new();
    for character in characters.by_ref().take(limit) {
        if character.is_control() {
            excerpt.extend(character.escape_default());
        } else {
            excerpt.push(character);
        }
    }
    if characters.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt("Přetíženo: \"x\"", 14), "Přetíženo: \"x\"");
        assert_eq!(excerpt("ěščř", 3), "ěšč…");
        assert_eq!(excerpt("a\nERROR\u{1b}[2J", 20), "a\\nERROR\\u{1b}[2J");
    }
}
