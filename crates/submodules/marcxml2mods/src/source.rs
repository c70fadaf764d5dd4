//! The record as the mapping sees it: data fields by id, subfields by code, both sorted.
//!
//! Ids and codes that begin with a digit come after all others (`POV`, `015`, `020`; `A`, `a`, `2`), those alike in the
//! order of the document. So the original's record library kept them, and its documents show it.

use std::cell::OnceCell;

use edeposit_marc::xml::excerpt;
use edeposit_marc::{Dialect, Record};

use crate::ConversionError;
use crate::text::{is_xml_character, squeeze, strip};

/// How many parts values may be cut into, and how many elements may come of pairs of fields. No real record has a
/// hundredth of it.
const PARTS: usize = 20_000;

/// Fields each of which is compared with others, and how often they may occur.
const COMPARED: [&str; 7] = ["045", "245", "250", "260", "300", "856", "880"];
const OCCURRENCES: usize = 1000;

/// A record in the mapping's order.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    record: &'a Record,
    /// Whether the original's accidents are wanted.
    pub(crate) compat: bool,
    leader: Option<&'a str>,
    leader_characters: Vec<char>,
    f007: Vec<char>,
    f008: Vec<char>,
    pub(crate) fields: Vec<Field<'a>>,
    /// Whether any field has a `$6`, the link to the same field in another script.
    pub(crate) linked: bool,
    pub(crate) groups: OnceCell<Groups>,
}

/// What is found out of a record's links once.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// `altRepGroup` of the imprint, of the imprint by 260 alone, and of the extent.
    pub(crate) imprint: String,
    pub(crate) imprint_of_260: String,
    pub(crate) extent: String,
    /// Texts of `edition` in other scripts.
    pub(crate) editions: Vec<String>,
}

/// A data field.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) tag: &'a str,
    pub(crate) i1: Indicator,
    pub(crate) i2: Indicator,
    pub(crate) subfields: Vec<(char, &'a str)>,
}

/// An indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indicator {
    pub(crate) character: char,
    /// Its value where it is compared with numbers. A blank has none and so is unlike any number.
    pub(crate) number: Option<u32>,
}

impl Indicator {
    fn new(character: char, compat: bool) -> Self {
        // Aleph and others show a blank as one of these; the original's comparisons with numbers took the hyphen for 0,
        // those with texts (024, 028, 653) did not
        let character = match character {
            '-' | '#' if !compat => ' ',
            other => other,
        };
        let number = match character {
            '-' => Some(0),
            other => other.to_digit(10),
        };
        Self { character, number }
    }

    pub(crate) fn is(self, number: u32) -> bool {
        self.number == Some(number)
    }

    pub(crate) fn is_blank(self) -> bool {
        self.character == ' '
    }
}

impl<'a> Source<'a> {
    /// # Errors
    /// A character that no XML may have; so many parts of values that a document of them would be an attack.
    pub(crate) fn new(record: &'a Record, compat: bool) -> Result<Self, ConversionError> {
        let mut fields = Vec::new();
        for (tag, occurrences) in &record.datafields {
            for field in occurrences {
                let mut subfields: Vec<_> = field
                    .subfields
                    .iter()
                    .map(|subfield| (subfield.code, subfield.value.as_str()))
                    .collect();
                subfields.sort_by_key(|(code, _)| (code.is_ascii_digit(), *code));
                fields.push(Field {
                    tag: tag.as_str(),
                    i1: Indicator::new(field.ind1, compat),
                    i2: Indicator::new(field.ind2, compat),
                    subfields,
                });
            }
        }
        fields.sort_by_key(|field| order(field.tag));
        let leader = match record.dialect {
            Dialect::OaiMarc if compat => record.leader.as_deref().map(strip),
            _ => record.leader.as_deref(),
        };
        let leader = leader.filter(|text| !text.is_empty());
        let linked = fields.iter().any(|field| field.has("6"));
        let characters = |id| record.control(id).unwrap_or_default().chars().collect();
        let source = Self {
            record,
            compat,
            leader,
            leader_characters: leader.unwrap_or_default().chars().collect(),
            f007: characters("007"),
            f008: characters("008"),
            fields,
            linked,
            groups: OnceCell::new(),
        };
        source.check_characters()?;
        source.check_parts()?;
        Ok(source)
    }

    /// Numbers that the mapping leaves out, so that cataloguers can be told.
    pub(crate) fn log_what_is_lost(&self) {
        let several = self.fields("020").filter(|f| f.values('a').count() > 1);
        for field in several {
            let kept = excerpt(field.first('a'), 40);
            tracing::info!(
                kept,
                "a field 020 has more than one number, only the first is written"
            );
        }
    }

    /// Takes publishers of RDA records (264 with second indicator 1) for those of 260, if the record has no 260.
    pub(crate) fn read_imprints_of_rda(&mut self) {
        if self.has_field("260") {
            return;
        }
        for field in &mut self.fields {
            if field.tag == "264" && field.i2.is(1) {
                field.tag = "260";
            }
        }
        self.fields.sort_by_key(|field| order(field.tag));
    }

