//! `relatedItem`: series, originals, parts, other editions.

use crate::rules::Attribute::{Constituent, Fixed, If, Linked};
use crate::rules::Clean::{Chop, No};
use crate::rules::Only::{First as FirstIndicator, Second, With};
use crate::rules::Rule::{self, All, By, Each, Filled, Group, Leaf, When};
use crate::rules::Text::{First, Select, Value};
use crate::rules::{Attribute, Row};
use crate::source::{Field, Source};
use crate::text::threes;
use crate::tree::Element;

use super::language::term;
use super::parts::{DATE, FORM, ISSN, PART, RELATED_PART, ROLE, TERMS, by_title};

const SERIES: Attribute = Fixed("type", "series");

pub(super) const SERIES_STATEMENT: Row = Row::new(
    "490",
    Group("relatedItem", &[SERIES, Linked], &[SERIES_TITLE]),
);

const SERIES_TITLE: Rule = Group(
    "titleInfo",
    &[],
    &[Leaf("title", &[], Select("av"), Chop), PART],
);

const WORK_OF_PERSON: Rule = Group(
    "titleInfo",
    &[],
    &[
        Leaf("title", &[], by_title("fklmorstv", "", "g"), Chop),
        PART,
    ],
);

const WORK_OF_BODY: Rule = Group(
    "titleInfo",
    &[],
    &[
        Leaf("title", &[], by_title("fklmorstv", "", "dg"), Chop),
        RELATED_PART,
    ],
);

const WORK_OF_CONFERENCE: Rule = Group(
    "titleInfo",
    &[],
    &[
        Leaf("title", &[], by_title("fklstv", "", "g"), Chop),
        RELATED_PART,
    ],
);

const UNIFORM_WORK: Rule = Group(
    "titleInfo",
    &[],
    &[Leaf("title", &[], Select("adfgklmorsv"), Chop), PART],
);

const BODY_NAMES: Rule = All(&[
    Each("a", &Leaf("namePart", &[], Value, No)),
    Each("b", &Leaf("namePart", &[], Value, No)),
]);

const CONFERENCE_NAME: Rule = Leaf("namePart", &[], by_title("acdq", "gn", ""), No);

const TITLE_OF_EACH_T: Rule = Each(
    "t",
    &Group("titleInfo", &[], &[Leaf("title", &[], Value, Chop)]),
);

const NAME_OF_EACH_A: Rule = Each(
    "a",
    &Group("name", &[], &[Leaf("namePart", &[], Value, No)]),
);

