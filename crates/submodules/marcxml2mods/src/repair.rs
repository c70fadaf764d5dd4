//! What is done to the document after the mapping: the archive's own identifiers, addresses and words.
//!
//! "First" is meant in the order of the document, at any depth. What the original put in a wrong place is
//! put there only if [`byte_compat`](crate::Settings::byte_compat) is set.

use crate::ConversionError;
use crate::source::Source;
use crate::text::threes;
use crate::tree::{Element, Shape, XLINK};
use crate::writer::written_length;

const MODS: &str = "http://www.loc.gov/mods/v3";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const SCHEMAS: &str = "http://www.w3.org/2001/XMLSchema-instance http://www.w3.org/2001/XMLSchema.xsd \
    http://www.loc.gov/mods/v3 http://www.loc.gov/standards/mods/v3/mods-3-4.xsd \
    http://www.w3.org/1999/xlink http://www.w3.org/1999/xlink.xsd";

/// Lists of areas whose codes MODS knows.
const AREA_LISTS: [&str; 3] = ["marcgac", "marccountry", "iso3166"];

/// What a description needs beside the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package<'a> {
    pub(crate) uuid: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
}

/// How much of the repair a document gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A publication described with everything; `genre` says in its one word what it is.
    Whole {
        id: &'static str,
        genre: &'static str,
    },
    /// Only the namespaces and the UUID.
    Outline,
}

impl Extent {
    pub(crate) const VOLUME: Self = Self::Whole {
        id: "MODS_VOLUME_0001",
        genre: "electronic volume",
    };
    pub(crate) const TITLE: Self = Self::Whole {
        id: "MODS_TITLE_0001",
        genre: "electronic title",
    };
}

/// # Errors
/// The document needs an address, and there is none.
pub(crate) fn repair(
    mods: &mut Element,
    extent: Extent,
    source: &Source<'_>,
    package: Package<'_>,
) -> Result<(), ConversionError> {
    let compat = source.compat;
    name_root(mods, extent);
    if let Some(uuid) = package.uuid.filter(|uuid| !uuid.is_empty()) {
        add_uuid(mods, uuid, compat);
    }
    if let Extent::Whole { genre, .. } = extent {
        add_country(mods, compat);
        add_genre(mods, genre);
        trim_titles_and_places(mods, compat);
        rename_issuance(mods);
        take_address_of_library(mods, compat);
        drop_related_locations(mods, compat);
        add_address(mods, package.url, compat)?;
        add_languages(mods, source);
    }
    if !compat {
        drop_invalid(mods);
    }
    Ok(())
}

fn name_root(mods: &mut Element, extent: Extent) {
    let old = std::mem::take(&mut mods.attributes);
    let names = match extent {
        Extent::Whole { id, .. } => [("ID", id), ("xmlns:mods", MODS)],
        Extent::Outline => [("xmlns:mods", MODS), ("ID", "MODS_VOLUME_0001")],
    };
    let more = [
        ("xmlns:xlink", XLINK),
        ("xmlns:xsi", XSI),
        ("xsi:schemaLocation", SCHEMAS),
    ];
    mods.attributes.extend(old);
    for (name, value) in names.into_iter().chain(more) {
        mods.set(name, value);
    }
}

fn add_uuid(mods: &mut Element, uuid: &str, compat: bool) {
    let identifier = Element::leaf("identifier", uuid).with("type", "uuid");
    let is_identifier = |_: &Element, child: &Element| child.name == "identifier";
    let rest = if compat {
        insert_before(mods, &is_identifier, identifier)
    } else {
        let at = mods.children.iter().position(|c| c.name == "identifier");
        mods.children
            .insert(at.unwrap_or(mods.children.len()), identifier);
        None
    };
    mods.children.extend(rest);
}

/// Inserts before the first element that is such, given its parent and itself; gives it back if there is none.
fn insert_before(
    parent: &mut Element,
    is_such: &impl Fn(&Element, &Element) -> bool,
    mut new: Element,
) -> Option<Element> {
    for at in 0..parent.children.len() {
        if is_such(parent, &parent.children[at]) {
            parent.children.insert(at, new);
            return None;
        }
        new = insert_before(&mut parent.children[at], is_such, new)?;
    }
    Some(new)
}

