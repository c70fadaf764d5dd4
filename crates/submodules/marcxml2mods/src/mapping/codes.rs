//! What the leader says: type of resource, and which kind of material the positions of 008 are about.

use crate::source::Source;
use crate::tree::Element;

/// Codes and their meanings.
pub(super) type Codes = &'static [(&'static str, &'static str)];

/// The meaning of a code; the keys are sets of characters.
pub(super) fn meaning(codes: Codes, code: Option<char>) -> Option<&'static str> {
    let code = code?;
    codes
        .iter()
        .find(|(set, _)| set.contains(code))
        .map(|(_, meaning)| *meaning)
}

/// The kind of material that 008 describes from position 18 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Material {
    Book,
    Serial,
    Mixed,
    ComputerFile,
    Map,
    Visual,
    Music,
}

pub(super) fn material(source: &Source<'_>) -> Option<Material> {
    Some(match (source.leader(6)?, source.leader(7)) {
        ('a', Some('a' | 'c' | 'd' | 'm')) | ('t', _) => Material::Book,
        ('a', Some('b' | 'i' | 's')) => Material::Serial,
        ('p', _) => Material::Mixed,
        ('m', _) => Material::ComputerFile,
        ('e' | 'f', _) => Material::Map,
        ('g' | 'k' | 'o' | 'r', _) => Material::Visual,
        ('c' | 'd' | 'i' | 'j', _) => Material::Music,
        _ => return None,
    })
}

const TYPES: Codes = &[
    ("at", "text"),
    ("ef", "cartographic"),
    ("cd", "notated music"),
    ("i", "sound recording-nonmusical"),
    ("j", "sound recording-musical"),
    ("k", "still image"),
    ("g", "moving image"),
    ("r", "three dimensional object"),
    ("m", "software, multimedia"),
    ("p", "mixed material"),
];

pub(super) fn type_of_resource(source: &Source<'_>) -> Element {
    let text = meaning(TYPES, source.leader(6)).unwrap_or_default();
    let mut element = Element::leaf("typeOfResource", text);
    if source.leader(7) == Some('c') {
        element.set("collection", "yes");
    }
    if let Some('d' | 'f' | 'p' | 't') = source.leader(6) {
        element.set("manuscript", "yes");
    }
    element
}
