//! The `marcxml2mods` submodule: MARC records of a library catalogue as MODS 3.4 documents.
//!
//! *MARC* is how libraries have catalogued since the sixties: numbered fields with coded subfields. *MODS* is an XML
//! format of the Library of Congress that says the same in words; the long-term archive and the digital library want it in
//! the profile of the Czech National Digital Library. The mapping is the Library of Congress' own, with Czech additions;
//! afterwards the document gets what only the depositing system knows, the package's UUID and the publication's address.
//!
//! [`convert`] does it all. The modules of the mapping are tables that a librarian can read; [`messages`] has what goes
//! over RabbitMQ, [`Settings`] what an operator can set. [`Marcxml2Mods`] is the handler for a daemon.
//!
//! ```
//! use edeposit_marcxml2mods::{Settings, convert};
//!
//! let record = r#"<record><leader>     nam a22     4a 4500</leader>
//!     <datafield tag="245" ind1="1" ind2="0"><subfield code="a">Les a louka /</subfield></datafield></record>"#;
//! let documents = convert(record, None, Some("https://edeposit.example/1"), &Settings::default())?;
//! assert!(documents[0].contains("<mods:title>Les a louka</mods:title>"));
//! # Ok::<(), edeposit_marcxml2mods::ConversionError>(())
//! ```

mod case_selection;
mod error;
mod mapping;
pub mod messages;
mod oai;
mod repair;
mod rules;
mod settings;
mod source;
mod text;
mod tree;
mod writer;

pub use case_selection::CaseSelection;
pub use error::ConversionError;
pub use oai::oai_to_marcxml;
pub use settings::Settings;

use edeposit_amqpdaemon::{Exception, Handler, Sendback, Submodule};
use edeposit_marc::{Limits, Record};
use edeposit_serializers::ErrorKind;

use messages::{ConversionResponse, Request, Response};
use repair::{Extent, Package};
use source::{Source, check_characters};

/// How many elements a document may have. A rich record has some thousand.
const ELEMENTS: usize = 20_000;

/// What a publication is described as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// A book in one volume, and all that is nothing else.
    Monograph,
    /// A work in several volumes.
    MultiVolume,
    /// A periodical or another continuing resource.
    Periodical,
}

impl Case {
    /// What the record says: the control field `FMT` with `SE` is a periodical; else the leader tells, counted from 0:
    /// position 7 in `b`, `i`, `s` a periodical, `m` with a part (245 `$n` or `$p`) or with `a` in position 19 a work
    /// in several volumes.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        if record.control("FMT") == Some("SE") {
            return Self::Periodical;
        }
        let leader = record.leader.as_deref().unwrap_or_default();
        let position = |n| leader.chars().nth(n);
        let in_parts = || {
            let mut codes = record.fields("245").iter().flat_map(|f| &f.subfields);
            codes.any(|subfield| matches!(subfield.code, 'n' | 'p'))
        };
        match position(7) {
            Some('b' | 'i' | 's') => Self::Periodical,
            Some('m') if position(19) == Some('a') || in_parts() => Self::MultiVolume,
            _ => Self::Monograph,
        }
    }
}

/// Converts a record to MODS, as [`Settings::case_selection`] says.
///
/// `marc_xml` is the record itself, MARCXML or OAI MARC; only the first record of it counts. `uuid` is written as an
/// identifier, if there is one. `url` is where the publication is; it is needed unless the record names a library that
/// holds it together with an address.
///
/// Gives complete XML documents, at present always one.
///
/// # Errors
/// The text holds no record or a broken one, is too large, or no address is known.
pub fn convert(
    marc_xml: &str,
    uuid: Option<&str>,
    url: Option<&str>,
    settings: &Settings,
) -> Result<Vec<String>, ConversionError> {
    let record = read(marc_xml, settings)?;
    let package = package(uuid, url)?;
    let (case, full) = match settings.case_selection {
        CaseSelection::Monograph => (Case::Monograph, false),
        CaseSelection::MultiVolume => (Case::MultiVolume, false),
        CaseSelection::Periodical => (Case::Periodical, false),
        CaseSelection::Auto => (Case::of(&record), false),
        CaseSelection::Full => (Case::of(&record), true),
    };
    Ok(vec![document(&record, case, full, package, settings)?])
}

/// Converts a record as a monograph, whatever it is.
///
/// # Errors
/// As [`convert`].
pub fn convert_monograph(
    marc_xml: &str,
    uuid: Option<&str>,
    url: Option<&str>,
    settings: &Settings,
) -> Result<String, ConversionError> {
    convert_as(Case::Monograph, marc_xml, uuid, url, settings)
}

