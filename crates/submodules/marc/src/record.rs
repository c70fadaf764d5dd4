//! The record as it was catalogued: nothing interpreted, nothing reordered.

use indexmap::IndexMap;

/// The XML dialect a record was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// MARCXML, known as "MARC 21 slim": `leader`, `controlfield tag`, `datafield tag ind1 ind2`, `subfield code`.
    #[default]
    MarcXml,
    /// OAI MARC, Aleph's own: `fixfield id`, `varfield id i1 i2`, `subfield label`, all inside an `oai_marc` element.
    OaiMarc,
}

/// One coded value of a data field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subfield {
    /// The code, `a` in `245 $a`.
    pub code: char,
    /// The text without white space around it, entities decoded.
    pub value: String,
}

/// One occurrence of a data field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataField {
    /// First indicator; a blank if the document gave none.
    pub ind1: char,
    /// Second indicator; a blank if the document gave none.
    pub ind2: char,
    /// The subfields in the order of the document. (The original grouped them by code and so lost it.)
    pub subfields: Vec<Subfield>,
}

impl DataField {
    /// All values with this code, in order.
    pub fn values(&self, code: char) -> impl Iterator<Item = &str> {
        self.subfields
            .iter()
            .filter(move |subfield| subfield.code == code)
            .map(|subfield| subfield.value.as_str())
    }

    pub(crate) fn has_indicators(&self, ind1: char, ind2: char) -> bool {
        self.ind1 == ind1 && self.ind2 == ind2
    }
}

/// One record of a library catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// How the document was written.
    pub dialect: Dialect,
    /// The leader: 24 characters of codes about the record itself, which are told apart by their positions, so blanks at
    /// its ends stay. In OAI MARC it is the control field `LDR`, which is among [`controlfields`](Self::controlfields)
    /// too, there without them.
    pub leader: Option<String>,
    /// Control fields by id, in the order of the document. If an id is repeated, its last text counts.
    pub controlfields: IndexMap<String, String>,
    /// Data fields by id, ids in the order they first appear, occurrences in the order of the document.
    pub datafields: IndexMap<String, Vec<DataField>>,
}

impl Record {
    /// The text of a control field.
    #[must_use]
    pub fn control(&self, id: &str) -> Option<&str> {
        self.controlfields.get(id).map(String::as_str)
    }

    /// All occurrences of a data field, in order; empty if there are none.
    #[must_use]
    pub fn fields(&self, id: &str) -> &[DataField] {
        self.datafields.get(id).map_or(&[], Vec::as_slice)
    }
}
