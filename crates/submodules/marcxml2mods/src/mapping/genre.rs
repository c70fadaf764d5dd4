//! `genre`: what kind of publication it is, in a word.

use crate::rules::Attribute::{AuthorityOf2, Linked};
use crate::rules::Clean::No;
use crate::rules::Row;
use crate::rules::Rule::Leaf;
use crate::rules::Text::Hyphened;
use crate::source::Source;
use crate::tree::Element;

use super::codes::Material::{Book, ComputerFile, Map, Music, Serial, Visual};
use super::codes::{Codes, material, meaning};

pub(super) const OF_MUSIC: Row = Row::new(
    "047",
    Leaf("genre", &[AuthorityOf2, Linked], Hyphened("abcdef"), No),
);

pub(super) const OF_FORM: Row = Row::new(
    "655",
    Leaf("genre", &[AuthorityOf2, Linked], Hyphened("abvxyz"), No),
);

pub(super) const TABLE: &[Row] = &[OF_MUSIC, OF_FORM];

/// 008/21 of serials.
const SERIALS: Codes = &[
    ("d", "database"),
    ("l", "loose-leaf"),
    ("m", "series"),
    ("n", "newspaper"),
    ("p", "periodical"),
    ("w", "web site"),
];

/// 008/24-27 of books and serials: the first of these that occurs there.
const CONTENTS: Codes = &[
    ("a", "abstract or summary"),
    ("b", "bibliography"),
    ("c", "catalog"),
    ("d", "dictionary"),
    ("e", "encyclopedia"),
    ("f", "handbook"),
    ("g", "legal article"),
    ("i", "index"),
    ("k", "discography"),
    ("l", "legislation"),
    ("m", "theses"),
    ("n", "survey of literature"),
    ("o", "review"),
    ("p", "programmed text"),
    ("q", "filmography"),
    ("r", "directory"),
    ("s", "statistics"),
    ("t", "technical report"),
    ("v", "legal case and case notes"),
    ("w", "law report or digest"),
    ("z", "treaty"),
];

/// 008/26 of computer files.
const FILES: Codes = &[
    ("a", "numeric data"),
    ("e", "database"),
    ("f", "font"),
    ("g", "game"),
];

/// 008/24 of books.
const BOOKS: Codes = &[("j", "patent"), ("2", "offprint")];

/// 008/33 of books.
const LITERATURE: Codes = &[
    ("e", "essay"),
    ("d", "drama"),
    ("c", "comic strip"),
    ("l", "fiction"),
    ("h", "humor, satire"),
    ("i", "letter"),
    ("f", "novel"),
    ("j", "short story"),
    ("s", "speech"),
];

/// 008/30-31 of music: all of these that occur there, in this order.
const MUSIC: Codes = &[
    ("b", "biography"),
    ("c", "conference publication"),
    ("d", "drama"),
    ("e", "essay"),
    ("f", "fiction"),
    ("o", "folktale"),
    ("h", "history"),
    ("k", "humor, satire"),
    ("m", "memoir"),
    ("p", "poetry"),
    ("r", "rehearsal"),
    ("g", "reporting"),
    ("s", "sound"),
    ("l", "speech"),
];

/// 008/33 of visual material, up to the place where 007 has a word too.
const VISUAL: Codes = &[
    ("a", "art original"),
    ("b", "kit"),
    ("c", "art reproduction"),
    ("d", "diorama"),
    ("f", "filmstrip"),
    ("g", "legal article"),
    ("i", "picture"),
    ("k", "graphic"),
    ("l", "technical drawing"),
    ("m", "motion picture"),
    ("n", "chart"),
    ("o", "flash card"),
    ("p", "microscope slide"),
];

/// The rest of it.
const MORE_VISUAL: Codes = &[
    ("r", "realia"),
    ("s", "slide"),
    ("t", "transparency"),
    ("v", "videorecording"),
    ("w", "toy"),
];

/// Genres of MARC's own list, from positions of 007 and 008.
pub(super) fn from_codes(source: &Source<'_>, to: &mut Vec<Element>) {
    let at = |position| source.c008(position);
    let material = material(source);
    let text = matches!(material, Some(Book | Serial));
    let mut genre = |value: Option<&str>| {
        to.extend(value.map(|v| Element::leaf("genre", v).with("authority", "marcgt")));
    };
    genre((at(25) == Some('d')).then_some("globe"));
    genre((source.f007_begins("ar")).then_some("remote-sensing image"));
    match material {
        Some(Map) if matches!(at(25), Some('a'..='c')) || source.f007_begins("aj") => {
            genre(Some("map"));
        }
        Some(Map) => genre((at(25) == Some('e') || source.f007_begins("ad")).then_some("atlas")),
        Some(Serial) => genre(meaning(SERIALS, at(21))),
        _ => {}
    }
    if text {
        let contents = source.c008_range(24, 27);
        let found = CONTENTS.iter().find(|(code, _)| contents.contains(code));
        genre(found.map(|(_, value)| *value));
        genre((at(29) == Some('1')).then_some("conference publication"));
    }
    match material {
        Some(ComputerFile) => genre(meaning(FILES, at(26))),
        Some(Book) => {
            genre(meaning(BOOKS, at(24)));
            genre((at(30) == Some('1')).then_some("festschrift"));
            genre(matches!(at(34), Some('a'..='d')).then_some("biography"));
            genre(meaning(LITERATURE, at(33)));
        }
        Some(Music) => {
            let kinds = source.c008_range(30, 31);
            for (_, value) in MUSIC.iter().filter(|(code, _)| kinds.contains(code)) {
                genre(Some(value));
            }
        }
        Some(Visual) => {
            let model = || (at(33) == Some('q') || source.f007_begins("aq")).then_some("model");
            let found = meaning(VISUAL, at(33)).or_else(model);
            genre(found.or_else(|| meaning(MORE_VISUAL, at(33))));
        }
        _ => {}
    }
}
