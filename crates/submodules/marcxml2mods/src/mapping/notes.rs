//! `abstract`, `tableOfContents`, `targetAudience`, `accessCondition` and `note`.

use crate::rules::Attribute::{self, Fixed, Link, Linked, Script};
use crate::rules::Clean::No;
use crate::rules::Rule::{By, Leaf};
use crate::rules::Text::{AllBut, First, Select};
use crate::rules::{Row, apply, start};
use crate::source::{Field, Source};
use crate::tree::Element;

use super::codes::Material::{Book, ComputerFile, Music, Visual};
use super::codes::{Codes, material, meaning};

pub(super) const SUMMARY: Row =
    Row::new("520", Leaf("abstract", &[Linked, Link], Select("ab"), No));

pub(super) const CONTENTS: Row = Row::new(
    "505",
    Leaf("tableOfContents", &[Linked, Link], Select("agrt"), No),
);

pub(super) const AUDIENCE: Row =
    Row::new("521", Leaf("targetAudience", &[Linked], Select("ab"), No));

pub(super) const ACCESS: Row = Row::new(
    "506",
    Leaf(
        "accessCondition",
        &[Fixed("type", "restrictionOnAccess"), Linked],
        Select("abcd35"),
        No,
    ),
);

pub(super) const USE: Row = Row::new(
    "540",
    Leaf(
        "accessCondition",
        &[Fixed("type", "useAndReproduction"), Linked],
        Select("abcde35"),
        No,
    ),
);

/// Before the audience of 008.
const FIRST: &[Row] = &[SUMMARY, CONTENTS, AUDIENCE, ACCESS, USE];

/// 008/22.
const AUDIENCES: Codes = &[
    ("d", "adolescent"),
    ("e", "adult"),
    ("g", "general"),
    ("bcj", "juvenile"),
    ("a", "preschool"),
    ("f", "specialized"),
];

pub(super) const RESPONSIBILITY: Row = Row::new("245", By(responsibility));

pub(super) const DESIGNATION: Row = note(
    "362",
    &[Fixed("type", "date/sequential designation"), Linked, Link],
    "68",
);

const fn note(field: &'static str, attributes: &'static [Attribute], without: &'static str) -> Row {
    Row::new(field, Leaf("note", attributes, AllBut(without), No))
}

const GENERAL: Row = Row::new("500", Leaf("note", &[Linked, Link], First('a'), No));

/// Notes of which the standard says what they are about.
pub(super) const TYPED: &[Row] = &[
    note("502", &[Fixed("type", "thesis"), Linked, Link], "68"),
    note("504", &[Fixed("type", "bibliography"), Linked, Link], "68"),
    note(
        "508",
        &[Fixed("type", "creation/production credits"), Linked, Link],
        "u368",
    ),
    note("511", &[Fixed("type", "performers"), Linked, Link], "68"),
    note("515", &[Fixed("type", "numbering"), Linked, Link], "68"),
    note("518", &[Fixed("type", "venue"), Linked, Link], "368"),
    note(
        "524",
        &[Fixed("type", "preferred citation"), Linked, Link],
        "68",
    ),
    note(
        "530",
        &[Fixed("type", "additional physical form"), Linked, Link],
        "u368",
    ),
    note("533", &[Fixed("type", "reproduction"), Linked, Link], "68"),
    note(
        "534",
        &[Fixed("type", "original version"), Linked, Link],
        "68",
    ),
    note(
        "535",
        &[Fixed("type", "original location"), Linked, Link],
        "68",
    ),
    note("536", &[Fixed("type", "funding"), Linked, Link], "68"),
    note(
        "538",
        &[Fixed("type", "system details"), Linked, Link],
        "68",
    ),
    note("541", &[Fixed("type", "acquisition"), Linked, Link], "68"),
    note(
        "545",
        &[Fixed("type", "biographical/historical"), Linked, Link],
        "68",
    ),
    note("546", &[Fixed("type", "language"), Linked, Link], "68"),
    note("561", &[Fixed("type", "ownership"), Linked, Link], "68"),
    note(
        "562",
        &[Fixed("type", "version identification"), Linked, Link],
        "68",
    ),
    note("581", &[Fixed("type", "publications"), Linked, Link], "68"),
    note("583", &[Fixed("type", "action"), Linked, Link], "68"),
    note("585", &[Fixed("type", "exhibitions"), Linked, Link], "68"),
];

/// Notes without a type.
pub(super) const OTHER: Row = note(
    "501 507 513 514 516 522 525 526 544 547 550 552 555 556 565 567 580 584 586",
    &[Linked, Link],
    "68",
);

pub(super) fn all(source: &Source<'_>, to: &mut Vec<Element>) {
    apply(FIRST, source, to);
    if let Some(Book | ComputerFile | Music | Visual) = material(source) {
        let audience = meaning(AUDIENCES, source.c008(22));
        to.extend(
            audience
                .map(|text| Element::leaf("targetAudience", text).with("authority", "marctarget")),
        );
    }
    apply(&[RESPONSIBILITY, DESIGNATION, GENERAL], source, to);
    apply(TYPED, source, to);
    apply(&[OTHER], source, to);
}

/// The statement of responsibility. It is there for every title as soon as one of them has it or is linked to another
/// script; a title in another script alone has none.
fn responsibility(source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    const IN_SCRIPTS: &[Attribute] = &[
        Fixed("type", "statement of responsibility"),
        Fixed("altRepGroup", "00"),
        Script,
    ];
    const PLAIN: &[Attribute] = &[Fixed("type", "statement of responsibility"), Script];
    let is_linked = || source.values("880", '6').any(|link| link.contains("245"));
    let attributes = if source.has_field("245") && is_linked() {
        IN_SCRIPTS
    } else if source.fields("245").any(|f| f.has("c")) {
        PLAIN
    } else {
        return;
    };
    let note = start("note", attributes, source, field);
    to.push(note.containing(field.select("c").join(" ")));
}
