//! People and corporations behind a publication.

use crate::limits::HEADINGS;
use crate::text::strip;
use crate::{DataField, Record};

/// A person, the parts of whose name the catalogue tells apart by indicators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// First names, or the whole name if it has no surname.
    pub name: String,
    /// What follows a name without surname, such as `II.`
    pub second_name: String,
    /// Surname.
    pub surname: String,
    /// Titles and other words associated with the name.
    pub title: String,
}

/// A corporation: company, society, conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corporation {
    /// Its name.
    pub name: String,
    /// Its place; several joined by a comma.
    pub place: String,
    /// Its date; several joined by a comma.
    pub date: String,
}

impl Record {
    /// The authors: main entry (100), subject (600), added entries (700) and series entries (800), in this order.
    ///
    /// A person counts if one of the roles ($4) is `aut`, or if no role is given at all; but a person the book is
    /// *about* (600) only with the role. The original took the latter for authors too, listed an empty person for
    /// unknown indicators, kept commas in the names (`May, Karl,`) and was put off by the second indicator of 100 and 700.
    /// Of one field at most 8 names are read.
    #[must_use]
    pub fn persons(&self) -> Vec<Person> {
        ["100", "600", "700", "800"]
            .iter()
            .flat_map(|id| self.fields(id).iter().map(move |field| (*id, field)))
            .filter(|(id, field)| {
                field.values('4').any(|role| role == "aut")
                    || (*id != "600" && field.values('4').next().is_none())
            })
            .flat_map(|(id, field)| {
                let ind2 = if matches!(id, "100" | "700") {
                    ' '
                } else {
                    field.ind2
                };
                field
                    .values('a')
                    .take(HEADINGS)
                    .map(move |name| Person::new(name, field, ind2))
            })
            .filter(|person| *person != Person::default())
            .collect()
    }

    /// Corporations of 110, 610, 710 and 810, in this order. Of one field at most 8 names are read.
    #[must_use]
    pub fn corporations(&self) -> Vec<Corporation> {
        let join = |field: &DataField, code| Vec::from_iter(field.values(code)).join(",");
        ["110", "610", "710", "810"]
            .iter()
            .flat_map(|id| self.fields(id))
            .flat_map(|field| {
                let names = field.values('a').take(HEADINGS);
                names.map(move |name| (name, field))
            })
            .map(|(name, field)| Corporation {
                name: name.to_owned(),
                place: join(field, 'c'),
                date: join(field, 'd'),
            })
            .collect()
    }
}

impl Person {
    fn new(text: &str, field: &DataField, ind2: char) -> Self {
        let clean = |text: &str| strip(text.trim_matches([',', ' '])).to_owned();
        let parts = |code| {
            let values = field
                .values(code)
                .map(clean)
                .filter(|part| !part.is_empty());
            values.collect::<Vec<_>>().join(", ")
        };
        let (name, second_name, surname, title) = match (field.ind1, ind2) {
            ('1', ' ') => {
                let (surname, name) = text
                    .split_once(',')
                    .or_else(|| text.split_once(' '))
                    .unwrap_or((text, ""));
                (name, String::new(), clean(surname), parts('c'))
            }
            ('0', ' ') => (text, parts('b'), parts('c'), String::new()),
            ('0' | '1', '0') => (text, String::new(), String::new(), parts('c')),
            _ => return Self::default(),
        };
        Self {
            name: clean(name),
            second_name,
            surname,
            title,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons(xml: &str) -> Vec<[String; 4]> {
        let record = Record::from_xml(&format!("<record>{xml}</record>")).unwrap();
        let persons = record.persons();
        let parts = persons
            .into_iter()
            .map(|p| [p.name, p.second_name, p.surname, p.title]);
        parts.collect()
    }

    fn field(tag: &str, indicators: &str, subfields: &[(char, &str)]) -> String {
        let mut xml = format!(
            r#"<datafield tag="{tag}" ind1="{}" ind2="{}">"#,
            &indicators[..1],
            &indicators[1..]
        );
        for (code, value) in subfields {
            xml += &format!(r#"<subfield code="{code}">{value}</subfield>"#);
        }
        xml + "</datafield>"
    }

    #[test]
    fn rows_by_indicators() {
        for (indicators, subfields, expected) in [
            (
                "1 ",
                &[('a', "Raymond, Eric S.")][..],
                ["Eric S.", "", "Raymond", ""],
            ),
            (
                "1 ",
                &[('a', "May, Karl,"), ('c', "Dr."), ('c', "prof.,")],
                ["Karl", "", "May", "Dr., prof."],
            ),
            ("1 ", &[('a', "Jan Kolář")], ["Kolář", "", "Jan", ""]),
            ("1 ", &[('a', "Žalud")], ["", "", "Žalud", ""]),
            ("10", &[('a', "May, Karl")], ["Karl", "", "May", ""]),
            (
                "0 ",
                &[('a', "Homer"), ('b', "II."), ('c', "papa")],
                ["Homer", "II.", "papa", ""],
            ),
            (
                "0 ",
                &[('a', "Jan"), ('c', "papa,"), ('c', "svatý")],
                ["Jan", "", "papa, svatý", ""],
            ),
        ] {
            assert_eq!(persons(&field("100", indicators, subfields)), [expected]);
        }
    }

    #[test]
    fn second_indicator_counts_outside_100_and_700() {
        let xml = field("800", "10", &[('a', "May, Karl"), ('c', "Dr.")]);
        assert_eq!(persons(&xml), [["May, Karl", "", "", "Dr."]]);
    }

    #[test]
    fn who_counts() {
        assert!(persons(&field("100", "3 ", &[('a', "Přemyslovci (rod)")])).is_empty());
        assert!(persons(&field("700", "1 ", &[('a', "Fiala, Gustav"), ('4', "ill")])).is_empty());
        assert!(persons(&field("600", "1 ", &[('a', "Němcová, Božena")])).is_empty());
        let xml = field("700", "1 ", &[('a', "B, b"), ('4', "trl"), ('4', "aut")])
            + &field("600", "1 ", &[('a', "A, a"), ('4', "aut")]);
        assert_eq!(persons(&xml), [["a", "", "A", ""], ["b", "", "B", ""]]);
    }

    #[test]
    fn corporations_by_field() {
        let xml = field(
            "710",
            "2 ",
            &[
                ('a', "Spolek"),
                ('c', "Ústí"),
                ('c', "Praha"),
                ('d', "1900"),
            ],
        ) + &field("110", "2 ", &[('a', "Úřad")]);
        let record = Record::from_xml(&format!("<record>{xml}</record>")).unwrap();
        let [first, second] = &record.corporations()[..] else {
            panic!()
        };
        assert_eq!(first.name, "Úřad");
        assert_eq!((&*second.place, &*second.date), ("Ústí,Praha", "1900"));
    }
}
