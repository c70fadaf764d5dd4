//! A publication and its authors, and how far its cataloguing has come.

use serde::{Deserialize, Deserializer, Serialize};

use super::Loose;
use super::loose::record_or;

/// A book, as found in the catalogue or to be filed there.
///
/// In a search result `ISBN`, `invalid_ISBN`, `ISBNSouboruPublikaci`, `originaly`, `url` and `internal_url` are lists,
/// `id_number` a text or null, `anotace` null, everything else a text, `""` if the record does not say. In a request to
/// file it, callers send texts, numbers, lists or null as it comes. A field left out is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EPublication {
    /// ISBNs.
    pub ISBN: Loose,
    /// ISBNs marked as wrong.
    pub invalid_ISBN: Loose,
    /// The record's number (field 001).
    pub id_number: Loose,
    /// Title.
    pub nazev: Loose,
    /// Subtitle.
    pub podnazev: Loose,
    /// Binding, or `online`.
    pub vazba: Loose,
    /// Price.
    pub cena: Loose,
    /// Number of the part. (The original put the part's name here, and the number into `nazevCasti`.)
    pub castDil: Loose,
    /// Name of the part.
    pub nazevCasti: Loose,
    /// Publishers, joined by `, `.
    pub nakladatelVydavatel: Loose,
    /// Dates of publication, joined by `, `.
    pub datumVydani: Loose,
    /// Edition.
    pub poradiVydani: Loose,
    /// Who made the record.
    pub zpracovatelZaznamu: Loose,
    /// Dimensions, or the format of a file.
    pub format: Loose,
    /// Public links.
    pub url: Loose,
    /// Places of publication, joined by `, `.
    pub mistoVydani: Loose,
    /// ISBNs of the set it belongs to.
    pub ISBNSouboruPublikaci: Loose,
    /// Authors; null is read as none.
    #[serde(deserialize_with = "creators")]
    pub autori: Vec<Creator>,
    /// Titles of the originals of a translation.
    pub originaly: Loose,
    /// The library's own links.
    pub internal_url: Loose,
    /// Annotation.
    pub anotace: Loose,
}

fn creators<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Creator>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An author of an [`EPublication`]: a record in search results, either in requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Creator {
    /// Name and title apart.
    Author(Author),
    /// The name in one.
    Name(String),
}

impl<'de> Deserialize<'de> for Creator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record_or(deserializer, Self::Author, Self::Name, "lastName")
    }
}

/// An author.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Author {
    /// First names, or the whole name of someone without surname.
    pub firstName: Option<String>,
    /// Surname.
    pub lastName: Option<String>,
    /// Titles.
    pub title: Option<String>,
}

/// A periodical found in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EPeriodical {
    /// Public links.
    pub url: Vec<String>,
    /// ISSNs.
    pub ISSN: Vec<String>,
    /// ISSNs cancelled or marked as wrong.
    pub invalid_ISSNs: Vec<String>,
    /// Title.
    pub nazev: Option<String>,
    /// Annotation; always null.
    pub anotace: Option<String>,
    /// Subtitle.
    pub podnazev: Option<String>,
    /// The record's number (field 001).
    pub id_number: Option<String>,
    /// Places of publication, joined by `, `.
    pub mistoVydani: Option<String>,
    /// Dates of publication, joined by `, `.
    pub datumVydani: Option<String>,
    /// The library's own links.
    pub internal_url: Vec<String>,
    /// Publishers, joined by `, `.
    pub nakladatelVydavatel: Option<String>,
    /// Linking ISSNs.
    pub ISSNSouboruPublikaci: Vec<String>,
}

/// How far the cataloguing of a book has come. The lists hold signs, each followed by who signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SemanticInfo {
    /// Whether copies are held.
    pub hasAcquisitionFields: bool,
    /// Notes about acquisition.
    pub acquisitionFields: Vec<String>,
    /// Signs of the ISBN agency.
    pub ISBNAgencyFields: Vec<String>,
    /// Signs of descriptive cataloguing.
    pub descriptiveCatFields: Vec<String>,
    /// Signs of its review.
    pub descriptiveCatReviewFields: Vec<String>,
    /// Signs of subject cataloguing.
    pub subjectCatFields: Vec<String>,
    /// Signs of its review.
    pub subjectCatReviewFields: Vec<String>,
    /// Whether the record was replaced by another.
    pub isClosed: bool,
    /// Whether this is a summary record.
    pub isSummaryRecord: bool,
    /// Aleph's type of record: `BK`, `SE`, ...
    pub contentOfFMT: String,
    /// The number of the summary record.
    pub parsedSummaryRecordSysNumber: String,
    /// The note it was found in.
    pub summaryRecordSysNumber: String,
}

/// How far the cataloguing of a periodical has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EPeriodicalSemanticInfo {
    /// Whether copies are held, or acquisition has signed.
    pub hasAcquisitionFields: bool,
    /// Notes about acquisition and its signs.
    pub acquisitionFields: Vec<String>,
    /// Whether the record was replaced by another.
    pub isClosed: bool,
    /// Whether this is a summary record.
    pub isSummaryRecord: bool,
    /// Aleph's type of record: `BK`, `SE`, ...
    pub contentOfFMT: String,
    /// The number of the summary record.
    pub parsedSummaryRecordSysNumber: String,
    /// The note it was found in.
    pub summaryRecordSysNumber: String,
}