pub(super) const TABLE: &[Row] = &[
    Row::only(
        "490",
        FirstIndicator(0),
        Group("relatedItem", &[SERIES, Linked], &[SERIES_TITLE]),
    ),
    Row::new("440", Group("relatedItem", &[SERIES], &[SERIES_TITLE])),
    Row::new(
        "510",
        Group(
            "relatedItem",
            &[Fixed("type", "isReferencedBy")],
            &[
                Each(
                    "a",
                    &Group("titleInfo", &[], &[Leaf("title", &[], Value, No)]),
                ),
                Each(
                    "b",
                    &Group(
                        "originInfo",
                        &[],
                        &[Leaf("dateOther", &[Fixed("type", "coverage")], Value, No)],
                    ),
                ),
                Leaf("note", &[], Select("c"), Chop),
            ],
        ),
    ),
    Row::new(
        "534",
        Group(
            "relatedItem",
            &[Fixed("type", "original")],
            &[
                TITLE_OF_EACH_T,
                NAME_OF_EACH_A,
                When(
                    "bc",
                    &[Group(
                        "originInfo",
                        &[],
                        &[
                            Each("c", &Leaf("publisher", &[], Value, No)),
                            Each("b", &Leaf("edition", &[], Value, No)),
                        ],
                    )],
                ),
                ISSN,
                Each(
                    "z",
                    &Leaf("identifier", &[Fixed("type", "isbn")], Value, No),
                ),
                Each("n", &Leaf("note", &[], Value, No)),
            ],
        ),
    ),
    Row::only(
        "700",
        With("t"),
        Group(
            "relatedItem",
            &[Constituent],
            &[
                WORK_OF_PERSON,
                Group(
                    "name",
                    &[Fixed("type", "personal")],
                    &[
                        Leaf("namePart", &[], by_title("aq", "g", ""), No),
                        TERMS,
                        DATE,
                        ROLE,
                    ],
                ),
                FORM,
                ISSN,
            ],
        ),
    ),
    Row::only(
        "710",
        With("t"),
        Group(
            "relatedItem",
            &[Constituent],
            &[
                WORK_OF_BODY,
                Group(
                    "name",
                    &[Fixed("type", "corporate")],
                    &[
                        BODY_NAMES,
                        Filled("namePart", &[], by_title("c", "dgn", ""), No),
                        ROLE,
                    ],
                ),
                FORM,
                ISSN,
            ],
        ),
    ),
    Row::only(
        "711",
        With("t"),
        Group(
            "relatedItem",
            &[Constituent],
            &[
                WORK_OF_CONFERENCE,
                Group("name", &[Fixed("type", "conference")], &[CONFERENCE_NAME]),
                FORM,
                ISSN,
            ],
        ),
    ),
    Row::only(
        "730",
        Second(2),
        Group("relatedItem", &[Constituent], &[UNIFORM_WORK, FORM, ISSN]),
    ),
    Row::only(
        "740",
        Second(2),
        Group(
            "relatedItem",
            &[Constituent],
            &[
                Group(
                    "titleInfo",
                    &[],
                    &[Leaf("title", &[], First('a'), Chop), PART],
                ),
                FORM,
            ],
        ),
    ),
    linking("760", &[SERIES, LABEL_OF_I, LABEL_OF_3]),
    linking(
        "762",
        &[Fixed("type", "constituent"), LABEL_OF_I, LABEL_OF_3],
    ),
    linking(
        "765 767 775",
        &[Fixed("type", "otherVersion"), LABEL_OF_I, LABEL_OF_3],
    ),
    linking(
        "770 774",
        &[Fixed("type", "constituent"), LABEL_OF_I, LABEL_OF_3],
    ),
    linking("772 773", &[Fixed("type", "host"), LABEL_OF_I, LABEL_OF_3]),
    linking(
        "776",
        &[Fixed("type", "otherFormat"), LABEL_OF_I, LABEL_OF_3],
    ),
    linking("780", &[Fixed("type", "preceding"), LABEL_OF_I, LABEL_OF_3]),
    linking(
        "785",
        &[Fixed("type", "succeeding"), LABEL_OF_I, LABEL_OF_3],
    ),
    linking("786", &[Fixed("type", "original"), LABEL_OF_I, LABEL_OF_3]),
    Row::new(
        "800",
        Group(
            "relatedItem",
            &[SERIES],
            &[
                WORK_OF_PERSON,
                Group(
                    "name",
                    &[Fixed("type", "personal")],
                    &[
                        Leaf("namePart", &[], by_title("aq", "g", ""), Chop),
                        TERMS,
                        DATE,
                        ROLE,
                    ],
                ),
                FORM,
            ],
        ),
    ),
    Row::new(
        "810",
        Group(
            "relatedItem",
            &[SERIES],
            &[
                WORK_OF_BODY,
                Group(
                    "name",
                    &[Fixed("type", "corporate")],
                    &[
                        BODY_NAMES,
                        Leaf("namePart", &[], by_title("c", "dgn", ""), No),
                        ROLE,
                    ],
                ),
                FORM,
            ],
        ),
    ),
    Row::new(
        "811",
        Group(
            "relatedItem",
            &[SERIES],
            &[
                WORK_OF_CONFERENCE,
                Group(
                    "name",
                    &[Fixed("type", "conference")],
                    &[CONFERENCE_NAME, ROLE],
                ),
                FORM,
            ],
        ),
    ),
    Row::new(
        "830",
        Group("relatedItem", &[SERIES], &[UNIFORM_WORK, FORM]),
    ),
    Row::only(
        "856",
        Second(2),
        Each(
            "q",
            &Group(
                "relatedItem",
                &[],
                &[Leaf("internetMediaType", &[], Value, No)],
            ),
        ),
    ),
];

