//! The indexes a `find` can ask, and how a phrase is compared with them.
//!
//! Which field is in which index is local configuration of a real server; this is the double's choice.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Record;

/// Indexes a real server has, but which find nothing here.
const EMPTY: [&str; 8] = ["txt", "ob", "wpf", "wpv", "wlo", "sg", "bar", "wpk"];

/// Whether `record` is a hit for `phrase` in the index `code`; None if there is no such index.
pub(super) fn matches(record: &Record, code: &str, phrase: &str) -> Option<bool> {
    let code = code.to_lowercase();
    let texts = texts(record, &code)?;
    Some(match code.as_str() {
        "sbn" | "ssn" | "isn" | "icz" | "sys" | "bar" | "cnb" => {
            let wanted = number(phrase);
            // Behind the number stands what it belongs to: "80-251-0225-4 (brož.) :".
            let first_word = |text: &str| number(text.split_whitespace().next().unwrap_or(""));
            !wanted.is_empty() && texts.iter().any(|text| first_word(text) == wanted)
        }
        _ => {
            let have: HashSet<String> = texts.iter().flat_map(|text| words(text)).collect();
            let wanted = words(phrase);
            !wanted.is_empty() && wanted.iter().all(|word| have.contains(word))
        }
    })
}

fn texts<'a>(record: &'a Record, code: &str) -> Option<Vec<&'a str>> {
    let of = |fields: &[(&str, &str)]| -> Vec<&'a str> {
        fields
            .iter()
            .flat_map(|(id, labels)| record.values(id, labels).collect::<Vec<_>>())
            .collect()
    };
    Some(match code {
        "wtl" => of(&[("245", "abnp"), ("246", "a"), ("490", "a"), ("765", "t")]),
        "wau" => of(&[
            ("100", "a"),
            ("110", "a"),
            ("700", "a"),
            ("710", "a"),
            ("245", "c"),
        ]),
        "wpb" => of(&[("260", "b"), ("264", "b")]),
        "wpp" => of(&[("260", "a"), ("264", "a")]),
        "wyr" => of(&[("260", "c"), ("264", "c")]),
        "sbn" => of(&[("020", "az"), ("901", "b")]),
        "ssn" => of(&[("022", "a")]),
        "isn" => of(&[("020", "az"), ("901", "b"), ("022", "a")]),
        "icz" => record.fixed("001").collect(),
        "sys" => record
            .fixed("001")
            .chain([record.doc_number.as_str()])
            .collect(),
        "cnb" => of(&[("015", "a")]),
        "wkw" => of(&[("650", "a")]),
        "wln" => of(&[("041", "a")]),
        "wtp" => record.fixed("FMT").collect(),
        "wrd" => record.all_texts().collect(),
        _ if EMPTY.contains(&code) => Vec::new(),
        _ => return None,
    })
}

/// Lower case without accents.
fn fold(text: &str) -> String {
    text.nfd()
        .filter(|character| !is_combining_mark(*character))
        .flat_map(char::to_lowercase)
        .collect()
}

fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn number(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphanumeric()).collect()
}
