//! `subject`: what the publication is about.

use crate::rules::Attribute::{Fixed, If, Link, Linked, Thesaurus};
use crate::rules::Clean::{Chop, No};
use crate::rules::Rule::{self, By, Each, Group, Leaf, When};
use crate::rules::Text::{First, Glued, Select, Value};
use crate::rules::{Attribute, Row};
use crate::source::{Field, Source};
use crate::text::chop;
use crate::tree::Element;

use super::parts::{AFFILIATION, DATE, PART, ROLE, TERMS};

/// What a heading is subdivided by.
const SUBDIVISIONS: Rule = By(subdivisions);

const NAMED_WORK: Rule = When(
    "t",
    &[Group(
        "titleInfo",
        &[],
        &[Leaf("title", &[], Select("t"), Chop), PART],
    )],
);

const HEADING: &[Attribute] = &[Linked, Thesaurus];

/// 034 is missing, as in the original.
pub(super) const TABLE: &[Row] = &[
    Row::new("043", Group("subject", &[Linked], &[By(area_codes)])),
    Row::new("045", By(time_span)),
    Row::new("255", Group("subject", &[Linked], &[By(map_data)])),
    Row::new(
        "600",
        Group(
            "subject",
            HEADING,
            &[
                Group(
                    "name",
                    &[Fixed("type", "personal")],
                    &[
                        TERMS,
                        Leaf("namePart", &[], Select("aq"), Chop),
                        DATE,
                        AFFILIATION,
                        ROLE,
                    ],
                ),
                NAMED_WORK,
                SUBDIVISIONS,
            ],
        ),
    ),
    Row::new(
        "610",
        Group(
            "subject",
            HEADING,
            &[
                Group(
                    "name",
                    &[Fixed("type", "corporate")],
                    &[
                        Each("a", &Leaf("namePart", &[], Value, No)),
                        Each("b", &Leaf("namePart", &[], Value, No)),
                        When("cdnp", &[Leaf("namePart", &[], Select("cdnp"), No)]),
                        ROLE,
                    ],
                ),
                NAMED_WORK,
                SUBDIVISIONS,
            ],
        ),
    ),
    Row::new(
        "611",
        Group(
            "subject",
            HEADING,
            &[
                Group(
                    "name",
                    &[Fixed("type", "conference")],
                    &[Leaf("namePart", &[], Select("abcdeqnp"), No), ROLE],
                ),
                When(
                    "t",
                    &[Group(
                        "titleInfo",
                        &[],
                        &[Leaf("title", &[], Select("tpn"), Chop), PART],
                    )],
                ),
                SUBDIVISIONS,
            ],
        ),
    ),
    Row::new(
        "630",
        Group(
            "subject",
            HEADING,
            &[
                Group(
                    "titleInfo",
                    &[],
                    &[Leaf("title", &[], Select("adfhklor"), Chop), PART],
                ),
                SUBDIVISIONS,
            ],
        ),
    ),
    Row::new(
        "648",
        Group(
            "subject",
            &[Linked, If("authority", "2", First('2')), Link, Thesaurus],
            &[Leaf("temporal", &[], Select("abcd"), Chop), SUBDIVISIONS],
        ),
    ),
    Row::new(
        "650",
        Group(
            "subject",
            HEADING,
            &[Leaf("topic", &[], Select("abcd"), Chop), SUBDIVISIONS],
        ),
    ),
    Row::new(
        "651",
        Group(
            "subject",
            HEADING,
            &[
                Each("a", &Leaf("geographic", &[], Value, Chop)),
                SUBDIVISIONS,
            ],
        ),
    ),
    Row::new("653", By(uncontrolled)),
    Row::new(
        "656",
        Group(
            "subject",
            &[Linked, If("authority", "2", First('2'))],
            &[Leaf("occupation", &[], First('a'), Chop)],
        ),
    ),
    Row::new("662", HIERARCHY),
    Row::new("752", HIERARCHY),
];

const HIERARCHY: Rule = Group(
    "subject",
    &[Linked],
    &[Group(
        "hierarchicalGeographic",
        &[],
        &[
            Each("a", &Leaf("country", &[], Value, Chop)),
            Each("b", &Leaf("state", &[], Value, Chop)),
            Each("c", &Leaf("county", &[], Value, Chop)),
            Each("d", &Leaf("city", &[], Value, Chop)),
            Each("e", &Leaf("citySection", &[], Value, Chop)),
            Each("g", &Leaf("area", &[], Value, Chop)),
            Each("h", &Leaf("extraterrestrialArea", &[], Value, Chop)),
        ],
    )],
);

fn subdivisions(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    for (code, value) in &field.subfields {
        let name = match code {
            'v' => "genre",
            'x' => "topic",
            'y' => "temporal",
            'z' => "geographic",
            _ => continue,
        };
        to.push(Element::leaf(name, chop(value)));
    }
}

fn area_codes(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    for (at, (code, value)) in field.subfields.iter().enumerate() {
        let list = match code {
            'a' => "marcgac",
            'b' => {
                let mut rest = field.subfields[at..].iter();
                rest.find(|(code, _)| *code == '2').map_or("", |(_, v)| v)
            }
            'c' => "iso3166",
            _ => continue,
        };
        to.push(Element::leaf("geographicCode", *value).with("authority", list));
    }
}

/// A span of time. One field of the record that is one makes all of them so.
fn time_span(source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    if !source.fields("045").any(|f| f.i1.is(2) && f.has("bc")) {
        return;
    }
    let dates = field.select("bc");
    let mut subject = crate::rules::start("subject", &[Linked], source, field);
    for (at, point) in ["start", "end"].into_iter().enumerate() {
        let date = dates.get(at).copied().unwrap_or_default();
        // c: before Christ, d: after
        let text = match date.chars().next() {
            Some('c') => format!("-{}", &date[1..]),
            Some('d') => date[1..].to_owned(),
            _ => date.to_owned(),
        };
        let temporal = Element::leaf("temporal", text).with("encoding", "iso8601");
        subject.children.push(temporal.with("point", point));
    }
    to.push(subject);
}

fn map_data(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    for (code, value) in &field.subfields {
        let name = match code {
            'a' => "scale",
            'b' => "projection",
            'c' => "coordinates",
            _ => continue,
        };
        to.push(Element::new("cartographics").holding([Element::leaf(name, *value)]));
    }
}

/// Free key words; the second indicator says what they name.
fn uncontrolled(source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    const fn word(name: &'static str) -> Rule {
        Leaf(name, &[], Glued, No)
    }
    const TOPIC: Rule = word("topic");
    const PERSON: Rule = Group("name", &[Fixed("type", "personal")], &[word("namePart")]);
    const BODY: Rule = Group("name", &[Fixed("type", "corporate")], &[word("namePart")]);
    const CONFERENCE: Rule = Group("name", &[Fixed("type", "conference")], &[word("namePart")]);
    let rule = match field.i2.character {
        ' ' | '0' => TOPIC,
        '1' => PERSON,
        '2' => BODY,
        '3' => CONFERENCE,
        '4' => word("temporal"),
        '5' => word("geographic"),
        '6' => word("genre"),
        _ => return,
    };
    let mut subject = Element::new("subject");
    rule.apply(source, field, &mut subject.children);
    to.push(subject);
}
