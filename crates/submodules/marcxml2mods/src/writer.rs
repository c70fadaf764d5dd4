//! The tree as XML text: two blanks a level, one element a line, an element with text on one line.

use crate::tree::{Element, Shape};

/// The whole document.
pub(crate) fn document(root: &Element) -> String {
    let mut writer = Writer {
        text: String::with_capacity(8 * 1024),
        carried: 0,
    };
    writer
        .text
        .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n");
    writer.element(root, 0);
    writer.text
}

struct Writer {
    text: String,
    /// Blanks that an element before has left for the next line.
    carried: usize,
}

impl Writer {
    fn element(&mut self, element: &Element, depth: usize) {
        self.carried += element.layout.before;
        self.indent(depth);
        self.text.push_str("<mods:");
        self.text.push_str(element.name);
        for (name, value) in &element.attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape_attribute(&mut self.text, value);
            self.text.push('"');
        }
        match element.layout.shape {
            Shape::Open(blanks) if element.is_empty() => {
                self.text.push_str(">\n");
                self.blanks(blanks);
                self.end(element);
            }
            Shape::Beheaded => {
                self.empty_end(element);
                self.children(element, depth);
            }
            _ if !element.children.is_empty() => {
                self.text.push_str(">\n");
                self.children(element, depth);
                self.indent(depth);
                self.end(element);
            }
            _ if element.text.is_empty() => self.empty_end(element),
            _ if is_blank(&element.text) => {
                self.text.push_str(">\n");
                self.indent(depth);
                self.end(element);
            }
            _ => {
                self.text.push('>');
                escape(&mut self.text, &element.text);
                self.end(element);
            }
        }
        self.carried += element.layout.after;
    }

    fn children(&mut self, element: &Element, depth: usize) {
        for child in &element.children {
            self.element(child, depth + 1);
        }
    }

    fn indent(&mut self, depth: usize) {
        let carried = std::mem::take(&mut self.carried);
        self.blanks(carried + 2 * depth);
    }

    fn blanks(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    fn end(&mut self, element: &Element) {
        self.text.push_str("</mods:");
        self.text.push_str(element.name);
        self.text.push_str(">\n");
    }

    fn empty_end(&mut self, element: &Element) {
        if !element.attributes.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str("/>\n");
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c'))
}

/// Writes a text between tags: what means something to XML, or what a reader of XML would change, as references.
pub(crate) fn escape(to: &mut String, text: &str) {
    push_escaped(to, text, false);
}

/// Writes an attribute's value.
pub(crate) fn escape_attribute(to: &mut String, text: &str) {
    push_escaped(to, text, true);
}

fn push_escaped(to: &mut String, text: &str, attribute: bool) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '\r', '"', '\t', '\n']) {
        let (plain, special) = rest.split_at(at);
        to.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('&') => to.push_str("&amp;"),
            Some('<') => to.push_str("&lt;"),
            Some('>') => to.push_str("&gt;"),
            Some('\r') => to.push_str("&#13;"),
            Some('"') if attribute => to.push_str("&quot;"),
            Some('\t') if attribute => to.push_str("&#9;"),
            Some('\n') if attribute => to.push_str("&#10;"),
            other => to.extend(other),
        }
        rest = characters.as_str();
    }
    to.push_str(rest);
}

/// How many bytes a text takes when it is written between tags.
pub(crate) fn written_length(text: &str) -> usize {
    let mut written = String::new();
    escape(&mut written, text);
    written.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(element: Element) -> String {
        let text = document(&Element::new("mods").holding([element]));
        let text = text.split_once("<mods:mods>\n").unwrap().1;
        text.strip_suffix("</mods:mods>\n").unwrap().to_owned()
    }

    #[test]
    fn texts_attributes_and_empty_elements() {
        assert_eq!(
            body(Element::leaf("note", "a & b < c > \"d\"\r\n\te ě")),
            "  <mods:note>a &amp; b &lt; c &gt; \"d\"&#13;\n\te ě</mods:note>\n"
        );
        assert_eq!(
            body(Element::new("url").with("note", "\"&<>\t\r\nž")),
            "  <mods:url note=\"&quot;&amp;&lt;&gt;&#9;&#13;&#10;ž\" />\n"
        );
        assert_eq!(body(Element::new("note")), "  <mods:note/>\n");
        assert_eq!(
            body(Element::leaf("note", " \n ")),
            "  <mods:note>\n  </mods:note>\n"
        );
        assert_eq!(
            body(Element::leaf("note", "\u{a0}")),
            "  <mods:note>\u{a0}</mods:note>\n"
        );
    }
}
