//! XML: one `<root>` somewhere, and below it `<item key="K">V</item>`.
//!
//! Well-formed text is read by an XML parser; anything else by a scanner that only looks for tags. Both give the same
//! [`Event`]s. A document type is refused: it could define entities that grow.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Xml};

use super::error::DecodeError;
use super::event::Event;
use super::node::{DEEPEST, Pairs};
use super::tolerant;

const NO_DTD: DecodeError = DecodeError::Xml("a document type (DTD) is not read");

pub(super) fn decode(text: &str) -> Result<Pairs, DecodeError> {
    let events = match well_formed(text)? {
        Some(events) => events,
        None => tolerant::scan(text),
    };
    interpret(events)
}

/// None: the text is not well-formed.
fn well_formed(text: &str) -> Result<Option<Vec<Event>>, DecodeError> {
    let mut reader = Reader::from_str(text);
    let mut events = Vec::new();
    let mut open = 0_usize;
    loop {
        let Ok(event) = reader.read_event() else {
            return refuse_doctype(text);
        };
        match event {
            Xml::Start(start) => {
                let Some(event) = opened(&start) else {
                    return refuse_doctype(text);
                };
                events.push(event);
                open += 1;
            }
            Xml::Empty(start) => {
                let Some(event) = opened(&start) else {
                    return refuse_doctype(text);
                };
                events.push(event);
                events.push(Event::End(name(&start)));
            }
            Xml::End(end) => {
                let name = end.name().as_ref().to_lowercase();
                events.push(Event::End(name));
                open = open.saturating_sub(1);
            }
            Xml::Text(text) => events.push(Event::Text(text.to_string())),
            Xml::CData(text) => events.push(Event::Text(text.to_string())),
            Xml::GeneralRef(reference) => match tolerant::entity(&reference) {
                Some(c) => events.push(Event::Text(c.to_string())),
                None => return refuse_doctype(text),
            },
            Xml::DocType(_) => return Err(NO_DTD),
            Xml::Eof if open == 0 => return Ok(Some(events)),
            Xml::Eof => return refuse_doctype(text),
            Xml::Comment(_) | Xml::PI(_) | Xml::Decl(_) => {}
        }
    }
}

/// For text that is not well-formed, so that no document type slips through before or after the error.
fn refuse_doctype(text: &str) -> Result<Option<Vec<Event>>, DecodeError> {
    let is_there = text.match_indices("<!").any(|(at, _)| {
        text.as_bytes()[at + 2..]
            .get(..7)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"DOCTYPE"))
    });
    match is_there {
        true => Err(NO_DTD),
        false => Ok(None),
    }
}

fn name(start: &BytesStart<'_>) -> String {
    start.name().as_ref().to_lowercase()
}

/// None: it has attributes that are not well-formed.
fn opened(start: &BytesStart<'_>) -> Option<Event> {
    let mut key = None;
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        if attribute.key.as_ref().eq_ignore_ascii_case("key") && key.is_none() {
            key = Some(tolerant::unescape(&attribute.value));
        }
    }
    Some(Event::Start(name(start), key, format!("<{}>", &**start)))
}