/// Addresses of what is related to the publication; they come after the identifiers.
pub(super) const LINKS: &[Row] = &[Row::only(
    "856",
    Second(2),
    When(
        "u",
        &[Group(
            "relatedItem",
            &[],
            &[Group(
                "location",
                &[],
                &[Leaf(
                    "url",
                    &[
                        If("displayLabel", "y3", Select("y3")),
                        If("note", "z", Select("z")),
                    ],
                    First('u'),
                    No,
                )],
            )],
        )],
    ),
)];

const LABEL_OF_I: Attribute = If("displayLabel", "i", First('i'));

/// The materials that the field is about go before the words of `$i`.
const LABEL_OF_3: Attribute = If("displayLabel", "3", First('3'));

/// A field that links to another record.
const fn linking(fields: &'static str, attributes: &'static [Attribute]) -> Row {
    Row::new(
        fields,
        Group(
            "relatedItem",
            attributes,
            &[
                TITLE_OF_EACH_T,
                Each(
                    "p",
                    &Group(
                        "titleInfo",
                        &[Fixed("type", "abbreviated")],
                        &[Leaf("title", &[], Value, Chop)],
                    ),
                ),
                Each(
                    "s",
                    &Group(
                        "titleInfo",
                        &[Fixed("type", "uniform")],
                        &[Leaf("title", &[], Value, Chop)],
                    ),
                ),
                NAME_OF_EACH_A,
                When(
                    "bdf",
                    &[Group(
                        "originInfo",
                        &[],
                        &[
                            By(country_of_775),
                            Each("d", &Leaf("publisher", &[], Value, No)),
                            Each("b", &Leaf("edition", &[], Value, No)),
                        ],
                    )],
                ),
                By(languages),
                Each(
                    "h",
                    &Group(
                        "physicalDescription",
                        &[],
                        &[Leaf("extent", &[], Value, No)],
                    ),
                ),
                Each("n", &Leaf("note", &[], Value, No)),
                Each(
                    "j",
                    &Group(
                        "subject",
                        &[],
                        &[Leaf(
                            "temporal",
                            &[Fixed("encoding", "iso8601")],
                            Value,
                            Chop,
                        )],
                    ),
                ),
                Each("o", &Leaf("identifier", &[], Value, No)),
                ISSN,
                Each(
                    "w",
                    &Leaf("identifier", &[Fixed("type", "local")], Value, No),
                ),
                By(part_of_773),
            ],
        ),
    )
}

fn country_of_775(source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    const PLACE: Rule = Each(
        "f",
        &Group(
            "place",
            &[],
            &[Leaf(
                "placeTerm",
                &[Fixed("type", "text"), Fixed("authority", "marcgac")],
                Value,
                No,
            )],
        ),
    );
    if field.tag == "775" {
        PLACE.apply(source, field, to);
    }
}

/// Codes of languages, written together.
fn languages(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    for piece in field.values('e').flat_map(threes) {
        to.push(Element::new("language").holding([term(piece)]));
    }
}

/// Where in its host the publication stands: in words `$g`, and in numbers `$q`, say `96:4:3<103`.
fn part_of_773(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    if field.tag != "773" {
        return;
    }
    for text in field.values('g') {
        to.push(Element::new("part").holding([Element::leaf("text", text)]));
    }
    for value in field.values('q') {
        let (first, rest) = level(value);
        let (second, rest) = level(rest);
        let third = rest.split('<').next().unwrap_or_default();
        let page = value.split_once('<').map_or("", |(_, page)| page);
        let mut part = Element::new("part");
        for (number, text) in [("1", first), ("2", second), ("3", third)] {
            let detail = Element::new("detail").with("level", number);
            let number = Element::leaf("number", text);
            part.children.push(detail.holding([number]));
        }
        let extent = Element::new("extent").with("unit", "page");
        part.children
            .push(extent.holding([Element::leaf("start", page)]));
        to.push(part);
    }
}

/// The text before the first colon, or else before the first `<`; and what follows, without the colon.
fn level(text: &str) -> (&str, &str) {
    let at = text
        .find(':')
        .or_else(|| text.find('<'))
        .unwrap_or(text.len());
    let (level, rest) = text.split_at(at);
    (level, rest.strip_prefix(':').unwrap_or(rest))
}
