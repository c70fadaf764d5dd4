//! Replies of the X-Server that are no records: a root element and texts below it.

use edeposit_marc::xml::{characters, excerpt};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::AlephError;

/// The elements that are read; the others are passed over.
const KEPT: [&str; 5] = [
    "error",
    "set_number",
    "no_records",
    "no_entries",
    "doc-number",
];

/// How deep a reply may nest, and how many elements of it are kept. A good one has two levels, and a number for each
/// record that was asked for.
pub(super) const MAX_DEPTH: usize = 16;
const MAX_KEPT: usize = 100_000;

/// How many characters of the catalogue's own words are passed on, and of a parser's about them.
const WORDS: usize = 500;
const REASON: usize = 150;

/// A reply, taken apart.
#[derive(Debug)]
pub(super) struct Reply {
    operation: &'static str,
    /// Name of the root element.
    pub root: String,
    /// The root's children that are [`KEPT`] with their texts, in order.
    children: Vec<(&'static str, String)>,
}

impl Reply {
    /// Takes a reply apart. Deeper elements are not looked at; no X-Server sends any in these replies.
    ///
    /// # Errors
    /// [`AlephError::Reply`] if it is no XML, breaks off, has a document type, unknown entities or far too many elements.
    pub fn parse(operation: &'static str, xml: &str) -> Result<Self, AlephError> {
        let mut reply = Self {
            operation,
            root: String::new(),
            children: Vec::new(),
        };
        let mut reader = Reader::from_str(xml);
        reader.config_mut().expand_empty_elements = true;
        let mut depth = 0_usize;
        let mut kept = false;
        loop {
            let event = reader.read_event();
            let event = event.map_err(|error| reply.unreadable(&error.to_string()))?;
            if let Some(more) = characters(&event).map_err(|reason| reply.unreadable(&reason))? {
                if depth == 2
                    && kept
                    && let Some((_, text)) = reply.children.last_mut()
                {
                    text.push_str(&more);
                }
                continue;
            }
            match event {
                Event::Start(element) => {
                    depth += 1;
                    let local_name = element.local_name();
                    let name = local_name.as_ref();
                    if depth == 1 {
                        name.clone_into(&mut reply.root);
                    } else if depth == 2 {
                        let known = KEPT.into_iter().find(|known| *known == name);
                        reply
                            .children
                            .extend(known.map(|name| (name, String::new())));
                        kept = known.is_some();
                    }
                    if depth > MAX_DEPTH || reply.children.len() > MAX_KEPT {
                        return Err(reply.unreadable("it has too many elements"));
                    }
                }
                Event::End(_) => depth = depth.saturating_sub(1),
                Event::DocType(_) => {
                    return Err(reply.unreadable("it has a document type declaration"));
                }
                Event::Eof if depth > 0 => return Err(reply.unreadable("it breaks off")),
                Event::Eof => return Ok(reply),
                _ => {}
            }
        }
    }

    fn unreadable(&self, reason: &str) -> AlephError {
        AlephError::Reply {
            operation: self.operation,
            reason: excerpt(reason, REASON),
        }
    }

    /// What went wrong, in the catalogue's own words.
    pub fn error(&self) -> Option<String> {
        self.texts("error").next().map(words)
    }

    /// The texts of all children of that name.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let children = self
            .children
            .iter()
            .filter(move |(child, _)| *child == name);
        children.map(|(_, text)| text.trim())
    }

    /// The number in the first child of that name, zero-padded or not.
    pub fn number(&self, name: &str) -> Result<Option<u64>, AlephError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                self.unreadable(&format!("<{name}> is no number: {}", excerpt(text, 40)))
            })
        };
        self.texts(name).next().map(parse).transpose()
    }

    /// As [`number`](Self::number), for one that must not be missing.
    pub fn required_number(&self, name: &str) -> Result<u64, AlephError> {
        self.number(name)?
            .ok_or_else(|| self.unreadable(&format!("it has no <{name}>")))
    }
}

