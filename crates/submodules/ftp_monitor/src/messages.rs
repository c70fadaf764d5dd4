//! The message of this submodule, as it is on the wire: [`ImportRequest`] and what is in it.
//!
//! Names of types and fields are those of the original and must stay. `raw_data` of e-books is base64, as the header
//! `ebook_encoding` tells.

use serde::{Deserialize, Serialize};

/// What a user has handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRequest {
    /// The user's name.
    pub username: String,
    /// What was imported; may be empty.
    pub requests: Vec<Item>,
    /// What was imported, for people; may be empty.
    pub import_log: String,
    /// What was not imported and why; may be empty.
    pub error_log: String,
}

/// One thing imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A book with its metadata.
    DataPair(DataPair),
    /// Metadata without a book.
    MetadataFile(MetadataFile),
    /// A book without metadata.
    EbookFile(EbookFile),
}

/// A book with its metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPair {
    /// The metadata.
    pub metadata_file: MetadataFile,
    /// The book.
    pub ebook_file: EbookFile,
}

/// A file with metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataFile {
    /// Where it was: an absolute path on the server.
    pub filename: String,
    /// The file's content.
    pub raw_data: String,
    /// What is in it. Always there in messages of this daemon.
    pub parsed_data: Option<EPublication>,
}

/// A file that is a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EbookFile {
    /// Where it was: an absolute path on the server.
    pub filename: String,
    /// The file's content: base64, or as it is with `EBOOK_ENCODING` = `text`. Never empty.
    pub raw_data: String,
}

/// Metadata of a publication. What the file has nothing about is null, never absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_snake_case)]
pub struct EPublication {
    /// As in the file; its check digit is right.
    pub ISBN: Option<String>,
    /// Always null.
    pub invalid_ISBN: Option<String>,
    /// Always null.
    pub id_number: Option<String>,
    /// Title.
    pub nazev: Option<String>,
    /// Subtitle.
    pub podnazev: Option<String>,
    /// Binding, or form.
    pub vazba: Option<String>,
    /// Price.
    pub cena: Option<String>,
    /// Always null.
    pub castDil: Option<String>,
    /// Always null.
    pub nazevCasti: Option<String>,
    /// Publisher.
    pub nakladatelVydavatel: Option<String>,
    /// Month and year of publication.
    pub datumVydani: Option<String>,
    /// Edition.
    pub poradiVydani: Option<String>,
    /// Who made the record.
    pub zpracovatelZaznamu: Option<String>,
    /// Format of the book.
    pub format: Option<String>,
    /// Address of the book.
    pub url: Option<String>,
    /// Place of publication.
    pub mistoVydani: Option<String>,
    /// Always null.
    pub ISBNSouboruPublikaci: Option<Vec<String>>,
    /// Always null.
    pub autori: Option<Vec<String>>,
    /// Always null.
    pub originaly: Option<Vec<String>>,
    /// Always null.
    pub internal_url: Option<String>,
    /// Always null.
    pub anotace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_serializers::{Value, to_value};
    use edeposit_testkit::wire::{again, check_recorded, vectors};

    /// What the original put on the wire is read and written as it was.
    #[test]
    fn all_recorded_messages() {
        check_recorded("ftp", 8, |kind| match kind {
            "ImportRequest" => Some(again::<ImportRequest>),
            "DataPair" | "MetadataFile" | "EbookFile" => Some(again::<Item>),
            // ftp_managerd's
            _ => None,
        });
    }

    #[test]
    fn fields_are_in_the_order_of_the_original() {
        let structures: Value = vectors("structures.json").unwrap();
        let metadata = MetadataFile {
            filename: String::new(),
            raw_data: String::new(),
            parsed_data: None,
        };
        let ebook = EbookFile {
            filename: String::new(),
            raw_data: String::new(),
        };
        let message = ImportRequest {
            username: String::new(),
            requests: Vec::new(),
            import_log: String::new(),
            error_log: String::new(),
        };
        let pair = DataPair {
            metadata_file: metadata.clone(),
            ebook_file: ebook.clone(),
        };
        for value in [
            to_value(&message),
            to_value(&pair),
            to_value(&metadata),
            to_value(&ebook),
        ] {
            let value = value.unwrap();
            let name = value["__nt_name"].as_str().unwrap();
            let fields: Vec<_> = value.as_object().unwrap().keys().skip(1).collect();
            let expected = structures["ftp"][name]["fields"].as_array().unwrap();
            assert_eq!(
                fields,
                expected
                    .iter()
                    .map(|f| f.as_str().unwrap())
                    .collect::<Vec<_>>()
            );
        }
    }
}
