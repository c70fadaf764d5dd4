//! A record of either dialect as MARCXML, the form that tools for MARC read.

use edeposit_marc::Record;

use crate::ConversionError;
use crate::source::Source;
use crate::writer::{escape, escape_attribute};

const HEAD: &str = "<record xmlns=\"http://www.loc.gov/MARC21/slim\"\n\
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
    xsi:schemaLocation=\"http://www.loc.gov/MARC21/slim\n\
    http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd\">\n";

/// Writes the first record of a document as MARCXML: leader, control fields whose ids are numbers, data fields, one
/// element a line. Ids and codes are sorted, those that begin with a letter before those with a digit. The namespace is
/// the official one; the original's had a slash too much at its end.
///
/// # Errors
/// The text holds no record, or a broken one.
pub fn oai_to_marcxml(xml: &str) -> Result<String, ConversionError> {
    let record = Record::from_xml(xml)?;
    // indicators as they are
    let source = Source::new(&record, true)?;
    let mut text = String::from(HEAD);
    if let Some(leader) = &record.leader {
        element(&mut text, "leader", &[], leader);
    }
    let mut controls: Vec<_> = record
        .controlfields
        .iter()
        .filter(|(id, _)| id.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    controls.sort();
    for (id, value) in controls {
        element(&mut text, "controlfield", &[("tag", id)], value);
    }
    for field in &source.fields {
        let (ind1, ind2) = (field.i1.character, field.i2.character);
        let (ind1, ind2) = (ind1.to_string(), ind2.to_string());
        let attributes = [("tag", field.tag), ("ind1", &ind1), ("ind2", &ind2)];
        start(&mut text, "datafield", &attributes);
        text.push('\n');
        for (code, value) in &field.subfields {
            element(&mut text, "subfield", &[("code", &code.to_string())], value);
        }
        text.push_str("</datafield>\n");
    }
    text.push_str("</record>\n");
    Ok(text)
}

fn start(to: &mut String, name: &str, attributes: &[(&str, &str)]) {
    to.push('<');
    to.push_str(name);
    for (name, value) in attributes {
        to.push(' ');
        to.push_str(name);
        to.push_str("=\"");
        escape_attribute(to, value);
        to.push('"');
    }
    to.push('>');
}

fn element(to: &mut String, name: &str, attributes: &[(&str, &str)], text: &str) {
    start(to, name, attributes);
    escape(to, text);
    to.push_str("</");
    to.push_str(name);
    to.push_str(">\n");
}
