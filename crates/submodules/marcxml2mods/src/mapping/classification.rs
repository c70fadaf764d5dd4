//! `classification`: what the publication is about, as a code of a classification (Congress, UDC, Dewey and others).

use crate::rules::Attribute::{AuthorityOf2, Fixed, If, Linked};
use crate::rules::Clean::No;
use crate::rules::Row;
use crate::rules::Rule::{By, Leaf};
use crate::rules::Text::{First, Select};
use crate::source::{Field, Source};
use crate::tree::Element;

pub(super) const CONGRESS: Row = Row::new("050", By(congress));

pub(super) const MEDICINE: Row = Row::new(
    "060",
    Leaf(
        "classification",
        &[Fixed("authority", "nlm"), Linked],
        Select("ab"),
        No,
    ),
);

pub(super) const UNIVERSAL: Row = Row::new(
    "080",
    Leaf(
        "classification",
        &[Fixed("authority", "udc"), Linked],
        Select("abx"),
        No,
    ),
);

pub(super) const DEWEY: Row = Row::new(
    "082",
    Leaf(
        "classification",
        &[
            Fixed("authority", "ddc"),
            Linked,
            If("edition", "2", First('2')),
        ],
        Select("ab"),
        No,
    ),
);

/// 086 is missing, as in the original.
pub(super) const TABLE: &[Row] = &[
    CONGRESS,
    MEDICINE,
    UNIVERSAL,
    DEWEY,
    Row::new(
        "084",
        Leaf("classification", &[AuthorityOf2, Linked], Select("ab"), No),
    ),
];

/// Each item number with the class it belongs to, then the classes that have none.
fn congress(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let mut push = |text: String| {
        let mut element = Element::leaf("classification", text).with("authority", "lcc");
        if field.has("3") {
            element.set("displayLabel", field.first('3'));
        }
        to.push(element);
    };
    let mut class = "";
    for (code, value) in &field.subfields {
        match code {
            'a' => class = value,
            'b' => push(format!("{class} {value}")),
            _ => {}
        }
    }
    // codes are sorted: an item number comes after every class
    if !field.has("b") {
        field.values('a').for_each(|class| push(class.to_owned()));
    }
}
