//! Periodicals and works of several volumes, described completely. The original has only stubs of these.
//!
//! Both are the whole mapping of a monograph, and what is particular about them: how often and until when a periodical
//! appears, which volume of a work a record is about.

use crate::source::{Field, Source};
use crate::text::{chop, is_blank};
use crate::tree::Element;

use super::origin::{frequency_code, issuance};
use super::{monograph, physical};

pub(crate) fn full_periodical(source: &Source<'_>) -> Element {
    let mut mods = monograph(source);
    if let Some(origin) = mods.child_mut("originInfo") {
        let kind = match issuance(source) {
            "continuing" if source.leader(7) == Some('i') => "integrating resource",
            _ => "continuing",
        };
        set_issuance(origin, kind);
        let known = origin.children.iter().any(|c| c.name == "frequency");
        if !known {
            let text = frequency_code(source.c008(18));
            let frequency = text.map(|text| Element::leaf("frequency", text));
            origin.children.extend(frequency);
        }
    }
    mods
}

pub(crate) fn full_multi_volume(source: &Source<'_>) -> Element {
    let mut mods = monograph(source);
    if let Some(origin) = mods.child_mut("originInfo") {
        set_issuance(origin, "multipart monograph");
    }
    // the mapping of a monograph leaves the extent of a set out
    if source.leader(19) == Some('a') {
        let extent = physical::extent(source);
        let at = mods.children.iter().position(|c| c.name == "language");
        match mods.child_mut("physicalDescription") {
            Some(description) => description.children.extend(extent),
            None if extent.is_empty() => {}
            None => {
                let at = at.unwrap_or(mods.children.len());
                let description = Element::new("physicalDescription").holding(extent);
                mods.children.insert(at, description);
            }
        }
    }
    let parts: Vec<_> = source.fields("245").filter_map(volume).collect();
    let at = mods.children.iter().position(|c| c.name == "recordInfo");
    let at = at.unwrap_or(mods.children.len());
    mods.children.splice(at..at, parts);
    mods
}

fn set_issuance(origin: &mut Element, kind: &str) {
    match origin.child_mut("issuance") {
        Some(issuance) => kind.clone_into(&mut issuance.text),
        None => origin.children.push(Element::leaf("issuance", kind)),
    }
}

/// Number and name of the volume that the record is about.
fn volume(field: &Field<'_>) -> Option<Element> {
    let value = |code| Some(chop(field.first(code))).filter(|text| !is_blank(text));
    let (number, title) = (value('n'), value('p'));
    if number.is_none() && title.is_none() {
        return None;
    }
    let mut detail = Element::new("detail").with("type", "volume");
    detail
        .children
        .extend(number.map(|text| Element::leaf("number", text)));
    detail
        .children
        .extend(title.map(|text| Element::leaf("title", text)));
    Some(
        Element::new("part")
            .with("type", "volume")
            .holding([detail]),
    )
}
