//! The info file of a package: what it is, what is in it, and the checksum of its checksums.

use std::fmt::Write;

use edeposit_marc::Record;
use quick_xml::escape::partial_escape;
use time::OffsetDateTime;

use crate::LtpError;

/// What the catalogue record says of the package as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catalogued {
    isbns: Vec<String>,
    ccnb: Option<String>,
    institution: String,
    creator: String,
}

impl Catalogued {
    /// # Errors
    /// No creator is named.
    pub fn of(record: &Record) -> Result<Self, LtpError> {
        let values = |field, code| {
            let fields = record.fields(field).iter();
            let values = fields.flat_map(move |f| f.values(code));
            values.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let creator = values("910", 'a').next();
        Ok(Self {
            isbns: record.isbns(),
            ccnb: values("015", 'a').next(),
            institution: record.publisher(),
            creator: creator
                .or_else(|| values("040", 'd').last())
                .ok_or(LtpError::NoCreator)?,
        })
    }
}

/// What the info file is made of.
pub(crate) struct Info<'a> {
    pub created: OffsetDateTime,
    pub id: &'a str,
    pub catalogued: &'a Catalogued,
    pub urn_nbn: Option<&'a str>,
    /// Bytes of all files.
    pub size: u64,
    /// Paths within the package: the publication, then the MODS documents.
    pub items: &'a [String],
    /// Path of the MD5 manifest, and the MD5 of it.
    pub manifest: (&'a str, &'a str),
}

impl Info<'_> {
    /// The document. It ends without a line feed, as the original's did.
    pub fn to_xml(&self) -> String {
        let mut xml = Xml::default();
        xml.line(0, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        xml.line(
            0,
            "<info xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:noNamespaceSchemaLocation=\"http://www.ndk.cz/standardy-digitalizace/info11.xsd\">",
        );
        xml.element(1, "created", &[], &utc(self.created));
        xml.element(1, "metadataversion", &[], "1.0");
        xml.element(1, "packageid", &[], self.id);
        let Catalogued {
            isbns,
            ccnb,
            institution,
            creator,
        } = self.catalogued;
        let isbns = isbns.iter().map(|isbn| ("isbn", isbn.as_str()));
        let ccnb = ccnb.iter().map(|ccnb| ("ccnb", ccnb.as_str()));
        let urn_nbn = self.urn_nbn.iter().map(|urn_nbn| ("urnnbn", *urn_nbn));
        for (kind, id) in isbns.chain(ccnb).chain(urn_nbn) {
            xml.element(1, "titleid", &[("type", kind)], id);
        }
        xml.element(1, "collection", &[], "edeposit");
        xml.element(1, "institution", &[], institution);
        xml.element(1, "creator", &[], creator);
        xml.element(1, "size", &[], &(self.size / 1024).to_string());
        xml.line(1, &format!("<itemlist itemtotal=\"{}\">", self.items.len()));
        for item in self.items {
            xml.element(2, "item", &[], item);
        }
        xml.line(1, "</itemlist>");
        let (path, md5) = self.manifest;
        xml.element(1, "checksum", &[("type", "MD5"), ("checksum", md5)], path);
        xml.0.push_str("</info>");
        xml.0
    }
}

/// In UTC, to the second, without a zone.
fn utc(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// A document in the layout of the original's library: a tab for each level, empty elements with an end tag.
#[derive(Default)]
struct Xml(String);

impl Xml {
    fn line(&mut self, level: usize, text: &str) {
        self.0.extend(std::iter::repeat_n('\t', level));
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// Values of attributes are constants or hexadecimal here, and are not escaped.
    fn element(&mut self, level: usize, name: &str, attributes: &[(&str, &str)], text: &str) {
        let mut line = format!("<{name}");
        for (attribute, value) in attributes {
            // a String takes whatever is written
            let _ = write!(line, " {attribute}=\"{value}\"");
        }
        let _ = write!(line, ">{}</{name}>", escaped(text));
        self.line(level, &line);
    }
}

/// Characters that no XML document may have, such as a stray control character of the catalogue, are left out.
fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|c| is_xml(*c)).collect();
    // a bare one would be read back as a line feed
    partial_escape(text).replace('\r', "&#13;")
}

