//! From XML to records.
//!
//! The document is read once from front to back. At any place at most three things are open: a record, a data field in
//! it, and a text being collected for the leader, a control field or a subfield. Each remembers the depth it was opened
//! at and is stored when the element at that depth ends.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::limits::within;
use crate::text::strip;
use crate::xml::{characters, excerpt};
use crate::{DataField, Dialect, Error, Limits, Record, Subfield};

/// How many characters of a parser's complaint, which quotes the document, are passed on.
const REASON: usize = 150;

/// All records of a document, read one after another. After an error nothing more comes.
///
/// A document without any record yields nothing; [`Record::from_xml`] makes an error of that.
#[derive(Debug)]
pub struct Records<'a> {
    reader: Reader<&'a [u8]>,
    limits: Limits,
    depth: usize,
    elements: usize,
    document_type: bool,
    found_any: bool,
    finished: bool,
    refused: Option<Error>,
}

impl Record {
    /// Reads the first record of a document in either dialect, within the default [`Limits`].
    ///
    /// Elements are known by their local names, whatever their prefix and namespace: Aleph itself writes the MARCXML
    /// namespace wrongly. Control and data fields without an id, and subfields without a one-character code, are
    /// skipped, as the original did.
    ///
    /// # Errors
    /// [`Error::NoRecord`] if there is no `record` element, whether the document is otherwise XML or not;
    /// [`Error::Malformed`] if the record breaks off or is not well-formed or names an unknown entity;
    /// [`Error::DocumentType`]; [`Error::Limit`].
    pub fn from_xml(xml: &str) -> Result<Self, Error> {
        Self::from_xml_within(xml, Limits::default())
    }

    /// The same within limits of one's own.
    ///
    /// # Errors
    /// As [`from_xml`](Self::from_xml).
    pub fn from_xml_within(xml: &str, limits: Limits) -> Result<Self, Error> {
        let mut records = Records::with_limits(xml, limits);
        match records.next() {
            Some(Err(Error::Malformed { .. })) if !records.found_any() => Err(Error::NoRecord),
            Some(result) => result,
            None => Err(Error::NoRecord),
        }
    }
}

impl<'a> Records<'a> {
    /// Reads `xml` within the default [`Limits`].
    #[must_use]
    pub fn new(xml: &'a str) -> Self {
        Self::with_limits(xml, Limits::default())
    }

    /// Reads `xml` within limits of one's own.
    #[must_use]
    pub fn with_limits(xml: &'a str, limits: Limits) -> Self {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().expand_empty_elements = true;
        let refused = (xml.len() > limits.bytes).then_some(Error::Limit {
            what: "bytes",
            limit: limits.bytes,
        });
        Self {
            reader,
            limits,
            depth: 0,
            elements: 0,
            document_type: false,
            found_any: false,
            finished: false,
            refused,
        }
    }

    /// Whether a `record` element has begun so far.
    pub(crate) fn found_any(&self) -> bool {
        self.found_any
    }

