//! How far the cataloguing of a publication has come.
//!
//! Cataloguers sign each step in a field `IST`: `$a` is the *sign*, a code of the step and a date (`jp20240222`), `$b`
//! the cataloguer. Which code means which step is the library's own convention; the callers know it.

use crate::Record;
use crate::limits::HEADINGS;

impl Record {
    /// Whether the record was deleted from the catalogue: it has a data field `DEL`. (A control field `DEL` does not
    /// count.)
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        !self.fields("DEL").is_empty()
    }

    /// Whether copies are held: there is a field `HLD`, data or control.
    #[must_use]
    pub fn has_holdings(&self) -> bool {
        !self.fields("HLD").is_empty() || self.control("HLD").is_some()
    }

    /// Notes about acquisition: all `STZ $a`, then all `STZ $b`.
    #[must_use]
    pub fn acquisition_notes(&self) -> Vec<String> {
        let notes = self.values("STZ", 'a').chain(self.values("STZ", 'b'));
        notes.map(str::to_owned).collect()
    }

    /// The signs that begin with `prefix`, blanks taken out, each followed by everyone who signed in the same field. Of
    /// one field at most 8 signs are looked at.
    #[must_use]
    pub fn signs(&self, prefix: &str) -> Vec<String> {
        let mut found = Vec::new();
        for field in self.fields("IST") {
            for sign in field.values('a').take(HEADINGS) {
                let sign = sign.replace(' ', "");
                if sign.starts_with(prefix) {
                    found.push(sign);
                    found.extend(field.values('b').map(str::to_owned));
                }
            }
        }
        found
    }

    /// Whether the record is closed, that is, replaced by a summary record: some `BAS $a` is `90`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.values("BAS", 'a').any(|base| base == "90")
    }

    /// Whether this is a summary record, one for all volumes of a serial: the control field `FMT` is `SE`.
    #[must_use]
    pub fn is_summary_record(&self) -> bool {
        self.content_of_fmt() == "SE"
    }

    /// The control field `FMT`, Aleph's type of record (`BK`, `SE`, ...), or `""`. A data field `FMT` is ignored.
    #[must_use]
    pub fn content_of_fmt(&self) -> &str {
        self.control("FMT").unwrap_or_default()
    }

    /// The note that refers to the summary record: all `PJM $a` joined by line feeds, `""` if blank.
    #[must_use]
    pub fn summary_record_note(&self) -> String {
        let note = Vec::from_iter(self.values("PJM", 'a')).join("\n");
        if note.trim().is_empty() {
            String::new()
        } else {
            note
        }
    }

    /// The number in [`summary_record_note`](Self::summary_record_note): its first word with more than three digits,
    /// without the punctuation around it; `""` if there is none.
    #[must_use]
    pub fn summary_record_number(&self) -> String {
        const AROUND: [char; 15] = [
            ' ', '.', ',', ':', ';', '<', '>', '(', ')', '{', '}', '[', ']', '\\', '/',
        ];
        let note = self.summary_record_note();
        note.split_ascii_whitespace()
            .map(|word| word.trim_matches(AROUND))
            .find(|word| word.chars().filter(char::is_ascii_digit).count() > 3)
            .unwrap_or_default()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, &str)]) -> Record {
        let mut xml = String::from("<record>");
        for (id, subfields) in fields {
            xml += &format!(r#"<datafield tag="{id}" ind1=" " ind2=" ">{subfields}</datafield>"#);
        }
        Record::from_xml(&(xml + "</record>")).unwrap()
    }

    #[test]
    fn numbers_in_notes() {
        for (note, number) in [
            ("viz nkc20150003029.", "nkc20150003029"),
            ("viz 978-80-87899-15-1.", "978-80-87899-15-1"),
            ("(123)", ""),
            ("12 34567 89012", "34567"),
            (
                "Zrušeno, viz (sys. č.: 002718281), 2. výtisk 12",
                "002718281",
            ),
            ("", ""),
        ] {
            let record = record(&[("PJM", &format!(r#"<subfield code="a">{note}</subfield>"#))]);
            assert_eq!(record.summary_record_number(), number, "{note}");
            assert_eq!(record.summary_record_note(), note);
        }
        let two = r#"<subfield code="a">a</subfield><subfield code="a">b</subfield>"#;
        assert_eq!(record(&[("PJM", two)]).summary_record_note(), "a\nb");
    }

    #[test]
    fn signs_carry_those_who_signed() {
        let sign = |a: &str, b: &str| {
            format!(r#"<subfield code="a">{a}</subfield><subfield code="b">{b}</subfield>"#)
        };
        let (first, second) = (sign("jp2 0240222", "kata"), sign("jr20240223", "rev"));
        let third = sign("jp20240301", "eva");
        let record = record(&[("IST", &*first), ("IST", &*second), ("IST", &*third)]);
        assert_eq!(
            record.signs("jp2"),
            ["jp20240222", "kata", "jp20240301", "eva"]
        );
        assert_eq!(record.signs("jr2"), ["jr20240223", "rev"]);
        assert!(record.signs("vp").is_empty());
    }

    #[test]
    fn only_a_data_field_deletes() {
        let control = r#"<record><controlfield tag="DEL">Y</controlfield></record>"#;
        assert!(!Record::from_xml(control).unwrap().is_deleted());
        assert!(record(&[("DEL", r#"<subfield code="a">Y</subfield>"#)]).is_deleted());
    }

    #[test]
    fn a_control_field_is_a_holding_too() {
        let control = r#"<record><controlfield tag="HLD">x</controlfield></record>"#;
        assert!(Record::from_xml(control).unwrap().has_holdings());
        assert!(!record(&[]).has_holdings());
    }
}
