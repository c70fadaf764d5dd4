//! `titleInfo`: the title, and other titles the publication is known by.

use crate::rules::Attribute::{Beside, Fixed, Last, Linked};
use crate::rules::Clean::Chop;
use crate::rules::Rule::{By, Group, Leaf};
use crate::rules::Text::{Select, UniformTitle};
use crate::rules::{Around, Row};
use crate::source::{Field, Source};
use crate::text::{chop, split_characters};
use crate::tree::Element;

use super::parts::{PART, SUBTITLE};

/// The main title; every conversion has it.
pub(super) const OF_245: &[Row] = &[TITLE];

const TITLE: Row = Row::new(
    "245",
    Group(
        "titleInfo",
        &[Linked],
        &[By(title_proper), By(title_rest), PART],
    ),
);

pub(super) const ABBREVIATED: Row = Row::new(
    "210",
    Group(
        "titleInfo",
        &[Fixed("type", "abbreviated"), Linked],
        &[Leaf("title", &[], Select("a"), Chop), SUBTITLE],
    ),
);

pub(super) const VARYING: Row = Row::new(
    "246",
    Group(
        "titleInfo",
        &[
            Fixed("type", "alternative"),
            Linked,
            Last("displayLabel", 'i'),
        ],
        &[Leaf("title", &[], Select("af"), Chop), SUBTITLE, PART],
    ),
);

pub(super) const UNIFORM: Row = Row::new(
    "240",
    Group(
        "titleInfo",
        &[
            Fixed("type", "uniform"),
            Beside("nameTitleGroup", "1", "100 110 111"),
            Linked,
        ],
        &[Leaf("title", &[], UniformTitle, Chop), PART],
    ),
);

pub(super) const UNCONTROLLED: Row = Row::new(
    "740",
    Group(
        "titleInfo",
        &[Fixed("type", "alternative"), Linked],
        &[Leaf("title", &[], Select("ah"), Chop), PART],
    ),
);

pub(super) const ADDED_UNIFORM: Row = Row::new(
    "730",
    Group(
        "titleInfo",
        &[Fixed("type", "uniform")],
        &[Leaf("title", &[], UniformTitle, Chop), PART],
    ),
);

const TRANSLATED: Row = Row::new(
    "242",
    Group(
        "titleInfo",
        &[Fixed("type", "translated"), Last("lang", 'y')],
        &[By(translated), SUBTITLE, PART],
    ),
);

/// 130 is missing, as in the original.
pub(super) const TABLE: &[Row] = &[
    TITLE,
    ABBREVIATED,
    VARYING,
    UNIFORM,
    UNCONTROLLED,
    ADDED_UNIFORM,
    TRANSLATED,
];

/// The title in another script: the article goes without being written.
pub(super) const IN_OTHER_SCRIPT: Row = Row::new(
    "880",
    Group(
        "titleInfo",
        &[Linked],
        &[By(title_without_article), By(title_rest), PART],
    ),
);

fn of_245(field: &Field<'_>) -> String {
    let values = if field.has("b") {
        let before_b = Around {
            mark: 'b',
            any: "",
            before: "afgk",
            after: "",
        };
        before_b.of(field)
    } else {
        field.select("afgk")
    };
    chop(&values.join(" ")).to_owned()
}

/// The second indicator counts the characters of the article, which does not sort.
fn push_title(title: &str, field: &Field<'_>, with_article: bool, to: &mut Vec<Element>) {
    let count = field.i2.number.filter(|count| *count > 0);
    let (article, rest) = match count {
        Some(count) => split_characters(title, count as usize),
        None => ("", title),
    };
    if count.is_some() && with_article {
        to.push(Element::leaf("nonSort", article));
    }
    to.push(Element::leaf("title", rest));
}

fn title_proper(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    push_title(&of_245(field), field, true, to);
}

fn title_without_article(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    push_title(&of_245(field), field, false, to);
}

fn translated(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let title = field.select("a").join(" ");
    push_title(chop(&title), field, true, to);
}

fn title_rest(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    if field.has("b") {
        let rest = Around {
            mark: 'b',
            any: "b",
            before: "",
            after: "fgk",
        };
        to.push(Element::leaf("subTitle", chop(&rest.of(field).join(" "))));
    }
}
