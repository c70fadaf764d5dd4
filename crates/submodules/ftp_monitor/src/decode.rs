//! Reading metadata files: from bytes to keys and values.
//!
//! Four formats, told by the file's suffix. Each reader takes its text apart, and one place says what a list of
//! keys and values is. Files come from anybody who has an account: they are at most [`LARGEST`] bytes, nested no deeper than
//! [`DEEPEST`], and nothing in them refers to anything.

mod csv;
mod error;
mod event;
mod json;
mod node;
mod tolerant;
mod xml;
mod yaml;

pub use error::DecodeError;
pub use node::{DEEPEST, Pairs};

/// The longest metadata file that is read, in bytes.
pub const LARGEST: u64 = 1024 * 1024;

/// A format of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of a key and a value.
    Csv,
    /// An object or a list.
    Json,
    /// `<root>` with `<item key="...">`.
    Xml,
    /// A mapping or a list.
    Yaml,
}

impl Format {
    /// The format a file's name tells: that of its suffix, in any case. None: it is a book.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (_, suffix) = name.rsplit_once('.')?;
        [
            ("csv", Self::Csv),
            ("json", Self::Json),
            ("xml", Self::Xml),
            ("yaml", Self::Yaml),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(suffix))
        .map(|(_, format)| format)
    }
}

/// Reads a metadata file whose format its name tells.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(name: &str, content: &[u8]) -> Result<Pairs, DecodeError> {
    let format = Format::of(name).ok_or_else(|| match name.rsplit_once('.') {
        None => DecodeError::NoSuffix(name.to_owned()),
        Some((_, suffix)) => DecodeError::UnknownSuffix(suffix.to_owned()),
    })?;
    let text = std::str::from_utf8(content).map_err(|_| DecodeError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv::decode(text),
        Format::Json => json::decode(text)?.into_pairs(),
        Format::Xml => xml::decode(text),
        Format::Yaml => yaml::decode(text)?.into_pairs(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pairs(name: &str, text: &str) -> Vec<(String, String)> {
        decode(name, text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    pub(crate) fn error(name: &str, text: &str) -> String {
        match decode(name, text.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(pairs) => panic!("{text} is read as {pairs:?}"),
        }
    }

    pub(crate) fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(text).collect()
    }

    /// Defect 8: a byte order mark spoilt CSV and JSON, and Windows-1250 gave an empty message.
    #[test]
    fn bytes_that_are_no_plain_text() {
        let expected = texts(&[("a", "ž")]);
        assert_eq!(pairs("x.csv", "\u{feff}a;ž"), expected);
        assert_eq!(pairs("x.JSON", "\u{feff}{\"a\": \"ž\"}"), expected);
        assert_eq!(pairs("x.yaml", "\u{feff}a: ž"), expected);
        let xml = "\u{feff}<root><item key=\"a\">ž</item></root>";
        assert_eq!(pairs("x.xml", xml), expected);
        let windows = b"N\xe1zev;Kniha";
        assert_eq!(decode("x.csv", windows), Err(DecodeError::NotUtf8));
        assert_eq!(
            DecodeError::NotUtf8.to_string(),
            "Metadata file is not valid UTF-8."
        );
    }

    /// Files as large as are read, made to keep a reader busy or to fill its memory.
    #[test]
    fn hostile_files_are_read_or_refused_in_bounded_time() {
        let patterns = [
            "[",
            "{",
            "(",
            "<",
            "\"",
            "'",
            "- ",
            "? ",
            ": ",
            "a: ",
            "a: {",
            "&a ",
            "*a ",
            "! ",
            "#",
            "\\",
            "\n",
            "a\n",
            ";\n",
            ",",
            "a;b\n",
            "\"\"\"",
            "<a>",
            "<a ",
            "<a =\"",
            "</a>",
            "<!--",
            "<![CDATA[",
            "&",
            "&amp;",
            "<root><item key='",
            "<item k=",
            "[[",
            "[1,",
            "{\"a\":",
            "1",
            "e",
            "--- \n",
            "%",
            "|\n ",
            ">\n\n",
            "\t",
            "a:\n ",
            "\u{feff}",
            "\u{300}",
        ];
        for pattern in patterns {
            for before in ["", "<root>", "<root><item key='a'>", "a: ", "[", "\""] {
                let text = before.to_owned() + &pattern.repeat(64 * 1024 / pattern.len());
                for name in ["x.csv", "x.json", "x.xml", "x.yaml"] {
                    let begun = std::time::Instant::now();
                    let _ = decode(name, text.as_bytes());
                    let took = begun.elapsed();
                    assert!(
                        took.as_secs() < 5,
                        "{name} {before:?} {pattern:?}: {took:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn suffixes() {
        assert_eq!(Format::of("a.b.YaML"), Some(Format::Yaml));
        assert_eq!(Format::of(".csv"), Some(Format::Csv));
        for book in ["a.yml", "csv", "a.csv.epub", "a.", "a.csv "] {
            assert_eq!(Format::of(book), None, "{book}");
        }
        assert_eq!(
            error("kniha", ""),
            "Can't recognize type of your metadata ('kniha')!"
        );
        assert_eq!(error("a.epub", ""), "Can't parse file of type 'epub'!");
    }
}
