//! `originInfo`: who published it, where and when.

use crate::rules::Attribute::{Fixed, Script};
use crate::rules::Clean::{Chop, ChopBoth, ChopButStop, No};
use crate::rules::Rule::{self, All, By, Each, Group, Leaf};
use crate::rules::Text::{Select, Value};
use crate::rules::{Attribute, Only, Row, apply, start};
use crate::source::{Field, Groups, Source};
use crate::text::{chop, squeeze};
use crate::tree::Element;

use super::codes::Material::Serial;
use super::codes::{Codes, material, meaning};

const MARC: Attribute = Fixed("encoding", "marc");
const ISO: Attribute = Fixed("encoding", "iso8601");
const START: Attribute = Fixed("point", "start");
const END: Attribute = Fixed("point", "end");

const COUNTRY: Rule = Group(
    "place",
    &[],
    &[Leaf(
        "placeTerm",
        &[Fixed("type", "text"), Fixed("authority", "iso3166")],
        Value,
        No,
    )],
);

const TOWN: Rule = Group(
    "place",
    &[],
    &[Leaf("placeTerm", &[Fixed("type", "text")], Value, ChopBoth)],
);

const PUBLISHER: Rule = Leaf("publisher", &[], Value, ChopButStop);

const EDITION: Row = Row::new("250", Each("a", &Leaf("edition", &[], Value, No)));

/// What comes before the dates of 008.
const BEFORE_008: &[Row] = &[
    Row::new("044", Each("c", &COUNTRY)),
    Row::new("260", Each("a", &TOWN)),
    Row::new("046", Each("m", &Leaf("dateValid", &[START], Value, No))),
    Row::new("046", Each("n", &Leaf("dateValid", &[END], Value, No))),
    Row::new("046", Each("j", &Leaf("dateModified", &[], Value, No))),
    Row::new(
        "046",
        Each("c", &Leaf("dateIssued", &[MARC, START], Value, No)),
    ),
    Row::new(
        "046",
        Each("e", &Leaf("dateIssued", &[MARC, END], Value, No)),
    ),
    Row::new(
        "046",
        Each("k", &Leaf("dateCreated", &[MARC, START], Value, No)),
    ),
    Row::new(
        "046",
        Each("l", &Leaf("dateCreated", &[MARC, END], Value, No)),
    ),
    Row::new(
        "260",
        // the subfields of one field come in the order of their codes
        All(&[
            Each("b", &PUBLISHER),
            Each("c", &Leaf("dateIssued", &[], Value, Chop)),
            Each("g", &Leaf("dateCreated", &[], Value, No)),
        ]),
    ),
];

const CAPTURED: Rule = Each("a", &Leaf("dateCaptured", &[ISO], Value, No));

/// Beginning and end of a span: its first and its second date.
const SPANS: &[Row] = &[
    Row::only("033", Only::First(2), By(span_start)),
    Row::only("033", Only::First(2), By(span_end)),
    EDITION,
];

const FREQUENCIES: &[Row] = &[Row::new("310", FREQUENCY), Row::new("321", FREQUENCY)];

const FREQUENCY: Rule = Leaf(
    "frequency",
    &[Fixed("authority", "marcfrequency")],
    Select("ab"),
    No,
);

/// 008/18 of serials.
const FREQUENCY_CODES: Codes = &[
    ("a", "Annual"),
    ("b", "Bimonthly"),
    ("c", "Semiweekly"),
    ("d", "Daily"),
    ("e", "Biweekly"),
    ("f", "Semiannual"),
    ("g", "Biennial"),
    ("h", "Triennial"),
    ("i", "Three times a week"),
    ("j", "Three times a month"),
    ("k", "Continuously updated"),
    ("m", "Monthly"),
    ("q", "Quarterly"),
    ("s", "Semimonthly"),
    ("t", "Three times a year"),
    ("u", "Unknown"),
    ("w", "Weekly"),
    ("#", "Completely irregular"),
];

/// A multi-volume work in few elements.
pub(super) const PUBLISHER_AND_EDITION: &[Row] = &[Row::new("260", Each("b", &PUBLISHER)), EDITION];

