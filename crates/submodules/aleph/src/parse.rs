//! From a record of the catalogue to the structures of the messages.

use edeposit_marc::{Kind, Person, Record};

use crate::AlephError;
use crate::messages::{
    AlephRecord, AnySemanticInfo, Author, Creator, EPeriodical, EPeriodicalSemanticInfo,
    EPublication, Loose, ParsedInfo, SemanticInfo,
};

impl AlephRecord {
    /// Builds the message for a record in either MARC dialect. As in the original, a blank `xml` is no error: the parsed
    /// structures are null then.
    ///
    /// # Errors
    /// The record cannot be read, or was deleted from the catalogue.
    pub fn from_xml(
        base: Option<String>,
        library: String,
        doc_number: Loose,
        xml: String,
    ) -> Result<Self, AlephError> {
        let (parsed_info, semantic_info) = if xml.trim().is_empty() {
            (None, None)
        } else {
            let record = Record::from_xml(&xml)?;
            if record.is_deleted() {
                return Err(AlephError::DocumentNotFound(
                    "Document was deleted.".to_owned(),
                ));
            }
            let (parsed, semantic) = parse(&record);
            (Some(parsed), Some(semantic))
        };
        Ok(Self {
            base,
            library,
            docNumber: doc_number,
            xml,
            parsed_info,
            semantic_info,
        })
    }
}

fn parse(record: &Record) -> (ParsedInfo, AnySemanticInfo) {
    if record.kind() == Kind::Continuing {
        (
            ParsedInfo::EPeriodical(Box::new(record.into())),
            AnySemanticInfo::EPeriodicalSemanticInfo(record.into()),
        )
    } else {
        (
            ParsedInfo::EPublication(Box::new(record.into())),
            AnySemanticInfo::SemanticInfo(record.into()),
        )
    }
}

impl From<&Record> for EPublication {
    fn from(record: &Record) -> Self {
        Self {
            ISBN: record.isbns().into(),
            invalid_ISBN: record.invalid_isbns().into(),
            id_number: record.id_number().map_or(Loose::Null, Loose::from),
            nazev: record.title().into(),
            podnazev: record.subtitle().into(),
            vazba: record
                .bindings()
                .into_iter()
                .next()
                .unwrap_or_default()
                .into(),
            cena: record.price().into(),
            castDil: record.part_number().into(),
            nazevCasti: record.part_name().into(),
            nakladatelVydavatel: record.publisher().into(),
            datumVydani: record.date().into(),
            poradiVydani: record.edition().into(),
            zpracovatelZaznamu: record.maker().into(),
            format: record.format().into(),
            url: record.urls().into(),
            mistoVydani: record.place().into(),
            ISBNSouboruPublikaci: Loose::List(Vec::new()),
            autori: record
                .persons()
                .into_iter()
                .map(|person| Creator::Author(person.into()))
                .collect(),
            originaly: record.originals().into(),
            internal_url: record.internal_urls().into(),
            anotace: Loose::Null,
        }
    }
}

impl From<Person> for Author {
    fn from(person: Person) -> Self {
        let first_name = format!("{} {}", person.name, person.second_name);
        Self {
            firstName: Some(first_name.trim().to_owned()),
            lastName: Some(person.surname),
            title: Some(person.title),
        }
    }
}

impl From<&Record> for EPeriodical {
    fn from(record: &Record) -> Self {
        Self {
            url: record.urls(),
            ISSN: record.issns(),
            invalid_ISSNs: record.invalid_issns(),
            nazev: Some(record.title()),
            anotace: None,
            podnazev: Some(record.subtitle()),
            id_number: record.id_number().map(str::to_owned),
            mistoVydani: Some(record.place()),
            datumVydani: Some(record.date()),
            internal_url: record.internal_urls(),
            nakladatelVydavatel: Some(record.publisher()),
            ISSNSouboruPublikaci: record.linking_issns(),
        }
    }
}

impl From<&Record> for SemanticInfo {
    fn from(record: &Record) -> Self {
        Self {
            hasAcquisitionFields: record.has_holdings(),
            acquisitionFields: acquisition_notes(record),
            ISBNAgencyFields: record.signs("ii2"),
            descriptiveCatFields: record.signs("jp2"),
            descriptiveCatReviewFields: record.signs("jr2"),
            subjectCatFields: record.signs("vp"),
            subjectCatReviewFields: record.signs("vr"),
            isClosed: record.is_closed(),
            isSummaryRecord: record.is_summary_record(),
            contentOfFMT: record.content_of_fmt().to_owned(),
            parsedSummaryRecordSysNumber: record.summary_record_number(),
            summaryRecordSysNumber: record.summary_record_note(),
        }
    }
}

impl From<&Record> for EPeriodicalSemanticInfo {
    fn from(record: &Record) -> Self {
        let signs = record.signs("sk");
        let mut acquisition = acquisition_notes(record);
        let has_acquisition = record.has_holdings() || !signs.is_empty();
        acquisition.extend(signs);
        Self {
            hasAcquisitionFields: has_acquisition,
            acquisitionFields: acquisition,
            isClosed: record.is_closed(),
            isSummaryRecord: record.is_summary_record(),
            contentOfFMT: record.content_of_fmt().to_owned(),
            parsedSummaryRecordSysNumber: record.summary_record_number(),
            summaryRecordSysNumber: record.summary_record_note(),
        }
    }
}

/// The notes count only where copies are held.
fn acquisition_notes(record: &Record) -> Vec<String> {
    if record.has_holdings() {
        record.acquisition_notes()
    } else {
        Vec::new()
    }
}