/// Converts a record as a work in several volumes, whatever it is; completely if [`CaseSelection::Full`] is set.
///
/// # Errors
/// As [`convert`].
pub fn convert_multi_volume(
    marc_xml: &str,
    uuid: Option<&str>,
    url: Option<&str>,
    settings: &Settings,
) -> Result<String, ConversionError> {
    convert_as(Case::MultiVolume, marc_xml, uuid, url, settings)
}

/// Converts a record as a periodical, whatever it is; completely if [`CaseSelection::Full`] is set.
///
/// # Errors
/// As [`convert`].
pub fn convert_periodical(
    marc_xml: &str,
    uuid: Option<&str>,
    url: Option<&str>,
    settings: &Settings,
) -> Result<String, ConversionError> {
    convert_as(Case::Periodical, marc_xml, uuid, url, settings)
}

fn convert_as(
    case: Case,
    marc_xml: &str,
    uuid: Option<&str>,
    url: Option<&str>,
    settings: &Settings,
) -> Result<String, ConversionError> {
    let record = read(marc_xml, settings)?;
    let full = settings.case_selection == CaseSelection::Full;
    document(&record, case, full, package(uuid, url)?, settings)
}

fn read(marc_xml: &str, settings: &Settings) -> Result<Record, ConversionError> {
    let limits = Limits {
        bytes: settings.max_record_bytes,
        record: settings.max_record_bytes,
        elements: ELEMENTS,
        ..Limits::default()
    };
    Ok(Record::from_xml_within(marc_xml, limits)?)
}

fn package<'a>(
    uuid: Option<&'a str>,
    url: Option<&'a str>,
) -> Result<Package<'a>, ConversionError> {
    check_characters(&"the uuid", uuid.unwrap_or_default())?;
    check_characters(&"the url", url.unwrap_or_default())?;
    Ok(Package { uuid, url })
}

fn document(
    record: &Record,
    case: Case,
    full: bool,
    package: Package<'_>,
    settings: &Settings,
) -> Result<String, ConversionError> {
    let full = full && case != Case::Monograph;
    let mut source = Source::new(record, settings.byte_compat)?;
    source.log_what_is_lost();
    if full {
        source.read_imprints_of_rda();
    }
    let (mut mods, extent) = match case {
        Case::Monograph => (mapping::monograph(&source), Extent::VOLUME),
        Case::MultiVolume if full => (mapping::full_multi_volume(&source), Extent::TITLE),
        Case::MultiVolume => (mapping::multi_volume(&source), Extent::Outline),
        Case::Periodical if full => (mapping::full_periodical(&source), Extent::TITLE),
        Case::Periodical => (mapping::periodical(), Extent::Outline),
    };
    repair::repair(&mut mods, extent, &source, package)?;
    Ok(writer::document(&mods))
}

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug, Clone, Default)]
pub struct Marcxml2Mods {
    settings: Settings,
}

impl Marcxml2Mods {
    /// Sets up with the given settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Submodule for Marcxml2Mods {
    const NAME: &'static str = "marcxml2mods";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings))
    }
}

impl Handler for Marcxml2Mods {
    type Request = Request;
    type Response = Response;

    async fn react(&self, request: Request, _sendback: Sendback) -> Result<Response, Exception> {
        let Request::ConversionRequest(request) = request;
        let (uuid, url) = (request.uuid.as_deref(), request.url.as_deref());
        let mods_files = convert(&request.marc_xml, uuid, url, &self.settings)?;
        tracing::info!(uuid, bytes = request.marc_xml.len(), "converted");
        Ok(Response::ConversionResponse(ConversionResponse {
            mods_files,
        }))
    }

    /// What is no request has words of its own here, which the original's callers know.
    fn not_a_request(&self, error: edeposit_serializers::Error) -> Exception {
        let unknown =
            |class: &str| Exception::value_error(format!("'{class}' is unknown type of request!"));
        match error.kind() {
            ErrorKind::UnknownRecord { name, .. } if name == "ConversionResponse" => {
                unknown("<class 'edeposit.amqp.marcxml2mods.structures.ConversionResponse'>")
            }
            ErrorKind::WrongType { found, .. } if error.path().is_empty() => {
                unknown(&format!("<type '{found}'>"))
            }
            _ => error.into(),
        }
    }
}
