//! `physicalDescription`: form, extent and what a reader needs for it.

use crate::rules::Clean::No;
use crate::rules::Rule::{By, Each, Leaf};
use crate::rules::Text::{Select, Value};
use crate::rules::{Row, apply};
use crate::source::{Field, Source};
use crate::text::{chop, is_blank};
use crate::tree::Element;

use super::codes::Material::{Book, ComputerFile, Serial};
use super::codes::{Codes, material, meaning};
use super::origin::{groups, set_group};

const NATURE: &[Row] = &[Row::new("256", Each("a", &Leaf("form", &[], Value, No)))];

const MEDIA: &[Row] = &[Row::new("856", By(media_types))];

const EXTENT: &[Row] = &[Row::new("300", Leaf("extent", &[], Select("abce3fg"), No))];

const ARRANGEMENT: &[Row] = &[Row::new("351", By(arrangement))];

/// 007/11.
const ORIGINS: Codes = &[
    ("a", "reformatted digital"),
    ("b", "digitized microfilm"),
    ("d", "digitized other analog"),
];

/// 007/13.
const QUALITIES: Codes = &[("a", "access"), ("p", "preservation"), ("r", "replacement")];

/// 007/00, its name, and what 007/01 says then.
const CARRIERS: &[(char, &str, Codes)] = &[
    (
        'a',
        "map",
        &[
            ("d", "atlas"),
            ("g", "diagram"),
            ("j", "map"),
            ("q", "model"),
            ("k", "profile"),
            ("r", "remote-sensing image"),
            ("s", "section"),
            ("y", "view"),
        ],
    ),
    (
        'c',
        "electronic resource",
        &[
            ("a", "tape cartridge"),
            ("b", "chip cartridge"),
            ("c", "computer optical disc cartridge"),
            ("f", "tape cassette"),
            ("h", "tape reel"),
            ("j", "magnetic disc"),
            ("m", "magneto-optical disc"),
            ("o", "optical disc"),
            ("r", "remote"),
        ],
    ),
    (
        'd',
        "globe",
        &[
            ("a", "celestial globe"),
            ("b", "planetary or lunar globe"),
            ("c", "terrestrial globe"),
            ("e", "earth moon globe"),
        ],
    ),
    (
        'f',
        "tactile material",
        &[
            ("a", "moon"),
            ("b", "combination"),
            ("c", "braille"),
            ("d", "tactile, with no writing system"),
        ],
    ),
    (
        'g',
        "projected graphic",
        &[
            ("c", "filmstrip cartridge"),
            ("d", "filmslip"),
            ("f", "other filmstrip type"),
            ("o", "filmstrip roll"),
            ("s", "slide"),
            ("t", "transparency"),
        ],
    ),
    (
        'h',
        "microform",
        &[
            ("a", "aperture card"),
            ("b", "microfilm cartridge"),
            ("c", "microfilm cassette"),
            ("d", "microfilm reel"),
            ("e", "microfiche"),
            ("f", "microfiche cassette"),
            ("g", "microopaque"),
        ],
    ),
    (
        'k',
        "nonprojected graphic",
        &[
            ("c", "collage"),
            ("d", "drawing"),
            ("e", "painting"),
            ("f", "photomechanical print"),
            ("g", "photonegative"),
            ("h", "photoprint"),
            ("i", "picture"),
            ("j", "print"),
            ("l", "technical drawing"),
            ("n", "chart"),
            ("o", "flash card"),
        ],
    ),
    (
        'm',
        "motion picture",
        &[
            ("c", "film cartridge"),
            ("f", "film cassette"),
            ("r", "film reel"),
        ],
    ),
    ('o', "kit", &[("o", "kit")]),
    ('q', "notated music", &[("q", "notated music")]),
    (
        'r',
        "remote-sensing image",
        &[("r", "remote-sensing image")],
    ),
    (
        's',
        "sound recording",
        &[
            ("d", "sound disc"),
            ("e", "cylinder"),
            ("g", "sound cartridge"),
            ("i", "sound-track film"),
            ("q", "roll"),
            ("s", "sound cassette"),
            ("t", "sound-tape reel"),
            ("w", "wire recording"),
        ],
    ),
    (
        't',
        "text",
        &[
            ("a", "regular print"),
            ("b", "large print"),
            ("c", "braille"),
            ("d", "text in looseleaf binder"),
        ],
    ),
    (
        'v',
        "videorecording",
        &[
            ("c", "videocartridge"),
            ("d", "videodisc"),
            ("f", "videocassette"),
            ("r", "videoreel"),
        ],
    ),
];

