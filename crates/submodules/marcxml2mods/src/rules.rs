//! The language of the mapping tables: what a data field makes of a document.
//!
//! A [`Row`] names fields and the [`Rule`] for each of them. Rules make elements; [`Text`] says where an element's text
//! comes from, [`Clean`] which punctuation goes, [`Attribute`] what else it carries. `Leaf("title", &[], Select("a"),
//! Chop)` reads: an element `title` with the values of all `$a`, closing punctuation dropped.

use crate::source::{Field, Source};
use crate::text::{chop, chop_but_stop, chop_front, is_blank, squeeze};
use crate::tree::{Element, XLINK};

/// One line of a mapping table.
pub(crate) struct Row {
    /// Ids of fields, separated by blanks. Each occurrence of any of them is carried over, in the record's order.
    pub(crate) fields: &'static str,
    pub(crate) only: Only,
    pub(crate) makes: Rule,
}

/// Which occurrences of a field a row is about.
pub(crate) enum Only {
    All,
    /// First indicator, as a number.
    First(u32),
    /// First indicator, as a character.
    FirstIs(char),
    /// Second indicator.
    Second(u32),
    /// There is a subfield with one of these codes.
    With(&'static str),
}

/// What to make of a field.
pub(crate) enum Rule {
    /// An element with a text.
    Leaf(&'static str, &'static [Attribute], Text, Clean),
    /// The same, if the text is not blank before it is cleaned.
    Filled(&'static str, &'static [Attribute], Text, Clean),
    /// An element with what these rules make.
    Group(&'static str, &'static [Attribute], &'static [Rule]),
    /// The rule for each subfield with one of these codes; [`Text::Value`] is its value.
    Each(&'static str, &'static Rule),
    /// The rules, if there is a subfield with one of these codes.
    When(&'static str, &'static [Rule]),
    /// The rules one after another.
    All(&'static [Rule]),
    /// What no other rule can say.
    By(fn(&Source<'_>, &Field<'_>, &mut Vec<Element>)),
}

/// Where a text comes from. Values are joined with a blank, empty ones too.
#[derive(Clone, Copy)]
pub(crate) enum Text {
    /// The value of the subfield that [`Rule::Each`] is at.
    Value,
    /// All values with one of these codes.
    Select(&'static str),
    /// The same, joined with hyphens.
    Hyphened(&'static str),
    /// The first value with this code.
    First(char),
    /// All values but those with these codes.
    AllBut(&'static str),
    /// All values with nothing between them.
    Glued,
    /// Values told apart by a landmark among the subfields.
    Around(Around),
    /// A uniform title, whose parts may stand before or after the number and name of a part.
    UniformTitle,
}

/// Values with the codes `any`; with the codes `before`, if a subfield `mark` still follows; with the codes `after`, if one
/// went before.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) mark: char,
    pub(crate) any: &'static str,
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
}

/// Which punctuation goes.
#[derive(Clone, Copy)]
pub(crate) enum Clean {
    No,
    /// At the end.
    Chop,
    /// At the end, but not a full stop.
    ChopButStop,
    /// At both ends.
    ChopBoth,
    /// None, but white space is collapsed.
    Squeeze,
}

/// An attribute, or a few that go together.
pub(crate) enum Attribute {
    /// Name and value.
    Fixed(&'static str, &'static str),
    /// If there is a subfield with one of these codes: the text.
    If(&'static str, &'static str, Text),
    /// The last value with this code, if any.
    Last(&'static str, char),
    /// The text of the first `$2` or nothing.
    AuthorityOf2,
    /// The thesaurus of a subject heading, by the second indicator.
    Thesaurus,
    /// The value, if the record has one of these fields.
    Beside(&'static str, &'static str, &'static str),
    /// `type="constituent"`, if the second indicator says that it is part of the publication.
    Constituent,
    /// `altRepGroup` and `script`, if the field is linked to the same in another script.
    Linked,
    /// `script`, if any field of the record is linked.
    Script,
    /// `xlink:href`, if there is a `$u` or `$0`.
    Link,
}

/// Applies a table.
pub(crate) fn apply(rows: &[Row], source: &Source<'_>, to: &mut Vec<Element>) {
    for row in rows {
        for field in source.fields(row.fields) {
            if row.only.admits(field) {
                row.makes.apply(source, field, to);
            }
        }
    }
}

impl Row {
    pub(crate) const fn new(fields: &'static str, makes: Rule) -> Self {
        Self {
            fields,
            only: Only::All,
            makes,
        }
    }

    pub(crate) const fn only(fields: &'static str, only: Only, makes: Rule) -> Self {
        Self {
            fields,
            only,
            makes,
        }
    }
}

impl Only {
    pub(crate) fn admits(&self, field: &Field<'_>) -> bool {
        match *self {
            Self::All => true,
            Self::First(number) => field.i1.is(number),
            Self::FirstIs(character) => field.i1.character == character,
            Self::Second(number) => field.i2.is(number),
            Self::With(codes) => field.has(codes),
        }
    }
}

impl Rule {
    pub(crate) fn apply(&self, source: &Source<'_>, field: &Field<'_>, to: &mut Vec<Element>) {
        self.apply_at(source, field, "", to);
    }

    fn apply_at(&self, source: &Source<'_>, field: &Field<'_>, value: &str, to: &mut Vec<Element>) {
        match self {
            Self::Leaf(name, attributes, text, clean) => {
                let text = clean.apply(text.of(source, field, value));
                to.push(start(name, attributes, source, field).containing(text));
            }
            Self::Filled(name, attributes, text, clean) => {
                let text = text.of(source, field, value);
                if !is_blank(&text) {
                    let element = start(name, attributes, source, field);
                    to.push(element.containing(clean.apply(text)));
                }
            }
            Self::Group(name, attributes, rules) => {
                let mut element = start(name, attributes, source, field);
                for rule in *rules {
                    rule.apply_at(source, field, value, &mut element.children);
                }
                to.push(element);
            }
            Self::Each(codes, rule) => {
                for (code, value) in &field.subfields {
                    if codes.contains(*code) {
                        rule.apply_at(source, field, value, to);
                    }
                }
            }
            Self::When(codes, rules) => {
                if field.has(codes) {
                    for rule in *rules {
                        rule.apply_at(source, field, value, to);
                    }
                }
            }
            Self::All(rules) => {
                for rule in *rules {
                    rule.apply_at(source, field, value, to);
                }
            }
            Self::By(make) => make(source, field, to),
        }
    }
}

impl Text {
    fn of(self, source: &Source<'_>, field: &Field<'_>, value: &str) -> String {
        match self {
            Self::Value => value.to_owned(),
            Self::Select(codes) => field.select(codes).join(" "),
            Self::Hyphened(codes) => field.select(codes).join("-"),
            Self::First(code) => field.first(code).to_owned(),
            Self::AllBut(codes) => {
                let others = field.subfields.iter().filter(|(c, _)| !codes.contains(*c));
                others.map(|(_, v)| *v).collect::<Vec<_>>().join(" ")
            }
            Self::Glued => field.subfields.iter().map(|(_, v)| *v).collect(),
            Self::Around(around) => around.of(field).join(" "),
            Self::UniformTitle => uniform_title(source, field).join(" "),
        }
    }
}

impl Around {
    pub(crate) fn of<'a>(self, field: &Field<'a>) -> Vec<&'a str> {
        let is_mark = |(code, _): &(char, &str)| *code == self.mark;
        let first = field.subfields.iter().position(is_mark);
        let last = field.subfields.iter().rposition(is_mark);
        let chosen = field
            .subfields
            .iter()
            .enumerate()
            .filter(|(at, (code, _))| {
                self.any.contains(*code)
                    || (self.before.contains(*code) && last.is_some_and(|last| last > *at))
                    || (self.after.contains(*code) && first.is_some_and(|first| first < *at))
            });
        chosen.map(|(_, (_, value))| *value).collect()
    }
}

/// Two rules of the original's both took `$s`, unless a number or name of a part went before: its titles have it twice.
fn uniform_title<'a>(source: &Source<'_>, field: &Field<'a>) -> Vec<&'a str> {
    let is_part = |(code, _): &(char, &str)| matches!(code, 'n' | 'p');
    let last_part = field.subfields.iter().rposition(is_part);
    let mut values = Vec::new();
    for (at, (code, value)) in field.subfields.iter().enumerate() {
        let heads = last_part.is_none_or(|last| last > at);
        if *code == 's' {
            values.push(*value);
        }
        if "adfklmors".contains(*code) && heads && (*code != 's' || source.compat) {
            values.push(*value);
        }
    }
    values
}

impl Clean {
    fn apply(self, text: String) -> String {
        match self {
            Self::No => text,
            Self::Chop => chop(&text).to_owned(),
            Self::ChopButStop => chop_but_stop(&text).to_owned(),
            Self::ChopBoth => chop_front(chop(&text)).to_owned(),
            Self::Squeeze => squeeze(&text),
        }
    }
}

/// The element with its attributes, in their order.
pub(crate) fn start(
    name: &'static str,
    attributes: &[Attribute],
    source: &Source<'_>,
    field: &Field<'_>,
) -> Element {
    let mut element = Element::new(name);
    for attribute in attributes {
        attribute.write(source, field, &mut element);
    }
    element
}

impl Attribute {
    fn write(&self, source: &Source<'_>, field: &Field<'_>, element: &mut Element) {
        match *self {
            Self::Fixed(name, value) => element.set(name, value),
            Self::If(name, codes, text) => {
                if field.has(codes) {
                    element.set(name, text.of(source, field, ""));
                }
            }
            Self::Last(name, code) => {
                if let Some(value) = field.values(code).last() {
                    element.set(name, value);
                }
            }
            Self::AuthorityOf2 => element.set("authority", field.first('2')),
            Self::Thesaurus => {
                if let Some(authority) = thesaurus(field) {
                    element.set("authority", authority);
                }
            }
            Self::Beside(name, value, tags) => {
                if source.has_field(tags) {
                    element.set(name, value);
                }
            }
            Self::Constituent => {
                if field.i2.is(2) {
                    element.set("type", "constituent");
                }
            }
            Self::Linked => linked(field, element),
            Self::Script => {
                if source.linked {
                    element.set("script", script(&script_code(field)));
                }
            }
            Self::Link => {
                if let Some(uri) = field.select("u0").last() {
                    let declaration = ("xmlns:xlink", XLINK.to_owned());
                    element.attributes.insert(0, declaration);
                    element.set("xlink:href", *uri);
                }
            }
        }
    }
}

fn linked(field: &Field<'_>, element: &mut Element) {
    if field.has("6") {
        element.set("altRepGroup", field.link_number());
        element.set("script", script(&script_code(field)));
    }
}

fn script_code(field: &Field<'_>) -> String {
    field.link().into_iter().skip(7).take(2).collect()
}

/// The name of a script by its code in `$6`.
fn script(code: &str) -> &'static str {
    match code {
        "" | "(B" | "!E" => "Latn",
        "(3" | "(4" => "Arab",
        "$1" => "CJK",
        "(N" | "(Q" => "Cyrl",
        "(2" => "Hebr",
        "(S" => "Grek",
        _ => "",
    }
}

fn thesaurus<'a>(field: &Field<'a>) -> Option<&'a str> {
    Some(match field.i2.number {
        Some(4 | 8) => return None,
        None if field.i2.is_blank() => return None,
        Some(9) if field.values('2').all(str::is_empty) => return None,
        Some(0) => "lcsh",
        Some(1) => "lcshac",
        Some(2) => "mesh",
        Some(3) => "nal",
        Some(5) => "csh",
        Some(6) => "rvm",
        Some(7 | 9) => field.first('2'),
        _ => "",
    })
}
