//! Whatever the catalogue replies, reading it ends with a value or an error, in bounded time and memory.
//!
//! `PROPTEST_CASES=100000 cargo test -p edeposit-aleph fuzz` tries more.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reply::{MAX_DEPTH, Reply, first_error, first_text};
use super::{doc_number, error_of};
use crate::messages::AlephRecord;

const REPLIES: [&str; 7] = [
    "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<find>\n<set_number>016513</set_number>\n\
     <no_records>000004998</no_records>\n<no_entries>000002500</no_entries>\n<session-id>A1</session-id>\n</find>\n",
    "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<find>\n<error>empty set</error>\n<session-id>A1</session-id>\n</find>\n",
    "<present><error>There is no entry number: 9 in set number given</error><session-id>A1</session-id></present>",
    "<ill-get-set><doc-number>000000001</doc-number><doc-number>000000002</doc-number></ill-get-set>",
    "<login><error>Error 2010 Aleph library &lt;NOPE&gt; is missing</error></login>",
    include_str!("../../../marc/testdata/monograph_unix.xml"),
    include_str!("../../../marc/testdata/isbns_authors_urls.xml"),
];

/// Reads it as the reply to each operation.
fn exercise(xml: &str) {
    match Reply::parse("find", xml) {
        Ok(reply) => {
            let _ = (
                reply.error(),
                reply.number("set_number"),
                reply.required_number("no_records"),
            );
            let bytes: usize = reply.texts("doc-number").map(str::len).sum();
            assert!(bytes <= xml.len());
        }
        Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
    }
    for words in [first_error(xml), error_of(xml)].into_iter().flatten() {
        assert!(words.chars().count() <= 600, "{words}");
    }
    assert!(first_text(xml, "doc_number").is_none_or(|text| text.len() <= xml.len()));
    let number = doc_number(xml).unwrap_or_default();
    match AlephRecord::from_xml(
        None,
        "NKC01".to_owned(),
        number.as_str().into(),
        xml.to_owned(),
    ) {
        Ok(record) => {
            let json = edeposit_serializers::to_vec(&record).unwrap();
            // The record itself, escaped, and what was read from it.
            assert!(
                json.len() <= 16 * xml.len() + 10_000,
                "{} of {}",
                json.len(),
                xml.len()
            );
        }
        Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
    }
}

fn damage() -> impl Strategy<Value = Vec<(u8, Index, Index, char)>> {
    vec(
        (0..4_u8, any::<Index>(), any::<Index>(), any::<char>()),
        1..8,
    )
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec![
            "<find>", "</find>", "<error>", "</error>", "<error/>", "<set_number>", "</set_number>", "<no_records>",
            "</no_records>", "<record", "<record>", "</record>", "<oai_marc>", "<![CDATA[", "]]>", "<!--", "-->", "<?x",
            "<!DOCTYPE x [<!ENTITY e 'e'>]>", "&e;", "&amp;", "&#0;", "&#xfffff;", "empty set", "000001", "-1",
            "99999999999999999999", "<login", "<doc_number>", "</doc_number>",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn fuzz_any_reply(bytes in vec(any::<u8>(), 0..400)) {
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn fuzz_nearly_replies(pieces in vec(piece(), 0..40)) {
        exercise(&pieces.concat());
    }

    #[test]
    fn fuzz_damaged_replies(reply in select(&REPLIES[..]), damage in damage()) {
        let mut characters: Vec<char> = reply.chars().collect();
        for (what, at, to, character) in damage {
            if characters.is_empty() {
                break;
            }
            let (at, to) = (at.index(characters.len()), to.index(characters.len()));
            let range = at.min(to)..at.max(to);
            match what {
                0 => characters[at] = character,
                1 => characters.insert(at, character),
                2 => drop(characters.drain(range)),
                _ => {
                    let copy = characters[range].to_vec();
                    characters.splice(at..at, copy);
                }
            }
        }
        exercise(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn fuzz_deep_replies(depth in prop_oneof![1..40_usize, 1..3000_usize], closed in any::<bool>()) {
        let closing = if closed { "</a>".repeat(depth) } else { String::new() };
        let xml = "<a>".repeat(depth) + &closing;
        prop_assert_eq!(Reply::parse("find", &xml).is_ok(), closed && depth <= MAX_DEPTH);
        exercise(&xml);
        exercise(&format!("<record>{xml}"));
    }
}