/// The description, unless all of it is blank.
pub(super) fn description(source: &Source<'_>) -> Option<Element> {
    let mut description = Element::new("physicalDescription");
    set_group(&mut description, &groups(source).extent);
    let to = &mut description.children;
    if material(source) == Some(ComputerFile) {
        push(to, "digitalOrigin", meaning(ORIGINS, source.c007(11)));
    }
    to.extend(form_of_008(source).map(|text| form("marcform", text)));
    to.extend(general_designations(source).map(|text| form("gmd", &text)));
    apply(NATURE, source, to);
    if source.c007(0) == Some('c') {
        push(
            to,
            "reformattingQuality",
            meaning(QUALITIES, source.c007(13)),
        );
    }
    carrier(source, to);
    apply(MEDIA, source, to);
    if source.leader(19) != Some('a') {
        to.extend(extent(source));
    }
    apply(ARRANGEMENT, source, to);
    let blank = to.iter().all(|child| is_blank(&child.text));
    (!blank).then_some(description)
}

pub(super) fn extent(source: &Source<'_>) -> Vec<Element> {
    let mut extent = Vec::new();
    apply(EXTENT, source, &mut extent);
    extent
}

fn push(to: &mut Vec<Element>, name: &'static str, text: Option<&str>) {
    to.extend(text.map(|text| Element::leaf(name, text)));
}

fn form(authority: &str, text: &str) -> Element {
    Element::leaf("form", text).with("authority", authority)
}

fn form_of_008(source: &Source<'_>) -> Option<&'static str> {
    let (x, y) = (source.c008(23), source.c008(29));
    let either = |code| x == Some(code) || y == Some(code);
    let text = matches!(material(source), Some(Book | Serial));
    let music = matches!(source.leader(6), Some('c' | 'd'));
    Some(if either('f') {
        "braille"
    } else if (x == Some(' ') && music) || (text && matches!(x, Some(' ' | 'r'))) {
        "print"
    } else if source.leader(6) == Some('m') || either('s') {
        "electronic"
    } else if source.leader(6) == Some('o') {
        "kit"
    } else if either('b') {
        "microfiche"
    } else if either('a') {
        "microfilm"
    } else {
        return None;
    })
}

/// `[electronic resource]` after a title, without its brackets: once for each kind of title that has it.
fn general_designations<'s>(source: &'s Source<'_>) -> impl Iterator<Item = String> + 's {
    let titles = ["130", "240", "242", "245", "246", "730"];
    let texts = titles
        .into_iter()
        .filter_map(|tag| source.values(tag, 'h').next());
    texts.map(|text| {
        let text = chop(text);
        match text.strip_prefix('[') {
            Some(rest) => {
                let mut characters = rest.chars();
                characters.next_back();
                characters.as_str().to_owned()
            }
            None => text.to_owned(),
        }
    })
}

fn carrier(source: &Source<'_>, to: &mut Vec<Element>) {
    let found = CARRIERS.iter().find(|row| Some(row.0) == source.c007(0));
    let Some((kind, category, terms)) = found else {
        return;
    };
    let Some(term) = meaning(terms, source.c007(1)) else {
        return;
    };
    // a map that is a remote-sensing image has its category only as such
    if !(*kind == 'a' && term == "remote-sensing image") {
        to.push(form("marccategory", category));
    }
    to.push(form("marcsmd", term));
}

fn media_types(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    for value in field
        .values('q')
        .filter(|value| value.chars().nth(1).is_some())
    {
        to.push(Element::leaf("internetMediaType", value));
    }
}

fn arrangement(_: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
    let materials: String = field.values('3').flat_map(|value| [value, ": "]).collect();
    let text = materials + &field.select("abc").join(" ");
    to.push(Element::leaf("note", text).with("type", "arrangement"));
}
