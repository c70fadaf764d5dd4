//! `name`: people, corporate bodies and conferences that made the publication.

use crate::rules::Attribute::{Beside, Fixed, Linked};
use crate::rules::Clean::{Chop, ChopButStop, No};
use crate::rules::Row;
use crate::rules::Rule::{self, All, Each, Group, Leaf, When};
use crate::rules::Text::{Select, Value};

use super::parts::{AFFILIATION, DATE, ROLE, TERMS};

const PERSON: Rule = All(&[
    Leaf("namePart", &[], Select("aq"), ChopButStop),
    TERMS,
    DATE,
    AFFILIATION,
    ROLE,
]);

const BODY: Rule = All(&[
    Each("a", &Leaf("namePart", &[], Value, Chop)),
    Each("b", &Leaf("namePart", &[], Value, No)),
    When("cdn", &[Leaf("namePart", &[], Select("cdn"), No)]),
    ROLE,
]);

const CONFERENCE: Rule = All(&[Leaf("namePart", &[], Select("acdneq"), No), ROLE]);

pub(super) const AUTHOR: Row = Row::new(
    "100",
    Group(
        "name",
        &[
            Fixed("type", "personal"),
            Fixed("usage", "primary"),
            Linked,
            Beside("nameTitleGroup", "1", "240"),
        ],
        &[PERSON],
    ),
);

pub(super) const AUTHOR_BODY: Row = Row::new(
    "110",
    Group(
        "name",
        &[
            Fixed("type", "corporate"),
            Linked,
            Beside("nameTitleGroup", "1", "240"),
        ],
        &[BODY],
    ),
);

const AUTHOR_CONFERENCE: Row = Row::new(
    "111",
    Group(
        "name",
        &[
            Fixed("type", "conference"),
            Linked,
            Beside("nameTitleGroup", "1", "240"),
        ],
        &[CONFERENCE],
    ),
);

pub(super) const ADDED_PERSON: Row = Row::new(
    "700",
    Group("name", &[Fixed("type", "personal"), Linked], &[PERSON]),
);

pub(super) const ADDED_BODY: Row = Row::new(
    "710",
    Group("name", &[Fixed("type", "corporate"), Linked], &[BODY]),
);

const ADDED_CONFERENCE: Row = Row::new(
    "711",
    Group(
        "name",
        &[Fixed("type", "conference"), Linked],
        &[CONFERENCE],
    ),
);

/// 720 is missing, as in the original.
pub(super) const TABLE: &[Row] = &[
    AUTHOR,
    AUTHOR_BODY,
    AUTHOR_CONFERENCE,
    ADDED_PERSON,
    ADDED_BODY,
    ADDED_CONFERENCE,
];
