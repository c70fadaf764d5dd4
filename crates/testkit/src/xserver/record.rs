//! One record of the catalogue: the OAI MARC text as it was given, and what the indexes need of it.

use anyhow::{Context, Result, bail};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// A record under its document number.
#[derive(Clone, Debug)]
pub struct Record {
    /// Document number: nine digits.
    pub doc_number: String,
    /// The lines between `<oai_marc>` and `</oai_marc>`, as they were given.
    pub(super) fields: String,
    pub(super) fixfields: Vec<FixField>,
    pub(super) varfields: Vec<VarField>,
}

/// A control field, or the leader (`LDR`).
#[derive(Clone, Debug)]
pub(super) struct FixField {
    pub(super) id: String,
    pub(super) text: String,
}

/// A data field.
#[derive(Clone, Debug)]
pub(super) struct VarField {
    pub(super) id: String,
    pub(super) i1: String,
    pub(super) i2: String,
    /// Label and text, in the record's order.
    pub(super) subfields: Vec<(String, String)>,
}

impl Record {
    /// Reads a record from text that has an `<oai_marc>` element somewhere; what is around it is ignored.
    pub fn parse(doc_number: u32, xml: &str) -> Result<Record> {
        let start = xml
            .find("<oai_marc")
            .and_then(|tag| Some(tag + xml[tag..].find('>')? + 1))
            .context("the record has no <oai_marc>")?;
        let end = xml.find("</oai_marc>").context("<oai_marc> has no end")?;
        let fields = xml
            .get(start..end)
            .context("<oai_marc> ends before it begins")?
            .trim()
            .to_owned();
        let mut record = Record {
            doc_number: format!("{doc_number:09}"),
            fixfields: Vec::new(),
            varfields: Vec::new(),
            fields,
        };
        record
            .read_fields()
            .with_context(|| format!("reading record {doc_number}"))?;
        Ok(record)
    }

    fn read_fields(&mut self) -> Result<()> {
        let fields = self.fields.clone();
        let mut reader = Reader::from_str(&fields);
        let mut text = String::new();
        loop {
            match reader.read_event()? {
                Event::Start(tag) => {
                    text.clear();
                    self.open(&tag)?;
                }
                Event::Text(chunk) => text += &chunk,
                Event::GeneralRef(reference) => {
                    match reference.resolve_char_ref()? {
                        Some(character) => text.push(character),
                        None => {
                            text +=
                                resolve_predefined_entity(&reference).context("unknown entity")?;
                        }
                    };
                }
                Event::End(tag) => self.close(tag.name().as_ref(), &text),
                Event::Eof => return Ok(()),
                Event::Comment(_) => {}
                other => bail!("a record has no {other:?}"),
            }
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        match tag.name().as_ref() {
            "fixfield" => self.fixfields.push(FixField {
                id: attribute(tag, "id")?,
                text: String::new(),
            }),
            "varfield" => self.varfields.push(VarField {
                id: attribute(tag, "id")?,
                i1: attribute(tag, "i1")?,
                i2: attribute(tag, "i2")?,
                subfields: Vec::new(),
            }),
            "subfield" => self
                .varfields
                .last_mut()
                .context("a subfield outside of a field")?
                .subfields
                .push((attribute(tag, "label")?, String::new())),
            other => bail!("unknown element {other}"),
        }
        Ok(())
    }

    fn close(&mut self, tag: &str, text: &str) {
        match tag {
            "fixfield" => {
                if let Some(field) = self.fixfields.last_mut() {
                    field.text = text.to_owned();
                }
            }
            "subfield" => {
                if let Some((_, value)) = self
                    .varfields
                    .last_mut()
                    .and_then(|field| field.subfields.last_mut())
                {
                    *value = text.to_owned();
                }
            }
            _ => {}
        }
    }

    /// Texts of all control fields with this id.
    pub(super) fn fixed(&self, id: &str) -> impl Iterator<Item = &str> {
        self.fixfields
            .iter()
            .filter(move |field| field.id == id)
            .map(|field| field.text.as_str())
    }

    /// Texts of these subfields of all fields with this id.
    pub(super) fn values(&self, id: &str, labels: &str) -> impl Iterator<Item = &str> {
        self.varfields
            .iter()
            .filter(move |field| field.id == id)
            .flat_map(|field| &field.subfields)
            .filter(move |(label, _)| labels.contains(label.as_str()))
            .map(|(_, text)| text.as_str())
    }

    /// Every text of the record.
    pub(super) fn all_texts(&self) -> impl Iterator<Item = &str> {
        let data = self.varfields.iter().flat_map(|field| &field.subfields);
        self.fixfields
            .iter()
            .map(|field| field.text.as_str())
            .chain(data.map(|(_, text)| text.as_str()))
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<String> {
    let found = tag
        .try_get_attribute(name)?
        .with_context(|| format!("a field has no attribute {name}"))?;
    Ok(found.value.into_owned())
}