/// The imprint; always there, and perhaps empty.
pub(super) fn origin_info(source: &Source<'_>) -> Element {
    let mut origin = Element::new("originInfo");
    if source.linked {
        origin.set("script", "Latn");
    }
    set_group(&mut origin, &groups(source).imprint);
    let to = &mut origin.children;
    country(source, to);
    apply(BEFORE_008, source, to);
    dates_of_008(source, to);
    captured(source, to);
    apply(SPANS, source, to);
    if source.has_leader() {
        to.push(Element::leaf("issuance", issuance(source)));
    }
    apply(FREQUENCIES, source, to);
    to.extend(frequency_of_008(source));
    origin
}

fn country(source: &Source<'_>, to: &mut Vec<Element>) {
    let code = squeeze(&source.c008_range(15, 17));
    if !code.trim_matches('|').is_empty() {
        let term = Element::leaf("placeTerm", code)
            .with("type", "code")
            .with("authority", "marccountry");
        to.push(Element::new("place").holding([term]));
    }
}

fn captured(source: &Source<'_>, to: &mut Vec<Element>) {
    for field in source.fields("033") {
        if field.i1.is(0) || field.i1.is(1) {
            CAPTURED.apply(source, field, to);
        }
    }
}

fn span_start(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    to.extend(span_date(field, 0).map(|date| date.with("point", "start")));
}

fn span_end(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    to.extend(span_date(field, 1).map(|date| date.with("point", "end")));
}

fn span_date(field: &Field<'_>, which: usize) -> Option<Element> {
    let date = field.values('a').nth(which)?;
    Some(Element::leaf("dateCaptured", date).with("encoding", "iso8601"))
}

