//! The catalogue's machine interface, Aleph's *X-Server*: HTTP requests, XML replies.
//!
//! A search takes two steps. `find` runs it and leaves the hits in a numbered *set* on the server; `present` hands out the
//! records of a set one by one. A record whose number is known needs one step, `find_doc`. Errors come with HTTP 200 as an
//! `<error>` element in the reply.
//!
//! The logical *base* (`nkc`) is what is searched; the *library* (`NKC01`) is where records physically are. `find_doc`
//! wants the library and calls it base.

#[cfg(test)]
mod fuzz;
mod http;
mod reply;
mod url;

use std::fmt;

use edeposit_marc::xml::excerpt;

use crate::{AlephError, Settings, SetupError};

use http::Http;
use reply::{Reply, first_error, first_text};

/// The indexes that can be searched, with their meanings.
pub const INDEXES: [(&str, &str); 23] = [
    ("wrd", "all words"),
    ("wtl", "title"),
    ("wau", "author"),
    ("wkw", "subject"),
    ("txt", "contents"),
    ("wpb", "publisher"),
    ("wpp", "place of publication"),
    ("wyr", "year of publication"),
    ("ssn", "ISSN"),
    ("sbn", "ISBN or ISMN"),
    ("isn", "ISBN, ISMN or ISSN"),
    ("ob", "scoring of music"),
    ("wpf", "periodicity"),
    ("wpv", "country of publication"),
    ("wln", "language"),
    ("wlo", "language of the original"),
    ("wtp", "type of document"),
    ("sg", "shelf mark"),
    ("bar", "barcode"),
    ("cnb", "number in the national bibliography"),
    ("icz", "identification number"),
    ("sys", "system number"),
    ("wpk", "undocumented"),
];

/// The hits of a search, kept by the server for a few days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundSet {
    /// Number of the set.
    pub number: u64,
    /// How many records match.
    pub records: u64,
    /// How many of them the server would hand out; capped there, e.g. 2500 of 4998.
    pub entries: u64,
}

/// A client of one X-Server.
pub struct XServer {
    http: Http,
}

