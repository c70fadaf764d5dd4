//! `location`: the holding library, shelf marks and addresses.
//!
//! What is made here decides which address the document has in the end; see [`repair`](crate::repair).

use crate::rules::Attribute::{Fixed, Link};
use crate::rules::Clean::No;
use crate::rules::Rule::{All, By, Leaf, When};
use crate::rules::Text::Select;
use crate::rules::{Row, apply};
use crate::source::{Field, Source};
use crate::text::squeeze;
use crate::tree::Element;

pub(super) const HOLDING: Row = Row::new(
    "852",
    All(&[
        When("abe", &[Leaf("physicalLocation", &[], Select("abe"), No)]),
        When("u", &[Leaf("physicalLocation", &[Link], Select("u"), No)]),
        When(
            "hijklmt",
            &[Leaf("shelfLocator", &[], Select("hijklmt"), No)],
        ),
    ]),
);

/// The Czech union catalogue's signs of libraries.
pub(super) const UNION_HOLDING: Row = Row::new(
    "910",
    All(&[
        When(
            "a",
            &[Leaf(
                "physicalLocation",
                &[Fixed("authority", "siglaADR")],
                Select("a"),
                No,
            )],
        ),
        When("b", &[By(shelf_marks)]),
    ]),
);

pub(super) const ADDRESS: Row = Row::new("856", By(address));

const TABLE: &[Row] = &[HOLDING, ADDRESS, UNION_HOLDING];

pub(super) fn location(source: &Source<'_>) -> Option<Element> {
    if !source.has_field("852 856 910 440") {
        return None;
    }
    let mut location = Element::new("location");
    apply(TABLE, source, &mut location.children);
    Some(location)
}

fn shelf_marks(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let mut marks: Vec<_> = field.first('b').split(',').map(squeeze).collect();
    if marks.len() > 1 && marks.last().is_some_and(String::is_empty) {
        marks.pop();
    }
    to.extend(
        marks
            .into_iter()
            .map(|mark| Element::leaf("shelfLocator", mark)),
    );
}

fn address(source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let wanted = |other: &Field<'_>| !other.i2.is(2) && other.has("u");
    if !source.fields("856").any(wanted) {
        return;
    }
    let mut url =
        Element::leaf("url", field.first('u')).with("displayLabel", "electronic resource");
    if is_primary(source, field) {
        url.set("usage", "primary display");
    }
    if field.has("y3") {
        url.set("displayLabel", field.select("y3").join(" "));
    }
    if field.has("z") {
        url.set("note", field.select("z").join(" "));
    }
    to.push(url);
}

/// The first address of the publication itself, else of a version of it, else of anything but something related.
fn is_primary(source: &Source<'_>, field: &Field<'_>) -> bool {
    let earlier = |number| {
        source
            .fields("856")
            .take_while(|other| !std::ptr::eq(*other, field))
            .any(|other| other.i2.is(number))
    };
    let any = |number| source.fields("856").any(|other| other.i2.is(number));
    match field.i2.number {
        Some(0) => !earlier(0),
        Some(1) => !any(0) && !earlier(1),
        Some(2) => false,
        _ => {
            let first = source.fields("856").next();
            !any(0) && !any(1) && first.is_some_and(|first| std::ptr::eq(first, field))
        }
    }
}
