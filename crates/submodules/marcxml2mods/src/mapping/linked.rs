//! Fields in other scripts: each 880 is one of the record's fields in another script. Its `$6` begins with the id of that
//! field, whose rule it goes by.

use crate::rules::Row;
use crate::source::Source;
use crate::text::split_characters;
use crate::tree::Element;

use super::{classification, genre, location, names, notes, related, subjects, titles};

/// By the id in `$6`.
const RULES: &[(&str, &[&Row])] = &[
    ("047", &[&genre::OF_MUSIC]),
    ("655", &[&genre::OF_FORM]),
    ("050", &[&classification::CONGRESS]),
    ("060", &[&classification::MEDICINE]),
    ("080", &[&classification::UNIVERSAL]),
    ("082", &[&classification::DEWEY]),
    // three that the original took for their neighbours: 084, 086, and 111 and 711 below
    ("084", &[&classification::UNIVERSAL]),
    ("086", &[&classification::DEWEY]),
    ("100", &[&names::AUTHOR]),
    ("110", &[&names::AUTHOR_BODY]),
    ("111", &[&names::AUTHOR_BODY]),
    ("700", &[&names::ADDED_PERSON]),
    ("710", &[&names::ADDED_BODY]),
    ("711", &[&names::ADDED_BODY]),
    ("210", &[&titles::ABBREVIATED]),
    ("245", &[&titles::IN_OTHER_SCRIPT, &notes::RESPONSIBILITY]),
    ("246", &[&titles::VARYING]),
    ("240", &[&titles::UNIFORM]),
    ("740", &[&titles::UNCONTROLLED]),
    ("730", &[&titles::ADDED_UNIFORM]),
    ("505", &[&notes::CONTENTS]),
    ("520", &[&notes::SUMMARY]),
    ("521", &[&notes::AUDIENCE]),
    ("506", &[&notes::ACCESS]),
    ("540", &[&notes::USE]),
    ("362", &[&notes::DESIGNATION]),
    ("852", &[&location::HOLDING]),
    ("910", &[&location::UNION_HOLDING]),
    ("856", &[&location::ADDRESS]),
    ("490", &[&related::SERIES_STATEMENT]),
];

/// Notes without a type that have no counterpart here.
const NOT_LINKED: [&str; 2] = ["547", "550"];

pub(super) fn other_scripts(source: &Source<'_>, to: &mut Vec<Element>) {
    for field in source.fields("880") {
        let link: String = field.link().into_iter().collect();
        let (tag, _) = split_characters(&link, 3);
        let rules = RULES.iter().find(|(id, _)| *id == tag);
        let tables = [notes::TYPED, &[notes::OTHER], subjects::TABLE].into_iter();
        let in_tables = tables
            .flatten()
            .find(|row| row.fields.split(' ').any(|id| id == tag) && !NOT_LINKED.contains(&tag));
        let rows = rules.map_or(&[] as &[&Row], |(_, rows)| rows);
        for row in rows.iter().copied().chain(in_tables) {
            row.makes.apply(source, field, to);
        }
    }
}
