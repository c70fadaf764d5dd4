//! The mapping: which field of the record becomes which element of the document.
//!
//! One module is one group of elements, in the order of the document. What depends on data fields alone is a table of
//! [`Row`](crate::rules::Row)s; what depends on the positions of leader, 007 and 008 is a table of codes and their
//! meanings; only the little that fits neither is code.

mod classification;
mod codes;
mod full;
mod genre;
mod identifiers;
mod language;
mod linked;
mod location;
mod names;
mod notes;
mod origin;
mod parts;
mod physical;
mod record_info;
mod related;
mod subjects;
mod titles;

use crate::rules::apply;
use crate::source::Source;
use crate::tree::Element;

pub(crate) use full::{full_multi_volume, full_periodical};
pub(crate) use language::term as language_term;

/// A document of one publication: everything the record says.
pub(crate) fn monograph(source: &Source<'_>) -> Element {
    let mut mods = Element::new("mods").with("version", "3.4");
    let to = &mut mods.children;
    apply(titles::TABLE, source, to);
    apply(names::TABLE, source, to);
    to.push(codes::type_of_resource(source));
    genre::from_codes(source, to);
    apply(genre::TABLE, source, to);
    to.push(origin::origin_info(source));
    origin::in_other_scripts(source, to);
    language::languages(source, to);
    to.extend(physical::description(source));
    notes::all(source, to);
    apply(subjects::TABLE, source, to);
    apply(classification::TABLE, source, to);
    to.extend(location::location(source));
    apply(related::TABLE, source, to);
    linked::other_scripts(source, to);
    apply(identifiers::TABLE, source, to);
    apply(related::LINKS, source, to);
    to.push(record_info::record_info(source));
    mods
}

/// The few elements that the original has for a work of several volumes.
pub(crate) fn multi_volume(source: &Source<'_>) -> Element {
    let mut mods = Element::new("mods");
    let to = &mut mods.children;
    apply(titles::OF_245, source, to);
    to.push(Element::leaf("genre", "title"));
    let mut origin = Element::new("originInfo");
    apply(origin::PUBLISHER_AND_EDITION, source, &mut origin.children);
    to.push(origin);
    apply(identifiers::TABLE, source, to);
    mods
}

/// The one element that the original has for a periodical.
pub(crate) fn periodical() -> Element {
    Element::new("mods").holding([Element::leaf("genre", "volume")])
}
