//! Replies of the X-Server that are no records: a root element and texts below it.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use crate::AlephError;

/// A reply, taken apart.
#[derive(Debug)]
pub(super) struct Reply {
    operation: &'static str,
    /// Name of the root element.
    pub root: String,
    /// The root's children with their texts, in order.
    children: Vec<(String, String)>,
}

impl Reply {
    /// Takes a reply apart. Deeper elements are not looked at; no X-Server sends any in these replies.
    ///
    /// # Errors
    /// [`AlephError::Reply`] if it is no XML, breaks off, has a document type or unknown entities.
    pub fn parse(operation: &'static str, xml: &str) -> Result<Self, AlephError> {
        let unreadable = |reason: String| AlephError::Reply { operation, reason };
        let mut reader = Reader::from_str(xml);
        reader.config_mut().expand_empty_elements = true;
        let mut reply = Self {
            operation,
            root: String::new(),
            children: Vec::new(),
        };
        let mut depth = 0_usize;
        loop {
            match reader
                .read_event()
                .map_err(|error| unreadable(error.to_string()))?
            {
                Event::Start(element) => {
                    depth += 1;
                    let name = element.local_name().as_ref().to_owned();
                    match depth {
                        1 => reply.root = name,
                        2 => reply.children.push((name, String::new())),
                        _ => {}
                    }
                }
                Event::End(_) => depth = depth.saturating_sub(1),
                Event::Text(text) => reply.push(depth, &text.xml10_content()),
                Event::CData(text) => reply.push(depth, &text.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(character)) => reply.push(depth, character.encode_utf8(&mut [0; 4])),
                    Ok(None) => match resolve_xml_entity(&reference) {
                        Some(text) => reply.push(depth, text),
                        None => {
                            return Err(unreadable(format!("unknown entity `&{};`", &*reference)));
                        }
                    },
                    Err(error) => return Err(unreadable(error.to_string())),
                },
                Event::DocType(_) => {
                    return Err(unreadable("it has a document type declaration".to_owned()));
                }
                Event::Eof if depth > 0 => return Err(unreadable("it breaks off".to_owned())),
                Event::Eof => return Ok(reply),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn push(&mut self, depth: usize, more: &str) {
        if depth == 2
            && let Some((_, text)) = self.children.last_mut()
        {
            text.push_str(more);
        }
    }

    /// The text of the first child of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// The texts of all children of that name.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let children = self.children.iter().filter(move |(child, _)| child == name);
        children.map(|(_, text)| text.trim())
    }

    /// The number in the first child of that name, zero-padded or not.
    pub fn number(&self, name: &str) -> Result<Option<u64>, AlephError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| AlephError::Reply {
                operation: self.operation,
                reason: format!("<{name}> is no number: {text:.40}"),
            })
        };
        self.text(name).map(parse).transpose()
    }
}

/// The text of the first element of that name, wherever it is. Reads no further, so what follows may be anything.
pub(super) fn first_text(xml: &str, name: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    let mut found: Option<String> = None;
    loop {
        match (reader.read_event().ok()?, found.as_mut()) {
            (Event::Start(element), None) if element.local_name().as_ref() == name => {
                found = Some(String::new());
            }
            (Event::Text(text), Some(found)) => found.push_str(&text.xml10_content()),
            (Event::GeneralRef(reference), Some(found)) => {
                match reference.resolve_char_ref().ok()? {
                    Some(character) => found.push(character),
                    None => found.push_str(resolve_xml_entity(&reference)?),
                }
            }
            (Event::End(_), Some(_)) => return found.map(|text| text.trim().to_owned()),
            (Event::Eof, _) => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIND: &str = "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<find>\n<set_number>016513</set_number>\n\
        <no_records>000004998</no_records>\n<session-id>A</session-id>\n</find>\n";

    #[test]
    fn numbers_and_texts() {
        let reply = Reply::parse("find", FIND).unwrap();
        assert_eq!(reply.root, "find");
        assert_eq!(reply.number("set_number").unwrap(), Some(16513));
        assert_eq!(reply.number("no_records").unwrap(), Some(4998));
        assert_eq!(reply.number("no_entries").unwrap(), None);
        assert!(reply.number("session-id").is_err());
        let reply = Reply::parse("find", "<find><error>a &amp; b &#233;</error></find>").unwrap();
        assert_eq!(reply.text("error"), Some("a & b é"));
    }

    #[test]
    fn junk_is_an_error() {
        for xml in [
            &FIND[..FIND.len() - 10],
            "<find><a></b></find>",
            "<!DOCTYPE find [<!ENTITY a 'b'>]><find/>",
            "<find><error>&a;</error></find>",
        ] {
            assert!(
                matches!(Reply::parse("find", xml), Err(AlephError::Reply { .. })),
                "{xml}"
            );
        }
    }

    #[test]
    fn the_first_text_wherever_it_is() {
        let xml =
            "<present><record><doc_number> 000001234 </doc_number><doc_number>2</doc_number></br>";
        assert_eq!(first_text(xml, "doc_number").as_deref(), Some("000001234"));
        assert_eq!(first_text("<present/>", "doc_number"), None);
        assert_eq!(first_text("<doc_number>1", "doc_number"), None);
    }
}
