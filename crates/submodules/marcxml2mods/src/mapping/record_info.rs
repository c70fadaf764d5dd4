//! `recordInfo`: about the record itself.

use crate::rules::Attribute::Fixed;
use crate::rules::Clean::No;
use crate::rules::Rule::{All, Each, Group, Leaf, When};
use crate::rules::Text::{First, Value};
use crate::rules::{Row, apply};
use crate::source::Source;
use crate::tree::Element;

const MAKER: &[Row] = &[Row::new(
    "040",
    All(&[
        When("e", &[Leaf("descriptionStandard", &[], First('e'), No)]),
        Leaf(
            "recordContentSource",
            &[Fixed("authority", "marcorg")],
            First('a'),
            No,
        ),
    ]),
)];

const LANGUAGE: &[Row] = &[Row::new(
    "040",
    Each(
        "b",
        &Group(
            "languageOfCataloging",
            &[],
            &[Leaf(
                "languageTerm",
                &[Fixed("authority", "iso639-2b"), Fixed("type", "code")],
                Value,
                No,
            )],
        ),
    ),
)];

pub(super) fn record_info(source: &Source<'_>) -> Element {
    let mut info = Element::new("recordInfo");
    let to = &mut info.children;
    if source.leader(18) == Some('a') {
        to.push(Element::leaf("descriptionStandard", "aacr"));
    }
    apply(MAKER, source, to);
    if source.control("008").is_some() {
        let date = Element::leaf("recordCreationDate", source.c008_range(0, 5));
        to.push(date.with("encoding", "marc"));
    }
    if let Some(date) = source.control("005") {
        let date = Element::leaf("recordChangeDate", date);
        to.push(date.with("encoding", "iso8601"));
    }
    if let Some(number) = source.control("001") {
        let mut identifier = Element::leaf("recordIdentifier", number);
        if let Some(agency) = source.control("003") {
            identifier.set("source", agency);
        }
        to.push(identifier);
    }
    to.push(Element::leaf("recordOrigin", "machine generated"));
    apply(LANGUAGE, source, to);
    info
}
