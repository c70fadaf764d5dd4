//! `identifier`: ISBN, ISSN and the other numbers of a publication.

use crate::rules::Attribute::{Fixed, If};
use crate::rules::Clean::{No, Squeeze};
use crate::rules::Only::{First as FirstIndicator, FirstIs};
use crate::rules::Rule::{self, All, By, Each, Leaf, When};
use crate::rules::Text::{First, Select, Value};
use crate::rules::{Attribute, Row};
use crate::source::{Field, Source};
use crate::text::{after, chop, squeeze};
use crate::tree::Element;

const INVALID: Attribute = Fixed("invalid", "yes");

const CCNB: Attribute = Fixed("type", "ccnb");
const ISSN: Attribute = Fixed("type", "issn");
const ISSN_L: Attribute = Fixed("type", "issn-l");
const LCCN: Attribute = Fixed("type", "lccn");

/// The handle of a field 856; the original asks for it twice.
const HANDLE: Row = Row::new("856", By(handle));

pub(super) const TABLE: &[Row] = &[
    Row::new(
        "015",
        All(&[
            When("a", &[Leaf("identifier", &[CCNB], First('a'), No)]),
            Each("z", &Leaf("identifier", &[CCNB, INVALID], Value, No)),
        ]),
    ),
    Row::new("020", By(|_, field, to| numbers("isbn", field, to))),
    Row::only(
        "024",
        FirstIs('0'),
        When(
            "a",
            &[Leaf("identifier", &[Fixed("type", "isrc")], First('a'), No)],
        ),
    ),
    Row::only(
        "024",
        FirstIs('2'),
        By(|_, field, to| numbers("ismn", field, to)),
    ),
    Row::only(
        "024",
        FirstIs('4'),
        Leaf("identifier", &[Fixed("type", "sici")], Select("ab"), No),
    ),
    Row::only("024", FirstIs('8'), Leaf("identifier", &[], First('a'), No)),
    Row::new(
        "022",
        All(&[
            When("a", &[Leaf("identifier", &[ISSN], First('a'), No)]),
            Each("z", &Leaf("identifier", &[ISSN, INVALID], Value, No)),
            Each("y", &Leaf("identifier", &[ISSN, INVALID], Value, No)),
            Each("l", &Leaf("identifier", &[ISSN_L], Value, No)),
            Each("m", &Leaf("identifier", &[ISSN_L, INVALID], Value, No)),
        ]),
    ),
    Row::new(
        "010",
        When("a", &[Leaf("identifier", &[LCCN], First('a'), Squeeze)]),
    ),
    Row::new(
        "010",
        When(
            "z",
            &[Leaf("identifier", &[LCCN, INVALID], First('z'), Squeeze)],
        ),
    ),
    Row::new("028", By(publisher_number)),
    Row::new("035", By(oclc)),
    Row::new(
        "037",
        Leaf(
            "identifier",
            &[
                Fixed("type", "stock number"),
                If("displayLabel", "c", Select("c")),
            ],
            Select("ab"),
            No,
        ),
    ),
    HANDLE,
    Row::only("024", FirstIndicator(1), UPC),
    HANDLE,
];

const UPC: Rule = Leaf("identifier", &[Fixed("type", "upc")], First('a'), No);

/// ISBN or ISMN: the first `$a` and each `$z`, unless it is only a remark in brackets.
fn numbers(kind: &str, field: &Field<'_>, to: &mut Vec<Element>) {
    let number = |text: &str| Element::leaf("identifier", chop(text)).with("type", kind);
    let is_number = |text: &&str| !text.starts_with('(');
    to.extend(field.values('a').take(1).filter(is_number).map(number));
    let invalid = field.values('z').filter(is_number).map(number);
    to.extend(invalid.map(|element| element.with("invalid", "yes")));
}

fn publisher_number(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let kind = match field.i1.character {
        '0' => "issue number",
        '1' => "matrix number",
        '2' => "music plate",
        '3' => "music publisher",
        '4' => "videorecording identifier",
        _ => "",
    };
    let number = field.select("ab").join(" ");
    to.push(Element::leaf("identifier", number).with("type", kind));
}

fn oclc(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    const PREFIX: &str = "(OCoLC)";
    if field.values('a').any(|number| number.contains(PREFIX)) {
        let number = squeeze(after(field.first('a'), PREFIX));
        to.push(Element::leaf("identifier", number).with("type", "oclc"));
    }
}

fn handle(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    const SERVER: &str = "http://hdl.loc.gov";
    let url = field.first('u');
    let is_name = url.starts_with("urn:hdl") || url.starts_with("hdl");
    let name = format!("hdl:{}", after(url, "http://hdl.loc.gov/"));
    let identifier = Element::leaf("identifier", name).with("type", "hdl");
    if is_name || url.starts_with(SERVER) {
        to.push(identifier.clone());
    }
    if is_name {
        let label = field.select("y3z").join(" ");
        to.push(match field.has("y3z") {
            true => identifier.with("displayLabel", label),
            false => identifier,
        });
    }
}