fn add_country(mods: &mut Element, compat: bool) {
    if mods.any(|e| e.name == "placeTerm" && e.has("authority", "marccountry")) {
        return;
    }
    let term = Element::leaf("placeTerm", "xr-")
        .with("type", "code")
        .with("authority", "marccountry");
    let place = Element::new("place").holding([term]);
    let of_imprint =
        |parent: &Element, child: &Element| parent.name == "originInfo" && child.name == "place";
    if let Some(place) = insert_before(mods, &of_imprint, place) {
        mods.find_map_mut(&mut |element| {
            (element.name == "originInfo").then(|| {
                if compat && element.is_empty() {
                    element.layout.shape = Shape::Beheaded;
                }
                element.children.push(place.clone());
            })
        });
    }
}

fn add_genre(mods: &mut Element, genre: &str) {
    let known = mods.any(|element| {
        let text = element.text.trim();
        element.name == "genre"
            && ["electronic title", "electronic volume"]
                .iter()
                .any(|known| text.eq_ignore_ascii_case(known))
    });
    if !known {
        let genre = Element::leaf("genre", genre);
        insert_before(mods, &|_, child| child.name == "originInfo", genre);
    }
}

fn trim_titles_and_places(mods: &mut Element, compat: bool) {
    fn visit(element: &mut Element, grandparent: &str, parent: &str, depth: usize, compat: bool) {
        let is_title = element.name == "title" && parent == "titleInfo";
        let is_place = element.name == "placeTerm"
            && parent == "place"
            && grandparent == "originInfo"
            && element.has("type", "text");
        if is_title || is_place {
            trim(element, depth, compat);
        }
        for child in &mut element.children {
            visit(child, parent, element.name, depth + 1, compat);
        }
    }
    visit(mods, "", "", 0, compat);
}

fn trim(element: &mut Element, depth: usize, compat: bool) {
    let marks = ['/', ':', ';', ',', '-', ' ', '[', ']', '(', ')'];
    let trimmed = element.text.trim_matches(marks).to_owned();
    if compat && trimmed.is_empty() {
        match element.text.is_empty() {
            true => element.layout.after = 2 * depth + 2,
            false => element.layout.shape = Shape::Open(4 * depth + 2),
        }
    }
    element.text = trimmed;
}

fn rename_issuance(mods: &mut Element) {
    mods.each_mut(&mut |element| {
        if element.name == "issuance" && element.text == "monographic" {
            "single unit".clone_into(&mut element.text);
        }
    });
}

/// A library that holds the publication has its address too: that of the publication itself, or else the longest.
fn take_address_of_library(mods: &mut Element, compat: bool) {
    with_first(mods, "location", &mut |location, depth| {
        if !location.any(|element| element.name == "physicalLocation") {
            return;
        }
        let urls = location.children.iter().filter(|c| c.name == "url");
        let primary = urls.clone().find(|url| url.has("usage", "primary display"));
        let longest = || {
            let named = urls.clone().filter(|url| !url.text.is_empty());
            // the first of the longest
            named.rev().max_by_key(|url| written_length(&url.text))
        };
        if let Some(url) = primary.or_else(longest) {
            location.children = vec![holding(&url.text, depth, compat)];
        }
    });
}

fn holding(url: &str, depth: usize, compat: bool) -> Element {
    let mut locator = Element::leaf("electronicLocator", url);
    if compat && url.is_empty() {
        locator.layout.shape = Shape::Open(2 * (depth + 3));
    }
    Element::new("holdingSimple").holding([Element::new("copyInformation").holding([locator])])
}