/// Dates of publication in codes. What has no digit (`||||`) is none.
fn dates_of_008(source: &Source<'_>, to: &mut Vec<Element>) {
    let first = squeeze(&source.c008_range(7, 10));
    let second = squeeze(&source.c008_range(11, 14));
    let imprint = chop(source.values("260", 'c').next().unwrap_or_default());
    let mut push = |name, date: &str, attributes: &[(&'static str, &str)]| {
        let is_date = source.compat || date.contains(|c: char| c.is_ascii_digit());
        if !date.is_empty() && is_date {
            let mut element = Element::leaf(name, date).with("encoding", "marc");
            for (attribute, value) in attributes {
                element.set(attribute, *value);
            }
            to.push(element);
        }
    };
    let (start, end) = (("point", "start"), ("point", "end"));
    let doubtful = ("qualifier", "questionable");
    match source.c008(6) {
        Some('e' | 'p' | 'r' | 's' | 't') if first != imprint => push("dateIssued", &first, &[]),
        Some('c' | 'd' | 'i' | 'k' | 'm' | 'u') => {
            push("dateIssued", &first, &[start]);
            push("dateIssued", &second, &[end]);
        }
        Some('q') if second.is_empty() && first != imprint => {
            push("dateIssued", &first, &[doubtful]);
        }
        Some('q') if !first.is_empty() && !second.is_empty() => {
            push("dateIssued", &first, &[start, doubtful]);
            push("dateIssued", &second, &[end, doubtful]);
        }
        _ => {}
    }
    if source.c008(6) == Some('t') {
        push("copyrightDate", &second, &[]);
    }
}

pub(super) fn issuance(source: &Source<'_>) -> &'static str {
    let in_parts = || source.fields("245").any(|field| field.has("np"));
    match (source.leader(7), source.leader(19)) {
        (Some('b' | 'i' | 's'), _) => "continuing",
        (Some('m'), Some('a')) => "multipart monograph",
        (Some('m'), _) if in_parts() => "multipart monograph",
        (Some('m'), Some(' ')) => "single unit",
        _ => "monographic",
    }
}

/// How often a serial appears, by its code.
pub(super) fn frequency_code(code: Option<char>) -> Option<&'static str> {
    meaning(FREQUENCY_CODES, code)
}

fn frequency_of_008(source: &Source<'_>) -> Option<Element> {
    if material(source) != Some(Serial) {
        return None;
    }
    let code = source.c008(18);
    let text = frequency_code(code)?;
    // the original's stylesheet breaks these lines
    if source.compat && matches!(code, Some('i' | 'j' | 'k' | 't' | '#')) {
        let (words, last) = text.rsplit_once(' ')?;
        let broken = format!("{words}\n{}{last}", "\t".repeat(9));
        return Some(Element::leaf("frequency", broken));
    }
    Some(Element::leaf("frequency", text))
}

/// The imprint and the extent in other scripts, from fields 880 that belong to a 260 or 300 of the record.
pub(super) fn in_other_scripts(source: &Source<'_>, to: &mut Vec<Element>) {
    for field in source.fields("880") {
        let Some((tag, number)) = field.first('6').split_once('-') else {
            continue;
        };
        let link: String = "880-".chars().chain(number.chars().take(2)).collect();
        let belongs = |to: &str| source.fields(to).any(|f| f.first('6').contains(&link));
        match tag {
            "260" if belongs("260") => to.push(imprint_in_other_script(source, field)),
            "300" if belongs("300") => to.push(extent_in_other_script(source, field)),
            _ => {}
        }
    }
}

fn imprint_in_other_script(source: &Source<'_>, field: &Field<'_>) -> Element {
    let mut origin = start("originInfo", &[Script], source, field);
    let groups = groups(source);
    set_group(&mut origin, &groups.imprint_of_260);
    let to = &mut origin.children;
    if field.has("a") {
        let term = Element::leaf("placeTerm", field.first('a')).with("type", "text");
        to.push(Element::new("place").holding([term]));
    }
    for (code, name) in [
        ('b', "publisher"),
        ('c', "dateIssued"),
        ('g', "dateCreated"),
    ] {
        to.extend(
            field
                .values(code)
                .next()
                .map(|text| Element::leaf(name, text)),
        );
    }
    let editions = groups.editions.iter();
    to.extend(editions.map(|text| Element::leaf("edition", text.as_str())));
    origin
}

fn extent_in_other_script(source: &Source<'_>, field: &Field<'_>) -> Element {
    let mut description = Element::new("physicalDescription");
    set_group(&mut description, &groups(source).extent);
    if source.leader(19) != Some('a') {
        let values = field.select("abc3");
        let text: String = values.iter().flat_map(|value| [*value, " "]).collect();
        description.children.push(Element::leaf("extent", text));
    }
    description
}

pub(super) fn set_group(element: &mut Element, group: &str) {
    if !group.is_empty() {
        element.set("altRepGroup", group);
    }
}

/// The numbers of links that an imprint and an extent carry, made of those of two fields each.
pub(super) fn groups<'s>(source: &'s Source<'_>) -> &'s Groups {
    source.groups.get_or_init(|| {
        let first_of = |tag| {
            let linked = source.fields(tag).find(|field| field.has("6"));
            linked.map(Field::link_number).unwrap_or_default()
        };
        let of_250 = first_of("250");
        let of_260 = first_of("260");
        let of_351 = first_of("351");
        let mut groups = Groups::default();
        let keep = |group: &mut String, found: String| {
            if !found.is_empty() {
                *group = found;
            }
        };
        for field in source.fields("250 260").filter(|field| field.has("ac")) {
            if field.tag == "260" {
                let found = of_250.clone() + &field.link_number();
                keep(&mut groups.imprint, found.clone());
                keep(&mut groups.imprint_of_260, found);
            } else if field.has("6") {
                keep(&mut groups.imprint, of_250.clone() + &of_260);
            } else {
                keep(&mut groups.imprint, of_260.clone());
            }
        }
        for field in source.fields("300") {
            keep(&mut groups.extent, of_351.clone() + &field.link_number());
        }
        for field in source.fields("880") {
            for (at, (code, value)) in field.subfields.iter().enumerate() {
                if *code == '6' && value.contains("250") {
                    let next = field.subfields.get(at + 1).map_or("", |(_, text)| text);
                    groups.editions.push(next.to_owned());
                }
            }
        }
        groups
    })
}