impl XServer {
    /// Sets the client up. Nothing is sent yet.
    ///
    /// # Errors
    /// `ALEPH_URL` is no http(s) address, or the HTTP client cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        Ok(Self {
            http: Http::new(settings)?,
        })
    }

    /// Whether anything answers there, whatever it says.
    ///
    /// # Errors
    /// Nothing does; the reason.
    pub(crate) async fn answers(&self) -> Result<(), String> {
        self.http.answers().await
    }

    /// Searches `base` for `phrase` in an index. None: nothing matches.
    ///
    /// # Errors
    /// The index is none of [`INDEXES`], the server refuses the search, or it fails in transport.
    pub async fn find(
        &self,
        base: &str,
        index: &str,
        phrase: &str,
    ) -> Result<Option<FoundSet>, AlephError> {
        if !is_index(index) {
            return Err(AlephError::UnknownField(excerpt(index, 100)));
        }
        let xml = self
            .http
            .get("find", &url::find(base, index, phrase))
            .await?;
        // a reply that is no XML at all, such as a web page, has no <find> either
        let reply = match Reply::parse("find", &xml) {
            Ok(reply) if reply.root == "find" => reply,
            Err(error) if xml.contains("<find>") => return Err(error),
            _ => return Err(AlephError::NoInformation),
        };
        match reply.error() {
            Some(error) if error == "empty set" => return Ok(None),
            Some(error) => return Err(AlephError::Server(error)),
            None => {}
        }
        let Some(number) = reply.number("set_number")? else {
            return Ok(None);
        };
        // taking it for 0 would say that the catalogue has no such record
        let records = reply.required_number("no_records")?;
        let entries = reply.number("no_entries")?.unwrap_or(records);
        Ok(Some(FoundSet {
            number,
            records,
            entries,
        }))
    }

    /// One record of a set, counted from 1: the whole reply. Whether the record in it can be read is another matter.
    ///
    /// # Errors
    /// The server refuses it, the reply has no record or over 2 MiB, or it fails in transport.
    pub async fn present(&self, set: FoundSet, entry: u64) -> Result<String, AlephError> {
        let path = url::present(set.number, entry);
        let xml = self.http.get_at_most(MAX_PRESENT, "present", &path).await?;
        match error_of(&xml) {
            Some(error) => Err(AlephError::Server(error)),
            None if has_record(&xml) => Ok(xml),
            None => Err(edeposit_marc::Error::NoRecord.into()),
        }
    }

    /// The record with a system number: the whole reply.
    ///
    /// # Errors
    /// There is no such record or base, the number has other characters than digits, or it fails in transport.
    pub async fn find_doc(&self, doc_id: &str, library: &str) -> Result<String, AlephError> {
        check_doc_id(doc_id)?;
        let xml = self
            .http
            .get("find_doc", &url::find_doc(doc_id, library))
            .await?;
        match error_of(&xml).as_deref() {
            None => Ok(xml),
            Some(NO_DOCUMENT) => Err(AlephError::DocumentNotFound(NO_DOCUMENT.to_owned())),
            Some(error) => Err(AlephError::InvalidBase(error.to_owned())),
        }
    }

    /// The system numbers of the first `count` records of a set.
    ///
    /// # Errors
    /// The server does not know the set, or it fails in transport.
    pub async fn ill_get_set(&self, set: FoundSet, count: u64) -> Result<Vec<String>, AlephError> {
        let xml = self
            .http
            .get("ill_get_set", &url::ill_get_set(set.number, count))
            .await?;
        let reply = Reply::parse("ill_get_set", &xml)?;
        match reply.error() {
            Some(error) => Err(AlephError::Server(error)),
            None => Ok(reply.texts("doc-number").map(str::to_owned).collect()),
        }
    }

    /// The record with a system number, in MARCXML: the whole reply.
    ///
    /// # Errors
    /// There is no such record or library, the number has other characters than digits, or it fails in transport.
    pub async fn ill_get_doc(&self, doc_id: &str, library: &str) -> Result<String, AlephError> {
        check_doc_id(doc_id)?;
        let xml = self
            .http
            .get("ill_get_doc", &url::ill_get_doc(doc_id, library))
            .await?;
        match (error_of(&xml), xml.contains("<login")) {
            (None, _) => Ok(xml),
            // it is the log-in to the library that fails
            (Some(error), true) => Err(AlephError::LibraryNotFound(error)),
            (Some(error), false) => Err(AlephError::DocumentNotFound(error)),
        }
    }
}

/// Bytes of a reply to `present`: twice what a record may have, so that a record somewhat too long is still known as one.
const MAX_PRESENT: usize = 2 * 1024 * 1024;

/// What the server says of a system number it does not have.
const NO_DOCUMENT: &str = "Error reading document";

fn is_index(index: &str) -> bool {
    let index = index.to_lowercase();
    INDEXES.iter().any(|(code, _)| *code == index)
}

/// The `<error>` of a reply that may be a record.
fn error_of(xml: &str) -> Option<String> {
    if has_record(xml) {
        None
    } else {
        first_error(xml)
    }
}

fn has_record(xml: &str) -> bool {
    xml.contains("<record")
}

/// The system number in the reply to `present`.
pub(crate) fn doc_number(xml: &str) -> Option<String> {
    first_text(xml, "doc_number").filter(|number| !number.is_empty())
}

/// Anything else could add parameters to the request, and is no number of a record anyway.
fn check_doc_id(doc_id: &str) -> Result<(), AlephError> {
    if doc_id.is_empty() || !doc_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AlephError::DocumentNotFound(NO_DOCUMENT.to_owned()));
    }
    Ok(())
}

impl fmt::Debug for XServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XServer").finish_non_exhaustive()
    }
}
