//! What the tests share.

#![allow(dead_code, missing_docs)]

use std::path::PathBuf;

use edeposit_marcxml2mods::{Settings, convert_monograph};
use quick_xml::Reader;
use quick_xml::events::Event;

pub fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// With the original's accidents.
pub fn compat() -> Settings {
    Settings {
        byte_compat: true,
        ..Settings::default()
    }
}

/// The events of a document without the white space between elements; panics if it is not well-formed.
pub fn canonical(document: &str) -> Vec<String> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().expand_empty_elements = true;
    let mut events = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                let mut attributes: Vec<_> = element
                    .attributes()
                    .map(|attribute| attribute.unwrap())
                    .map(|a| format!("{}={:?}", a.key.as_ref(), a.value))
                    .collect();
                attributes.sort();
                events.push(format!(
                    "<{} {}",
                    element.name().as_ref(),
                    attributes.join(" ")
                ));
            }
            Event::End(element) => events.push(format!("</{}", element.name().as_ref())),
            Event::Text(text) if text.trim_ascii().is_empty() => {}
            Event::Text(text) => events.push(format!("{text:?}")),
            Event::GeneralRef(reference) => events.push(format!("{reference:?}")),
            Event::Decl(_) => {}
            Event::Eof => return events,
            other => panic!("{other:?}"),
        }
    }
}

/// A record of these control and data fields: `001 text` or `245 10 $aTitle$cAuthor`, with `_` for a blank indicator,
/// one a line. A line that begins with `LDR ` is the leader.
pub fn record(lines: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let mut xml = String::from("<record>\n");
    for line in lines.lines().map(str::trim_start).filter(|l| !l.is_empty()) {
        let (tag, rest) = line.split_at(3);
        let rest = &rest[1..];
        if tag == "LDR" {
            xml.push_str(&format!("<leader>{}</leader>\n", escape(rest)));
            continue;
        }
        if !rest.contains('$') {
            let text = escape(rest);
            xml.push_str(&format!(
                "<controlfield tag=\"{tag}\">{text}</controlfield>\n"
            ));
            continue;
        }
        let (indicators, subfields) = rest.split_at(2);
        let indicators = indicators.replace('_', " ");
        xml.push_str(&format!(
            "<datafield tag=\"{tag}\" ind1=\"{}\" ind2=\"{}\">",
            &indicators[..1],
            &indicators[1..]
        ));
        for subfield in subfields.trim_start().split('$').skip(1) {
            let (code, value) = subfield.split_at(1);
            let value = escape(value).replace('€', "$");
            xml.push_str(&format!("<subfield code=\"{code}\">{value}</subfield>"));
        }
        xml.push_str("</datafield>\n");
    }
    xml + "</record>\n"
}

/// The children of `mods` that a record makes, without `mods:` and indentation; the original's accidents included.
pub fn elements(lines: &str) -> Vec<String> {
    elements_with(lines, &compat())
}

/// The document of a record.
pub fn document(lines: &str, settings: &Settings) -> String {
    convert_monograph(&record(lines), None, Some("http://u.example/"), settings).unwrap()
}

pub fn elements_with(lines: &str, settings: &Settings) -> Vec<String> {
    let document = document(lines, settings);
    let body = document.split_once("xlink.xsd\">\n").unwrap().1;
    let body = body.strip_suffix("</mods:mods>\n").unwrap();
    let mut elements: Vec<String> = Vec::new();
    let mut depth = 0;
    for line in body.lines() {
        let line = line.trim_start_matches([' ', '\t']).replace("mods:", "");
        if depth == 0 {
            elements.push(String::new());
        }
        elements.last_mut().unwrap().push_str(&line);
        if line.starts_with("</") {
            depth -= 1;
        } else if line.starts_with('<') && !line.contains("</") && !line.ends_with("/>") {
            depth += 1;
        }
    }
    elements
}

/// Whether the documents are valid MODS 3.4, by xmllint; what it says otherwise.
pub fn validate<'a>(documents: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("xmllint");
    command.args(["--nonet", "--noout", "--schema"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/mods-3-4.xsd"));
    for (index, document) in documents.into_iter().enumerate() {
        let path = directory.path().join(format!("{index}.xml"));
        std::fs::write(&path, document).unwrap();
        command.arg(path);
    }
    let output = command.output().expect(
        "xmllint is missing: cargo xtask test installs it, or apt-get install libxml2-utils",
    );
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(said
            .lines()
            .filter(|line| !line.ends_with(" validates"))
            .collect()),
    }
}

/// The top-level elements of this name.
pub fn of(name: &str, lines: &str) -> Vec<String> {
    only(name, elements(lines))
}

pub fn only(name: &str, elements: Vec<String>) -> Vec<String> {
    let is_such = |element: &String| {
        let rest = element
            .strip_prefix('<')
            .and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with([' ', '>', '/']))
    };
    elements.into_iter().filter(is_such).collect()
}

/// 008 with these texts at these positions.
pub fn f008(parts: &[(usize, &str)]) -> String {
    let mut text = vec![' '; 40];
    for (at, part) in parts {
        for (offset, character) in part.chars().enumerate() {
            text[at + offset] = character;
        }
    }
    text[39] = 'd';
    text[0] = '2';
    format!("008 {}", text.into_iter().collect::<String>())
}

pub fn leader(parts: &[(usize, char)]) -> String {
    let mut text: Vec<char> = "00000n   2200000 i 4500 ".chars().collect();
    for (at, character) in parts {
        text[*at] = *character;
    }
    format!("LDR {}", text.into_iter().collect::<String>())
}

/// All rows of one table: name of the elements, record, what they are.
pub fn check(rows: &[(&str, &str, &[&str])]) {
    for (name, lines, expected) in rows {
        assert_eq!(of(name, lines), *expected, "{lines}");
    }
}
