//! The records a double answers from, and the names of its bases.

use anyhow::{Context, Result};

use super::Record;

macro_rules! built_in {
    ($($number:literal)*) => {
        &[$(($number, include_str!(concat!("../../catalogue/", $number, ".xml")))),*]
    };
}

/// The made-up records in `catalogue/`, by document number.
const BUILT_IN: &[(&str, &str)] = built_in!(
    "000001201" "000001202" "000001203" "000001204" "000001205" "000001206" "000001207"
    "000001208" "000001209" "000001210" "000001211" "000001212" "000001213" "000001214"
);

/// Records in the order in which a `find` lists them.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub(super) records: Vec<Record>,
    /// Logical bases, which `find` searches.
    pub(super) bases: Vec<String>,
    /// Libraries, which `find_doc` and `ill_get_doc` ask for a document.
    pub(super) libraries: Vec<String>,
}

impl Default for Catalogue {
    /// No records; bases `nkc`, `skc`, `cze-dep` and `aleph`, libraries `CZE01` and `NKC01`.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Catalogue {
            records: Vec::new(),
            bases: names(&["nkc", "skc", "cze-dep", "aleph"]),
            libraries: names(&["CZE01", "NKC01"]),
        }
    }
}

impl Catalogue {
    /// The fourteen records this crate brings along.
    pub fn built_in() -> Result<Catalogue> {
        let mut catalogue = Catalogue::default();
        for (number, xml) in BUILT_IN {
            let number = number.parse().context("a file is named by its number")?;
            catalogue.add(number, xml)?;
        }
        Ok(catalogue)
    }

    /// Adds a record: text with an `<oai_marc>` element, under a document number. Every base and library has it.
    pub fn add(&mut self, doc_number: u32, xml: &str) -> Result<()> {
        self.records.push(Record::parse(doc_number, xml)?);
        Ok(())
    }

    /// Adds the name of a base for `find`.
    pub fn add_base(&mut self, base: &str) {
        self.bases.push(base.to_owned());
    }

    /// The records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn has_base(&self, base: &str) -> bool {
        self.bases
            .iter()
            .any(|known| known.eq_ignore_ascii_case(base))
    }

    pub(super) fn has_library(&self, library: &str) -> bool {
        self.libraries
            .iter()
            .any(|known| known.eq_ignore_ascii_case(library))
    }

    pub(super) fn by_number(&self, doc_number: &str) -> Option<&Record> {
        let wanted = format!("{doc_number:0>9}");
        self.records
            .iter()
            .find(|record| record.doc_number == wanted)
    }
}
