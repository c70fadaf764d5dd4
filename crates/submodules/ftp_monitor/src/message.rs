//! The body of a message, written as it goes out: a book is encoded straight from its file to its place.
//!
//! What would be an [`ImportRequest`](crate::messages::ImportRequest) is never in memory twice.

use std::io::{self, Read, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use edeposit_ftp::EbookEncoding;
use edeposit_serializers::Error;

use crate::messages::MetadataFile;

const EMPTY: &str =
    r#"{"__nt_name":"ImportRequest","username":,"requests":[],"import_log":,"error_log":}"#;
const PAIR: &str = r#"{"__nt_name":"DataPair","metadata_file":,"ebook_file":},"#;
const EBOOK: &str = r#"{"__nt_name":"EbookFile","filename":,"raw_data":""}"#;

/// How many bytes a text takes as JSON.
pub(crate) fn json_len(text: &str) -> usize {
    let escaped: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum();
    escaped + 2
}

/// How many bytes a message without items takes.
pub(crate) fn empty_len(user: &str, errors: &str) -> usize {
    EMPTY.len() + json_len(user) + json_len("") + json_len(errors)
}

/// How many bytes a book takes, given how many its content does.
pub(crate) fn ebook_len(filename: &str, content: usize) -> usize {
    EBOOK.len() + json_len(filename) + content
}

/// How many bytes base64 of so many takes.
pub(crate) fn base64_len(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(3).saturating_mul(4)).unwrap_or(usize::MAX)
}

/// How many bytes an item takes in all, with its lines in the log.
pub(crate) fn item_len(metadata: Option<usize>, ebook: Option<usize>, line: &str) -> usize {
    let parts = metadata.unwrap_or(0).saturating_add(ebook.unwrap_or(0));
    // the line feed before it, escaped
    parts.saturating_add(PAIR.len() + json_len(line) + 2)
}

/// A message being written.
pub(crate) struct Body {
    bytes: Vec<u8>,
    lines: Vec<String>,
}

/// A book to be written: where it was, how long it is, where it comes from.
pub(crate) struct Book<'a, R> {
    pub(crate) filename: &'a str,
    pub(crate) size: u64,
    pub(crate) content: R,
}