/// The `<error>` of a reply that was not taken apart, in the catalogue's own words.
pub(super) fn first_error(xml: &str) -> Option<String> {
    first_text(xml, "error").map(|text| words(&text))
}

fn words(error: &str) -> String {
    match error {
        "" => "Aleph reported an error without saying which.".to_owned(),
        error => excerpt(error, WORDS),
    }
}

/// The text of the first element of that name, wherever it is. Reads no further, so what follows may be anything.
pub(super) fn first_text(xml: &str, name: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut found: Option<String> = None;
    // elements that are open inside the one looked for
    let mut inside = 0_usize;
    loop {
        let event = reader.read_event().ok()?;
        match (&event, &mut found) {
            (Event::Eof, _) => return None,
            (Event::Start(element), None) if element.local_name().as_ref() == name => {
                found = Some(String::new());
            }
            (_, None) => {}
            (Event::Start(_), Some(_)) => inside += 1,
            (Event::End(_), Some(text)) if inside == 0 => return Some(text.trim().to_owned()),
            (Event::End(_), Some(_)) => inside -= 1,
            (event, Some(text)) => text.extend(characters(event).ok()?),
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
        assert_eq!(reply.number("session-id").unwrap(), None, "not kept");
        let reply = Reply::parse("find", "<find><no_records>x</no_records></find>").unwrap();
        assert!(reply.number("no_records").is_err());
        assert!(reply.required_number("set_number").is_err());
        let reply = Reply::parse("find", "<find><error>a &amp; b &#233;</error></find>").unwrap();
        assert_eq!(reply.error().as_deref(), Some("a & b é"));
    }

    #[test]
    fn junk_is_an_error() {
        for xml in [
            &FIND[..FIND.len() - 10],
            "<find><a></b></find>",
            "<!DOCTYPE find [<!ENTITY a 'b'>]><find/>",
            "<find><error>&a;</error></find>",
            &"<find>".repeat(100_000),
            &format!("<find>{}</find>", "<error/>".repeat(100_001)),
        ] {
            assert!(
                matches!(Reply::parse("find", xml), Err(AlephError::Reply { .. })),
                "{xml}"
            );
        }
    }

    /// Unknown elements cost nothing, however many there are.
    #[test]
    fn what_is_not_read_is_not_kept() {
        let junk = "<junk>x</junk><error><a>x</a></error>".repeat(50_000);
        let reply = Reply::parse("find", &format!("<find>{junk}</find>")).unwrap();
        assert_eq!(reply.children.len(), 50_000);
        assert!(reply.texts("error").all(str::is_empty));
    }

    #[test]
    fn words_of_the_catalogue_are_short_and_of_one_line() {
        let long = format!("<find><error>a\nb{}</error></find>", "x".repeat(100_000));
        let error = Reply::parse("find", &long).unwrap().error().unwrap();
        assert!(error.starts_with("a\\nbxxx"), "{error}");
        assert!(error.len() < 510, "{}", error.len());
        assert_eq!(first_error(&long), Some(error));
        let entity = format!("<find>&{};</find>", "x".repeat(100_000));
        let error = Reply::parse("find", &entity).unwrap_err().to_string();
        assert!(error.len() < 250, "{}", error.len());
        let empty = Reply::parse("find", "<find><error/></find>").unwrap();
        assert_eq!(empty.error(), first_error("<a><error></error></a>"));
        assert!(!empty.error().unwrap().is_empty());
    }

    #[test]
    fn the_first_text_wherever_it_is() {
        let xml =
            "<present><record><doc_number> 000001234 </doc_number><doc_number>2</doc_number></br>";
        assert_eq!(first_text(xml, "doc_number").as_deref(), Some("000001234"));
        assert_eq!(first_text("<present/>", "doc_number"), None);
        assert_eq!(
            first_text(
                "<a><error><![CDATA[a < b]]> &amp; c<br/>d</error></a>",
                "error"
            )
            .as_deref(),
            Some("a < b & cd")
        );
        assert_eq!(first_text("<a><error/>x</a>", "error").as_deref(), Some(""));
        assert_eq!(first_text("<doc_number>1", "doc_number"), None);
    }
}