    fn read_record(&mut self) -> Result<Option<Record>, Error> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        let mut draft: Option<Draft> = None;
        loop {
            let event = self.reader.read_event();
            let event = event.map_err(|error| self.malformed(error))?;
            if let Some(draft) = &draft {
                let size = self.offset().saturating_sub(draft.begin);
                within(size, self.limits.record, "bytes in a record")?;
            }
            if let Some(text) = characters(&event).map_err(|reason| self.malformed(reason))? {
                let size = Draft::push(&mut draft, &text);
                within(size, self.limits.value, "bytes in a value")?;
                continue;
            }
            match event {
                Event::Start(element) => {
                    self.enter()?;
                    self.start(&element, &mut draft)?;
                }
                Event::End(_) => {
                    if let Some(record) = Draft::end(&mut draft, self.depth) {
                        self.depth -= 1;
                        return Ok(Some(record));
                    }
                    self.depth = self.depth.saturating_sub(1);
                }
                // kept in mind only: a web page has one too, and "no record" says more about that
                Event::DocType(_) => self.document_type = true,
                Event::Eof if draft.is_some() => {
                    return Err(self.malformed("the document ends inside a record"));
                }
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        self.elements += 1;
        within(self.depth, self.limits.depth, "levels of elements")?;
        within(self.elements, self.limits.elements, "elements")
    }

    fn start(&mut self, element: &BytesStart<'_>, draft: &mut Option<Draft>) -> Result<(), Error> {
        let depth = self.depth;
        let local_name = element.local_name();
        let name = local_name.as_ref();
        // a record directly around another one is a wrapper, as SRU replies have it
        if name == "record" && draft.as_ref().is_none_or(Draft::is_blank) {
            self.found_any = true;
            if self.document_type {
                return Err(Error::DocumentType);
            }
            *draft = Some(Draft::new(depth, self.offset()));
            return Ok(());
        }
        let Some(draft) = draft else { return Ok(()) };
        match name {
            "oai_marc" => draft.record.dialect = Dialect::OaiMarc,
            "leader" if draft.record.leader.is_none() => draft.open_text(Target::Leader, depth),
            "controlfield" | "fixfield" => {
                let id_name = if name == "fixfield" { "id" } else { "tag" };
                if let [Some(id)] = self.attributes(element, [id_name])? {
                    draft.open_text(Target::Control(id), depth);
                }
            }
            "datafield" | "varfield" => {
                let names = match name {
                    "varfield" => ["id", "i1", "i2"],
                    _ => ["tag", "ind1", "ind2"],
                };
                if let [Some(id), ind1, ind2] = self.attributes(element, names)? {
                    draft.open_field(id, indicator(ind1), indicator(ind2), depth);
                }
            }
            "subfield" if draft.field.is_some() => {
                let count = draft
                    .field
                    .as_ref()
                    .map_or(0, |(_, f, _)| f.subfields.len());
                within(count + 1, self.limits.subfields, "subfields in a field")?;
                let [code, label] = self.attributes(element, ["code", "label"])?;
                let code = code.or(label).unwrap_or_default();
                let mut characters = code.chars();
                if let (Some(code), None) = (characters.next(), characters.next()) {
                    draft.open_text(Target::Subfield(code), depth);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The values of the named attributes; none for an attribute that is missing or empty.
    fn attributes<const N: usize>(
        &self,
        element: &BytesStart<'_>,
        names: [&str; N],
    ) -> Result<[Option<String>; N], Error> {
        let mut values = [const { None }; N];
        // an attribute given twice does no harm, its last value counts; so no time and memory goes into looking for such
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.malformed(error))?;
            let Some(index) = names.iter().position(|n| *n == attribute.key.as_ref()) else {
                continue;
            };
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.malformed(error))?;
            if !value.is_empty() {
                values[index] = Some(value.into_owned());
            }
        }
        Ok(values)
    }

    fn offset(&self) -> usize {
        // it is a place in a slice
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn malformed(&self, reason: impl ToString) -> Error {
        Error::Malformed {
            position: self.reader.buffer_position(),
            reason: excerpt(&reason.to_string(), REASON),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let result = self.read_record().transpose();
        self.finished = !matches!(result, Some(Ok(_)));
        result
    }
}

fn indicator(value: Option<String>) -> char {
    value.and_then(|text| text.chars().next()).unwrap_or(' ')
}

/// Where a text goes when its element ends.
#[derive(Debug)]
enum Target {
    Leader,
    Control(String),
    Subfield(char),
}

/// A record of which the end has not been read yet.
#[derive(Debug)]
struct Draft {
    record: Record,
    depth: usize,
    /// Where in the document it begins.
    begin: usize,
    /// The control field `LDR` with the blanks at its ends.
    ldr: Option<String>,
    field: Option<(String, DataField, usize)>,
    text: Option<(Target, String, usize)>,
}

impl Draft {
    fn new(depth: usize, begin: usize) -> Self {
        Self {
            record: Record::default(),
            depth,
            begin,
            ldr: None,
            field: None,
            text: None,
        }
    }

    fn is_blank(&self) -> bool {
        self.record == Record::default() && self.field.is_none() && self.text.is_none()
    }

    fn open_text(&mut self, target: Target, depth: usize) {
        if self.text.is_none() {
            self.text = Some((target, String::new(), depth));
        }
    }

    fn open_field(&mut self, id: String, ind1: char, ind2: char, depth: usize) {
        if self.field.is_none() && self.text.is_none() {
            let subfields = Vec::new();
            let field = DataField {
                ind1,
                ind2,
                subfields,
            };
            self.field = Some((id, field, depth));
        }
    }

    /// Adds to the text that is open, if any; gives its size in bytes.
    fn push(draft: &mut Option<Self>, more: &str) -> usize {
        let text = draft.as_mut().and_then(|draft| draft.text.as_mut());
        text.map_or(0, |(_, text, _)| {
            text.push_str(more);
            text.len()
        })
    }

    /// Stores what the element ending at `depth` had opened; gives the record if that was the record itself.
    fn end(draft: &mut Option<Self>, depth: usize) -> Option<Record> {
        let open = draft.as_mut()?;
        if let Some((target, text, _)) = open.text.take_if(|(_, _, at)| *at == depth) {
            open.store_text(target, text);
        } else if let Some((id, field, _)) = open.field.take_if(|(_, _, at)| *at == depth) {
            open.record.datafields.entry(id).or_default().push(field);
        } else if open.depth == depth {
            return draft.take().map(Self::finish);
        }
        None
    }

    fn store_text(&mut self, target: Target, text: String) {
        match target {
            // only a trailing line end goes: blanks mean something in a leader
            Target::Leader => {
                self.record.leader = Some(text.trim_end_matches(['\r', '\n']).to_owned());
            }
            Target::Control(id) => {
                if id == "LDR" {
                    self.ldr = Some(text.trim_matches(['\r', '\n']).to_owned());
                }
                self.record
                    .controlfields
                    .insert(id, strip(&text).to_owned());
            }
            Target::Subfield(code) => {
                if let Some((_, field, _)) = self.field.as_mut() {
                    let value = strip(&text).to_owned();
                    field.subfields.push(Subfield { code, value });
                }
            }
        }
    }

    fn finish(mut self) -> Record {
        if self.record.dialect == Dialect::OaiMarc {
            self.record.leader = self.ldr;
        }
        self.record
    }
}