/// Whether XML 1.0 allows the character.
pub(crate) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> Record {
        Record::from_xml(&format!("<record>{fields}</record>")).unwrap()
    }

    fn field(id: &str, code: char, value: &str) -> String {
        format!(
            "<datafield tag=\"{id}\" ind1=\" \" ind2=\" \"><subfield code=\"{code}\">{value}</subfield></datafield>"
        )
    }

    fn info(catalogued: &Catalogued, urn_nbn: Option<&str>) -> String {
        Info {
            created: OffsetDateTime::from_unix_timestamp(1_732_289_981).unwrap(),
            id: "U",
            catalogued,
            urn_nbn,
            size: 2366,
            items: &["/original/oc_U.pdf".to_owned()],
            manifest: ("/MD5_U.md5", "0"),
        }
        .to_xml()
    }

    #[test]
    fn creators() {
        let of = |fields: &[String]| Catalogued::of(&record(&fields.concat()));
        let d = |value| field("040", 'd', value);
        let a = |value| field("910", 'a', value);
        assert_eq!(of(&[d("X"), a("Y"), a("Z")]).unwrap().creator, "Y");
        assert_eq!(of(&[d("X"), d("Y")]).unwrap().creator, "Y");
        assert_eq!(of(&[d("X"), a("")]).unwrap().creator, "X");
    }

    /// Defect 14: the creator's absence was an IndexError.
    #[test]
    fn a_missing_creator_is_told() {
        let error = Catalogued::of(&record(&field("040", 'a', "X"))).unwrap_err();
        assert!(
            error.to_string().contains("910 $a") && error.to_string().contains("040 $d"),
            "{error}"
        );
    }

    /// Defect 13: `A &amp; B` came out as `A &amp;amp; B`, and publishers in any order.
    #[test]
    fn publishers_are_decoded_and_in_order() {
        let catalogued = Catalogued::of(&record(
            &[
                field("260", 'b', "Zed &amp; syn,"),
                field("260", 'b', "A &lt;B&gt; C"),
                field("260", 'b', "Zed &amp; syn"),
                field("910", 'a', "X"),
            ]
            .concat(),
        ))
        .unwrap();
        let xml = info(&catalogued, None);
        assert!(
            xml.contains("\t<institution>Zed &amp; syn, A &lt;B&gt; C</institution>\n"),
            "{xml}"
        );
    }

    /// Defect 12: a titleid without type, a constant itemtotal.
    #[test]
    fn only_what_there_is() {
        let catalogued = Catalogued::of(&record(&field("910", 'a', "X"))).unwrap();
        let xml = info(&catalogued, None);
        assert!(!xml.contains("titleid"), "{xml}");
        assert!(xml.contains("<itemlist itemtotal=\"1\">"), "{xml}");
        assert!(xml.contains("\t<institution></institution>\n"), "{xml}");
        assert!(
            xml.contains("\t<created>2024-11-22T15:39:41</created>\n"),
            "{xml}"
        );
        assert!(xml.ends_with("\n</info>"), "{xml}");
        let cnb = [
            field("015", 'a', "cnb001"),
            field("015", 'a', "cnb002"),
            field("910", 'a', "X"),
        ];
        let catalogued = Catalogued::of(&record(&cnb.concat())).unwrap();
        let xml = info(&catalogued, Some("urn:a\u{1}&"));
        assert!(
            xml.contains("\t<titleid type=\"ccnb\">cnb001</titleid>\n\t<titleid type=\"urnnbn\">urn:a&amp;</titleid>\n\t<coll"),
            "{xml}"
        );
    }
}