impl Body {
    /// A message of this user; so many bytes are expected.
    pub(crate) fn new(user: &str, expected: usize) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(expected);
        bytes.extend_from_slice(br#"{"__nt_name":"ImportRequest","username":"#);
        write_json(&mut bytes, user);
        bytes.extend_from_slice(br#","requests":["#);
        Ok(Self {
            bytes,
            lines: Vec::new(),
        })
    }

    /// The lines of what is in it.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Adds one item, and its line to the log; if the book cannot be read, nothing has been added.
    pub(crate) fn add<R: Read>(
        &mut self,
        metadata: Option<&MetadataFile>,
        book: Option<Book<'_, R>>,
        encoding: EbookEncoding,
        line: String,
    ) -> io::Result<()> {
        let before = self.bytes.len();
        let added = self.write_item(metadata, book, encoding);
        match added {
            Ok(()) => self.lines.push(line),
            Err(_) => self.bytes.truncate(before),
        }
        added
    }

    fn write_item<R: Read>(
        &mut self,
        metadata: Option<&MetadataFile>,
        book: Option<Book<'_, R>>,
        encoding: EbookEncoding,
    ) -> io::Result<()> {
        let bytes = &mut self.bytes;
        if !self.lines.is_empty() {
            bytes.push(b',');
        }
        let is_pair = metadata.is_some() && book.is_some();
        if is_pair {
            bytes.extend_from_slice(br#"{"__nt_name":"DataPair","metadata_file":"#);
        }
        if let Some(metadata) = metadata {
            let json = edeposit_serializers::to_vec(metadata);
            bytes.extend_from_slice(&json.map_err(io::Error::other)?);
        }
        if is_pair {
            bytes.extend_from_slice(br#","ebook_file":"#);
        }
        if let Some(book) = book {
            write_book(bytes, book, encoding)?;
        }
        if is_pair {
            bytes.push(b'}');
        }
        Ok(())
    }

    /// The message as it is to be published.
    pub(crate) fn finish(mut self, errors: &str) -> Vec<u8> {
        self.bytes.extend_from_slice(br#"],"import_log":"#);
        write_json(&mut self.bytes, &self.lines.join("\n"));
        self.bytes.extend_from_slice(br#","error_log":"#);
        write_json(&mut self.bytes, errors);
        self.bytes.push(b'}');
        self.bytes
    }
}

fn write_book<R: Read>(
    bytes: &mut Vec<u8>,
    book: Book<'_, R>,
    encoding: EbookEncoding,
) -> io::Result<()> {
    bytes.extend_from_slice(br#"{"__nt_name":"EbookFile","filename":"#);
    write_json(bytes, book.filename);
    bytes.extend_from_slice(br#","raw_data":"#);
    // one byte more, so that a file that has grown is noticed
    let mut content = book.content.take(book.size.saturating_add(1));
    let read = match encoding {
        EbookEncoding::Base64 => {
            bytes.push(b'"');
            let mut encoder = EncoderWriter::new(&mut *bytes, &STANDARD);
            let read = io::copy(&mut content, &mut encoder)?;
            encoder.finish()?;
            drop(encoder);
            bytes.push(b'"');
            read
        }
        EbookEncoding::Text => {
            let mut text = String::new();
            let read = content.read_to_string(&mut text)?;
            write_json(bytes, &text);
            read as u64
        }
    };
    if read != book.size {
        return Err(io::Error::other("the file has changed while it was read"));
    }
    bytes.push(b'}');
    bytes.flush()
}

fn write_json(bytes: &mut Vec<u8>, text: &str) {
    // neither a string nor a vector can refuse
    let _ = serde_json::to_writer(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{EPublication, ImportRequest, Item};

    fn metadata() -> MetadataFile {
        MetadataFile {
            filename: "/m \"1\".csv".to_owned(),
            raw_data: "a;ž\n\u{1}".to_owned(),
            parsed_data: Some(EPublication::default()),
        }
    }

    fn book(content: &[u8]) -> Option<Book<'_, &[u8]>> {
        Some(Book {
            filename: "/b\n.pdf",
            size: content.len() as u64,
            content,
        })
    }

    /// What is written by hand is what the types would be, and no longer than foretold.
    #[test]
    fn a_message_is_an_import_request() {
        for encoding in [EbookEncoding::Base64, EbookEncoding::Text] {
            let mut body = Body::new("argo", 0).unwrap();
            body.add(Some(&metadata()), book(b"one"), encoding, "1".into())
                .unwrap();
            body.add::<&[u8]>(Some(&metadata()), None, encoding, "2".into())
                .unwrap();
            let broken = Some(Book {
                filename: "/x",
                size: 9,
                content: &b"short"[..],
            });
            assert!(body.add(None, broken, encoding, "no".into()).is_err());
            body.add(
                None,
                book("dvě\"\\\u{7f}\u{8}".as_bytes()),
                encoding,
                "3".into(),
            )
            .unwrap();
            let bytes = body.finish("chyba\n");
            let message: ImportRequest = edeposit_serializers::from_slice(&bytes).unwrap();
            assert_eq!(message.requests.len(), 3);
            assert_eq!(
                (message.import_log.as_str(), message.error_log.as_str()),
                ("1\n2\n3", "chyba\n")
            );
            let Item::DataPair(pair) = &message.requests[0] else {
                panic!("{message:?}");
            };
            assert_eq!(pair.metadata_file, metadata());
            let text = match encoding {
                EbookEncoding::Base64 => "b25l",
                EbookEncoding::Text => "one",
            };
            assert_eq!(
                (
                    pair.ebook_file.filename.as_str(),
                    pair.ebook_file.raw_data.as_str()
                ),
                ("/b\n.pdf", text)
            );
            assert_eq!(edeposit_serializers::to_vec(&message).unwrap(), bytes);
        }
    }

    #[test]
    fn lengths_are_foretold() {
        for text in ["", "a\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}/ž\u{2028}"] {
            assert_eq!(
                json_len(text),
                serde_json::to_string(text).unwrap().len(),
                "{text:?}"
            );
        }
        let mut body = Body::new("argo", 0).unwrap();
        let content = [255; 1000];
        let (metadata, line) = (metadata(), "řádek\n\t".to_owned());
        let each = item_len(
            Some(edeposit_serializers::to_vec(&metadata).unwrap().len()),
            Some(ebook_len("/b\n.pdf", base64_len(1000))),
            &line,
        );
        for _ in 0..10 {
            let added = body.add(
                Some(&metadata),
                book(&content),
                EbookEncoding::Base64,
                line.clone(),
            );
            added.unwrap();
        }
        let foretold = empty_len("argo", "e\n") + 10 * each;
        let bytes = body.finish("e\n");
        assert!(bytes.len() <= foretold, "{} {foretold}", bytes.len());
        assert!(
            bytes.len() + 20 * 10 > foretold,
            "{} {foretold}",
            bytes.len()
        );
    }
}