/// Calls `change` with the first element of this name and its depth; says whether there is one.
fn with_first(
    root: &mut Element,
    name: &str,
    change: &mut impl FnMut(&mut Element, usize),
) -> bool {
    fn visit(
        element: &mut Element,
        name: &str,
        depth: usize,
        change: &mut impl FnMut(&mut Element, usize),
    ) -> bool {
        if element.name == name {
            change(element, depth);
            return true;
        }
        element
            .children
            .iter_mut()
            .any(|child| visit(child, name, depth + 1, change))
    }
    visit(root, name, 0, change)
}

/// Addresses of what is related are not wanted.
fn drop_related_locations(mods: &mut Element, compat: bool) {
    if !compat {
        mods.children.retain_mut(|related| {
            let count = related.children.len();
            if related.name == "relatedItem" {
                related.children.retain(|child| child.name != "location");
            }
            related.children.len() == count || !related.is_empty()
        });
        return;
    }
    // the original removed one of them, and left its indentation
    let has_location = |related: &&mut Element| {
        related.name == "relatedItem" && related.children.iter().any(|c| c.name == "location")
    };
    let Some(related) = mods.children.iter_mut().find(has_location) else {
        return;
    };
    related.children.retain(|child| child.name != "location");
    related.layout.shape = Shape::Open(6);
    let first = mods.children.iter().position(|c| c.name == "relatedItem");
    if let Some(at) = first.filter(|at| mods.children[*at].is_empty()) {
        mods.children.remove(at);
        if let Some(next) = mods.children.get_mut(at) {
            next.layout.before += 2;
        }
    }
}

fn add_address(mods: &mut Element, url: Option<&str>, compat: bool) -> Result<(), ConversionError> {
    if mods.any(|element| element.name == "electronicLocator") {
        return Ok(());
    }
    let url = url.ok_or(ConversionError::NoUrl)?;
    // the original puts its words as they are, so an empty one is as XML has it
    let content = holding(url, 0, false);
    let found = with_first(mods, "location", &mut |location, _| {
        location.attributes.clear();
        location.text.clear();
        location.children = vec![content.clone()];
    });
    if !found {
        let mut location = Element::new("location").holding([content]);
        if compat {
            location.layout.before = 2;
        }
        insert_before(mods, &|_, child| child.name == "recordInfo", location);
    }
    Ok(())
}

/// Languages of 041 that the document does not have yet.
fn add_languages(mods: &mut Element, source: &Source<'_>) {
    let fields: Vec<_> = source
        .fields("041")
        .filter(|field| field.i1.character == '0' && field.i2.is_blank())
        .collect();
    for field in fields.into_iter().rev() {
        let values: Vec<_> = field.values('a').collect();
        for value in values.into_iter().rev() {
            if source.compat || has_language(mods, value) {
                add_language(mods, value);
            } else if !field.values('2').any(|list| list == "rfc3066") {
                let pieces: Vec<_> = threes(value).collect();
                for piece in pieces.into_iter().rev() {
                    add_language(mods, piece);
                }
            }
        }
    }
}

fn has_language(mods: &Element, code: &str) -> bool {
    mods.any(|element| {
        element.name == "languageTerm" && element.text.trim().eq_ignore_ascii_case(code.trim())
    })
}

fn add_language(mods: &mut Element, code: &str) {
    if has_language(mods, code) {
        return;
    }
    let language = Element::new("language").holding([crate::mapping::language_term(code)]);
    let rest = insert_before(mods, &|_, child| child.name == "language", language);
    mods.children.extend(rest);
}

/// What the schema of MODS does not allow.
fn drop_invalid(mods: &mut Element) {
    mods.prune(&|element| {
        matches!(element.name, "originInfo" | "hierarchicalGeographic") && element.is_empty()
    });
    mods.each_mut(&mut |element| {
        if element.name == "geographicCode" {
            element.attributes.retain(|(name, value)| {
                *name != "authority" || AREA_LISTS.contains(&value.as_str())
            });
        }
        let no_uri = |uri: &str| uri.contains(['<', '>', ' ']);
        if element.name != "mods" && element.get("xlink:href").is_some_and(no_uri) {
            element
                .attributes
                .retain(|(name, _)| !matches!(*name, "xlink:href" | "xmlns:xlink"));
        }
    });
}