    /// The text of a control field whose id is a number; others are not part of the mapping.
    pub(crate) fn control(&self, id: &str) -> Option<&'a str> {
        self.record.control(id)
    }

    pub(crate) fn has_leader(&self) -> bool {
        self.leader.is_some()
    }

    /// A character of the leader, counted from 0; none if the leader is missing or too short.
    pub(crate) fn leader(&self, position: usize) -> Option<char> {
        self.leader_characters.get(position).copied()
    }

    /// A character of 007.
    pub(crate) fn c007(&self, position: usize) -> Option<char> {
        self.f007.get(position).copied()
    }

    /// A character of 008.
    pub(crate) fn c008(&self, position: usize) -> Option<char> {
        self.f008.get(position).copied()
    }

    /// Characters of 008 from the first to the last position given, as many as there are.
    pub(crate) fn c008_range(&self, first: usize, last: usize) -> String {
        self.f008
            .iter()
            .skip(first)
            .take(last + 1 - first)
            .collect()
    }

    /// Whether 007 begins with these two characters.
    pub(crate) fn f007_begins(&self, with: &str) -> bool {
        self.f007.iter().take(2).copied().eq(with.chars())
    }

    /// All fields with one of these ids, which are separated by blanks, in order.
    pub(crate) fn fields<'s>(&'s self, tags: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        // most rows are about one field, and fields are sorted
        let one = tags.len() == 3;
        let range = match one {
            true => {
                let begin = self.fields.partition_point(|f| order(f.tag) < order(tags));
                let rest = &self.fields[begin..];
                &rest[..rest.partition_point(|f| f.tag == tags)]
            }
            false => &self.fields[..],
        };
        range
            .iter()
            .filter(move |field| one || tags.split(' ').any(|tag| tag == field.tag))
    }

    pub(crate) fn has_field(&self, tags: &str) -> bool {
        self.fields(tags).next().is_some()
    }

    /// All values of a subfield over all occurrences of a field.
    pub(crate) fn values<'s>(
        &'s self,
        tag: &'s str,
        code: char,
    ) -> impl Iterator<Item = &'a str> + 's {
        self.fields(tag).flat_map(move |field| field.values(code))
    }

    fn check_characters(&self) -> Result<(), ConversionError> {
        let controls = ["001", "003", "005", "007", "008"];
        let controls = controls
            .into_iter()
            .filter_map(|id| Some((id, self.control(id)?)));
        let values = self
            .fields
            .iter()
            .flat_map(|field| field.subfields.iter().map(|(_, value)| (field.tag, *value)));
        for (id, text) in controls.chain(values) {
            check_characters(&format_args!("field {id}"), text)?;
        }
        Ok(())
    }

    fn check_parts(&self) -> Result<(), ConversionError> {
        let others = self.fields("880");
        let imprints = others.filter(|f| f.first('6').starts_with("260-")).count();
        let editions = self.values("880", '6').filter(|v| v.contains("250"));
        let mut parts = imprints.saturating_mul(editions.count());
        for field in self.fields("041 775 910") {
            parts += match field.tag {
                "041" => field.subfields.iter().map(|(_, v)| v.len() / 3).sum(),
                "775" => field.values('e').map(|v| v.len() / 3).sum(),
                _ => field.first('b').matches(',').count(),
            };
        }
        within(parts, PARTS, "parts of values")?;
        for tag in COMPARED {
            within(self.fields(tag).count(), OCCURRENCES, "fields of one kind")?;
        }
        within(self.values("041", 'a').count(), OCCURRENCES, "languages")
    }
}

fn within(amount: usize, limit: usize, what: &'static str) -> Result<(), ConversionError> {
    match amount > limit {
        true => Err(ConversionError::TooMuch { what, limit }),
        false => Ok(()),
    }
}

/// By what the ids of fields are sorted.
fn order(tag: &str) -> (bool, &str) {
    (tag.starts_with(|c: char| c.is_ascii_digit()), tag)
}

/// Refuses a text that no XML document could hold.
pub(crate) fn check_characters(
    place: &dyn std::fmt::Display,
    text: &str,
) -> Result<(), ConversionError> {
    match text.chars().find(|c| !is_xml_character(*c)) {
        None => Ok(()),
        Some(character) => Err(ConversionError::Character {
            place: place.to_string(),
            code: u32::from(character),
        }),
    }
}

impl<'a> Field<'a> {
    /// All values with this code.
    pub(crate) fn values(&self, code: char) -> impl Iterator<Item = &'a str> + '_ {
        self.subfields
            .iter()
            .filter(move |(c, _)| *c == code)
            .map(|(_, value)| *value)
    }

    /// The first value with this code, or nothing.
    pub(crate) fn first(&self, code: char) -> &'a str {
        self.values(code).next().unwrap_or_default()
    }

    /// Whether there is a subfield with one of these codes.
    pub(crate) fn has(&self, codes: &str) -> bool {
        self.subfields.iter().any(|(code, _)| codes.contains(*code))
    }

    /// All values with one of these codes, in order.
    pub(crate) fn select(&self, codes: &str) -> Vec<&'a str> {
        self.subfields
            .iter()
            .filter(|(code, _)| codes.contains(*code))
            .map(|(_, value)| *value)
            .collect()
    }

    /// The first `$6` with its white space collapsed, as characters.
    pub(crate) fn link(&self) -> Vec<char> {
        squeeze(self.first('6')).chars().collect()
    }

    /// The number in the first `$6` by which fields in several scripts belong together; empty if there is none.
    pub(crate) fn link_number(&self) -> String {
        self.link().into_iter().skip(4).take(2).collect()
    }
}
