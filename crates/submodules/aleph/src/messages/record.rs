//! A record of the catalogue as it is handed to the callers.

use serde::{Deserialize, Serialize};

use super::{EPeriodical, EPeriodicalSemanticInfo, EPublication, Loose, SemanticInfo};

/// A record found in the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlephRecord {
    /// The base it was found in; null if it was asked for by number.
    pub base: Option<String>,
    /// The library it is in. For a record found by a search it is the one of the settings.
    pub library: String,
    /// Its system number; `-1` if the catalogue gave none; for a record asked for by number, that number as it was given.
    pub docNumber: Loose,
    /// The catalogue's whole reply for this record.
    pub xml: String,
    /// What the record says of the publication; null for a blank `xml`.
    #[serde(default)]
    pub parsed_info: Option<ParsedInfo>,
    /// How far its cataloguing has come; null for a blank `xml`.
    #[serde(default)]
    pub semantic_info: Option<AnySemanticInfo>,
}

/// What a record describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ParsedInfo {
    /// A book, or anything that is no periodical.
    EPublication(Box<EPublication>),
    /// A periodical.
    EPeriodical(Box<EPeriodical>),
}

/// How far the cataloguing of a [`ParsedInfo`] has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AnySemanticInfo {
    /// Of a book.
    SemanticInfo(SemanticInfo),
    /// Of a periodical.
    EPeriodicalSemanticInfo(EPeriodicalSemanticInfo),
}
