//! Groups of elements that several fields share.

use crate::rules::Attribute::Fixed;
use crate::rules::Clean::{Chop, No};
use crate::rules::Rule::{self, Each, Filled, Group, Leaf, When};
use crate::rules::Text::{self, First, Select, Value};
use crate::rules::{Around, Attribute};

/// Codes that go with the number or the name of a part which they follow.
const AFTER_PART: &str = "fgkdlmor";

/// `partNumber` and `partName` from `$n` and `$p`.
pub(super) const PART: Rule = Rule::All(&[
    Filled("partNumber", &[], part('n', "n", AFTER_PART), Chop),
    Filled("partName", &[], part('p', "p", AFTER_PART), Chop),
]);

/// The same where `$g` is the number, as in the titles of corporate bodies and conferences.
pub(super) const RELATED_PART: Rule = Rule::All(&[
    Filled("partNumber", &[], part('g', "g", "pst"), No),
    Filled("partName", &[], part('p', "p", AFTER_PART), No),
]);

const fn part(mark: char, any: &'static str, after: &'static str) -> Text {
    Text::Around(Around {
        mark,
        any,
        before: "",
        after,
    })
}

/// Values with the codes `any`, and with `before` and `after` as they stand before or after the title `$t`.
pub(super) const fn by_title(any: &'static str, before: &'static str, after: &'static str) -> Text {
    Text::Around(Around {
        mark: 't',
        any,
        before,
        after,
    })
}

pub(super) const SUBTITLE: Rule = When("b", &[Leaf("subTitle", &[], First('b'), Chop)]);

const RELATOR: &[Attribute] = &[Fixed("authority", "marcrelator"), Fixed("type", "code")];

pub(super) const ROLE: Rule = Each(
    "4",
    &Group("role", &[], &[Leaf("roleTerm", RELATOR, Value, No)]),
);

pub(super) const TERMS: Rule = When(
    "bc",
    &[Leaf(
        "namePart",
        &[Fixed("type", "termsOfAddress")],
        Select("bc"),
        Chop,
    )],
);

pub(super) const DATE: Rule = Each(
    "d",
    &Leaf("namePart", &[Fixed("type", "date")], Value, Chop),
);

pub(super) const AFFILIATION: Rule = Each("u", &Leaf("affiliation", &[], Value, No));

pub(super) const FORM: Rule = Each(
    "h",
    &Group("physicalDescription", &[], &[Leaf("form", &[], Value, No)]),
);

pub(super) const ISSN: Rule = Each(
    "x",
    &Leaf("identifier", &[Fixed("type", "issn")], Value, No),
);
