//! YAML, of which only the plain part is read: scalars stay the texts they are in the file, so nothing becomes a date, an
//! octal number or a boolean, and there are no tags and no aliases, so nothing is made and nothing grows.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::error::DecodeError;
use super::node::{DEEPEST, Node};

pub(super) fn decode(text: &str) -> Result<Node, DecodeError> {
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| DecodeError::Yaml(error.to_string()))?;
        let finished = match event {
            Event::Scalar(text, style, _, tag) => {
                refuse_tag(tag.is_some())?;
                let is_plain = matches!(style, ScalarStyle::Plain);
                match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if is_plain => Node::Other("None"),
                    text => Node::Text(text.to_owned()),
                }
            }
            Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) if tag.is_some() => {
                return Err(problem("tags are not read"));
            }
            Event::SequenceStart(..) => {
                descend(&mut open, Open::List(Vec::new()))?;
                continue;
            }
            Event::MappingStart(..) => {
                descend(&mut open, Open::Map(Vec::new(), None))?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Node::List(list),
                Some(Open::Map(entries, _)) => Node::Map(entries),
                None => continue,
            },
            Event::Alias(_) => return Err(problem("aliases are not read")),
            Event::DocumentStart(_) if document.is_some() => {
                return Err(problem("there is more than one document"));
            }
            _ => continue,
        };
        match open.last_mut() {
            None => document = Some(finished),
            Some(Open::List(list)) => list.push(finished),
            Some(Open::Map(entries, key)) => match key.take() {
                None => *key = Some(finished),
                Some(key) => entries.push((key, finished)),
            },
        }
    }
    Ok(document.unwrap_or(Node::Other("None")))
}

/// A list or a mapping whose end has not come.
enum Open {
    List(Vec<Node>),
    /// Its entries, and a key whose value has not come.
    Map(Vec<(Node, Node)>, Option<Node>),
}

fn descend(open: &mut Vec<Open>, one: Open) -> Result<(), DecodeError> {
    if open.len() >= DEEPEST {
        return Err(problem(&format!("nested deeper than {DEEPEST} levels")));
    }
    open.push(one);
    Ok(())
}

fn refuse_tag(is_tagged: bool) -> Result<(), DecodeError> {
    match is_tagged {
        true => Err(problem("tags are not read")),
        false => Ok(()),
    }
}

fn problem(text: &str) -> DecodeError {
    DecodeError::Yaml(text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::decode::tests::{error, pairs, texts};

    #[test]
    fn scalars_are_texts() {
        let text = "ISBN: 9788087270998\nDatum: 2012-09-01\nPoradi: 01\nCena: 12.50\nVazba: yes\nNazev: 'null'\n";
        let expected = texts(&[
            ("ISBN", "9788087270998"),
            ("Datum", "2012-09-01"),
            ("Poradi", "01"),
            ("Cena", "12.50"),
            ("Vazba", "yes"),
            ("Nazev", "null"),
        ]);
        assert_eq!(pairs("x.yaml", text), expected);
        let expected = texts(&[("a", "1"), ("b", "2")]);
        assert_eq!(pairs("x.yaml", "- [a, 1]\n- - b\n  - 2\n"), expected);
        assert_eq!(pairs("x.yaml", "---\n- a\n- 1\n- b\n- 2\n..."), expected);
    }

    /// Defect 6: tags ran code, aliases grew without bound.
    #[test]
    fn tags_aliases_and_depth() {
        let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
        assert_eq!(
            error("x.yaml", bomb),
            "Can't parse your YAML data: aliases are not read"
        );
        let code = "a: !!python/object/apply:os.system ['touch /tmp/x']";
        assert_eq!(
            error("x.yaml", code),
            "Can't parse your YAML data: tags are not read"
        );
        assert!(error("x.yaml", "a: !x 1").contains("tags"));
        assert!(error("x.yaml", "!x {a: 1}").contains("tags"));
        for open in ["[", "{", "- ", "? ", "{a: "] {
            let deep = error("x.yaml", &open.repeat(100_000));
            assert!(deep.starts_with("Can't parse your YAML data: "), "{open}");
        }
        let keyword = "Can't decode the meta file - invalid type of keyword 'a'!";
        assert_eq!(error("x.yaml", "a:\n"), keyword);
        assert_eq!(error("x.yaml", "a: ~\n"), keyword);
        assert_eq!(error("x.yaml", "a: {b: c}\n"), keyword);
        assert!(error("x.yaml", "a: 1\n---\nb: 2\n").contains("more than one document"));
        let unknown = "Can't decode provided metadata - unknown structure.";
        assert_eq!(error("x.yaml", ""), unknown);
        assert_eq!(error("x.yaml", "jen text"), unknown);
        assert!(error("x.yaml", "a: [1\nb: \"").starts_with("Can't parse your YAML data: "));
    }
}
