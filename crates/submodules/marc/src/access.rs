//! Asking a record by field, subfield and indicators.

use crate::{DataField, Error, Record};

/// What a short form found in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// The text of a control field, never empty.
    Control(&'a str),
    /// All occurrences of a data field.
    Fields(&'a [DataField]),
    /// Values of a subfield; may be empty.
    Values(Vec<&'a str>),
    /// The record has no such field.
    Nothing,
}

impl Record {
    /// All values of a subfield over all occurrences of a field, in order. An indicator that is given has to be equal.
    ///
    /// # Errors
    /// [`Error::FieldId`] if `field` has not exactly three characters.
    pub fn get(
        &self,
        field: &str,
        code: char,
        ind1: Option<char>,
        ind2: Option<char>,
    ) -> Result<Vec<&str>, Error> {
        if field.chars().count() != 3 {
            return Err(Error::FieldId(field.to_owned()));
        }
        Ok(self
            .fields(field)
            .iter()
            .filter(|f| ind1.is_none_or(|i| f.ind1 == i) && ind2.is_none_or(|i| f.ind2 == i))
            .flat_map(|f| f.values(code))
            .collect())
    }

    /// Asks by one string: `001` is a control field or else the data fields of that id; with one to three characters
    /// more it is field, subfield and indicators, so `260b` followed by two blanks means both indicators blank.
    ///
    /// # Errors
    /// [`Error::ShortForm`] if `what` has under three or over six characters.
    pub fn lookup(&self, what: &str) -> Result<Found<'_>, Error> {
        let split = what.char_indices().nth(3).map_or(what.len(), |(i, _)| i);
        let (field, rest) = what.split_at(split);
        let mut rest = rest.chars();
        let (code, ind1, ind2) = (rest.next(), rest.next(), rest.next());
        if field.chars().count() < 3 || rest.next().is_some() {
            return Err(Error::ShortForm(what.to_owned()));
        }
        if let Some(code) = code {
            return self.get(field, code, ind1, ind2).map(Found::Values);
        }
        Ok(match (self.control(field), self.fields(field)) {
            (Some(text), _) if !text.is_empty() => Found::Control(text),
            (_, []) => Found::Nothing,
            (_, fields) => Found::Fields(fields),
        })
    }

    /// Like [`get`](Self::get) with any indicators, for ids written in this crate.
    pub(crate) fn values<'a>(
        &'a self,
        field: &str,
        code: char,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields(field).iter().flat_map(move |f| f.values(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::from_xml(
            r#"<record>
            <controlfield tag="001">x1</controlfield><controlfield tag="STA"></controlfield>
            <datafield tag="260" ind1=" " ind2=" "><subfield code="b">A</subfield><subfield code="b">B</subfield></datafield>
            <datafield tag="260" ind1="2" ind2=" "><subfield code="b">C</subfield></datafield>
            <datafield tag="STA" ind1=" " ind2=" "><subfield code="a">D</subfield></datafield>
            </record>"#,
        )
        .unwrap()
    }

    #[test]
    fn get_filters_by_indicators() {
        let record = record();
        assert_eq!(record.get("260", 'b', None, None).unwrap(), ["A", "B", "C"]);
        assert_eq!(
            record.get("260", 'b', Some(' '), Some(' ')).unwrap(),
            ["A", "B"]
        );
        assert_eq!(record.get("260", 'b', Some('2'), None).unwrap(), ["C"]);
        assert!(record.get("999", 'b', None, None).unwrap().is_empty());
        assert_eq!(
            record.get("26", 'b', None, None),
            Err(Error::FieldId("26".into()))
        );
    }

    #[test]
    fn short_forms() {
        let record = record();
        assert_eq!(record.lookup("001").unwrap(), Found::Control("x1"));
        assert_eq!(record.lookup("999").unwrap(), Found::Nothing);
        assert_eq!(
            record.lookup("260b").unwrap(),
            Found::Values(vec!["A", "B", "C"])
        );
        assert_eq!(
            record.lookup("260b  ").unwrap(),
            Found::Values(vec!["A", "B"])
        );
        assert_eq!(record.lookup("260b2").unwrap(), Found::Values(vec!["C"]));
        assert_eq!(
            record.lookup("260").unwrap(),
            Found::Fields(record.fields("260"))
        );
        // an empty control field gives way to the data field of the same id
        assert_eq!(
            record.lookup("STA").unwrap(),
            Found::Fields(record.fields("STA"))
        );
        assert_eq!(record.lookup("26"), Err(Error::ShortForm("26".into())));
        assert_eq!(
            record.lookup("260b   "),
            Err(Error::ShortForm("260b   ".into()))
        );
        assert_eq!(record.lookup("žluťa").unwrap(), Found::Values(vec![]));
    }
}