fn interpret(events: Vec<Event>) -> Result<Pairs, DecodeError> {
    let roots = |event: &&Event| matches!(event, Event::Start(name, ..) if name == "root");
    match events.iter().filter(roots).count() {
        0 => return Err(DecodeError::NoRoot),
        1 => {}
        _ => return Err(DecodeError::ManyRoots),
    }
    let mut pairs = Vec::new();
    // of open elements: the name, and of items which pair is theirs
    let mut open: Vec<(String, Option<usize>)> = Vec::new();
    let mut in_root = false;
    for event in events {
        match event {
            Event::Start(name, key, tag) => {
                in_root |= name == "root";
                let is_item = in_root && name == "item";
                if is_item {
                    pairs.push((key.ok_or(DecodeError::NoKey(tag))?, String::new()));
                }
                if open.len() >= DEEPEST {
                    return Err(DecodeError::Xml("nested deeper than 32 levels"));
                }
                open.push((name, is_item.then(|| pairs.len() - 1)));
            }
            Event::Text(text) => {
                let item = open.iter().rev().find_map(|(_, item)| *item);
                if let Some((_, value)) = item.and_then(|item| pairs.get_mut(item)) {
                    value.push_str(&text);
                }
            }
            // one that was never opened closes nothing
            Event::End(name) => {
                if let Some(at) = open.iter().rposition(|(one, _)| *one == name) {
                    in_root &= !open[at..].iter().any(|(one, _)| one == "root");
                    open.truncate(at);
                }
            }
        }
    }
    if pairs.is_empty() {
        return Err(DecodeError::NoItems);
    }
    for (_, value) in &mut pairs {
        *value = value.trim().to_owned();
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use crate::decode::tests::{error, pairs, texts};

    #[test]
    fn items_in_a_root() {
        let expected = texts(&[("ISBN knihy", "80-86056-31-7"), ("Název", "A & B <c>")]);
        for text in [
            "<?xml version=\"1.0\"?>\n<root>\n <item key=\"ISBN knihy\"> 80-86056-31-7 </item><item key='Název'>A &amp; B &#60;c&gt;</item>\n</root>",
            "<data><ROOT><x><Item KEY=\"ISBN knihy\">80-86056-31-7</Item></x><item a=\"1\" key=\"Název\"><![CDATA[A & B <c>]]><!-- no --></item></ROOT></data>",
            // not well-formed
            "<root><item key=\"ISBN knihy\": >80-86056-31-7</item><item key=\"Název\": >A &amp; B &lt;c&gt;</item></root>",
            "<root><item key=\"ISBN knihy\">80-86056-31-7</item><item key=Název>A & B &lt;c&gt;<!-- no --></item>",
            "<root><item key='ISBN knihy'>80-86056-31-7</b></item><item key='Název'><![CDATA[A & B <c>]]></item>",
        ] {
            assert_eq!(pairs("x.xml", text), expected, "{text}");
        }
        assert_eq!(
            pairs("x.xml", "<root><item key='a'/><item key='b'></item></root>"),
            texts(&[("a", ""), ("b", "")])
        );
    }

    #[test]
    fn what_is_no_metadata() {
        for (text, expected) in [
            ("", "All elements have to be inside <root>."),
            ("jen text", "All elements have to be inside <root>."),
            (
                "<item key='a'>b</item>",
                "All elements have to be inside <root>.",
            ),
            (
                "<x><root/><root/></x>",
                "Too many <root> elements in your XML!",
            ),
            (
                "<root><root><item key='a'>b</item></root></root>",
                "Too many <root> elements in your XML!",
            ),
            ("<root>x</root>", "There are no <items> in your XML <root>!"),
            (
                "<x><item key='a'>b</item><root></root></x>",
                "There are no <items> in your XML <root>!",
            ),
            (
                "<root><item k='a'>b</item></root>",
                "There is no 'key' parameter in <item k='a'>.",
            ),
            (
                "<root><item k='a': >b</item>",
                "There is no 'key' parameter in <item k='a': >.",
            ),
        ] {
            assert_eq!(error("x.xml", text), expected, "{text}");
        }
    }

    /// Bombs: entities, outside references, depth.
    #[test]
    fn hostile_texts() {
        let dtd = "Can't parse your XML data: a document type (DTD) is not read";
        for text in [
            "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><root><item key='k'>&b;</item></root>",
            "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><root><item key='k'>&x;</item></root>",
            "<root><item key='k': ><!doctype x></item></root>",
        ] {
            assert_eq!(error("x.xml", text), dtd, "{text}");
        }
        let unknown = pairs("x.xml", "<root><item key='k'>&xxe; &#x41;</item></root>");
        assert_eq!(unknown, texts(&[("k", "&xxe; A")]));
        let deep = format!("<root>{}", "<a>".repeat(100_000));
        assert_eq!(
            error("x.xml", &deep),
            "Can't parse your XML data: nested deeper than 32 levels"
        );
    }
}
