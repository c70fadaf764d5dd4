//! Whatever a message holds, reading it ends with a value or an error: no panic, no endless recursion, bounded memory; and
//! what can be read can be written and read again.
//!
//! `PROPTEST_CASES=100000 cargo test -p edeposit-serializers --test fuzz` tries more.

use std::collections::BTreeMap;

use edeposit_serializers::{
    Base64, ErrorKind, MAX_DEPTH, Value, from_slice, from_value, parse, to_string, to_value, to_vec,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::{Deserialize, Serialize};

/// Every shape that serde's derive makes of a message.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Message {
    SearchRequest(SearchRequest),
    Rename {
        from: String,
        to: Option<String>,
    },
    List,
    Data {
        data: Base64,
        #[serde(default)]
        more: BTreeMap<String, i64>,
    },
    Any {
        value: Value,
    },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct SearchRequest {
    query: Query,
    #[serde(default)]
    pairs: Vec<(u8, f64)>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Query {
    ISBNQuery {
        #[serde(rename = "ISBN")]
        isbn: String,
        base: Option<String>,
    },
    Either {
        queries: Vec<Query>,
    },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "__nt_name")]
enum Tagged {
    Rename { from: String },
    List,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Unit;

/// Reads it in every way there is. An error has a text, and that is not longer than the message makes it.
fn exercise(bytes: &[u8]) {
    if let Err(error) = parse(bytes) {
        assert!(!error.to_string().is_empty());
    }
    let errors = [
        from_slice::<Message>(bytes).err(),
        from_slice::<Vec<Message>>(bytes).err(),
        from_slice::<BTreeMap<String, Query>>(bytes).err(),
        from_slice::<Tagged>(bytes).err(),
        from_slice::<Unit>(bytes).err(),
        from_slice::<(Option<bool>, char, Value)>(bytes).err(),
    ];
    for error in errors.into_iter().flatten() {
        // A byte of the message is at most six of JSON's in an error, plus the words around and the names known here.
        assert!(error.to_string().len() <= 6 * bytes.len() + 400, "{error}");
    }
    if let Ok(message) = from_slice::<Message>(bytes) {
        assert_eq!(
            from_slice::<Message>(&to_vec(&message).unwrap()).unwrap(),
            message
        );
    }
}

/// What was read is the same when it is written and read again, as text, as bytes and as a value.
fn round_trip(value: &Value) {
    let bytes = to_vec(value).unwrap();
    assert_eq!(&parse(&bytes).unwrap(), value);
    assert_eq!(to_string(value).unwrap().into_bytes(), bytes);
    assert_eq!(&to_value(value).unwrap(), value);
    assert_eq!(&from_value::<Value>(value.clone()).unwrap(), value);
}

/// Messages that the original put on the wire.
fn recorded() -> Vec<String> {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/messages.json")).unwrap();
    let wires = vectors
        .iter()
        .map(|vector| vector["wire"].as_str().unwrap().to_owned());
    wires.collect()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("__nt_name".to_owned()),
        2 => select(vec!["query", "ISBN", "from", "to", "data", "more", "value", "queries", "pairs", ""])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => select(vec!["SearchRequest", "Rename", "List", "Data", "Any", "ISBNQuery", "Either", "YWhvag=="])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("no number", |number| {
            serde_json::Number::from_f64(number).map(Value::Number)
        }),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 80, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Pieces of JSON, right and wrong, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(vec![
            "{", "}", "[", "]", ",", ":", "\"__nt_name\":", "\"List\"", "null", "true", "-0", "1e400", "1e-400", "NaN",
            "\"\\ud800\"", "\"\\u0000\"", "\"", "\\", "\u{feff}", " ", "\n", "0.1", "123456789012345678901234567890",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,5}",
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Something was done to a message: bytes changed, put in, left out, doubled, or the end cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (0..5_u8, any::<Index>(), any::<Index>(), any::<u8>());
    (select(recorded()), vec(change, 1..6)).prop_map(|(wire, changes)| {
        let mut bytes = wire.into_bytes();
        for (what, at, to, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
            let range = at.min(to)..at.max(to);
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.drain(range)),
                3 => {
                    let copy = bytes[range].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn fuzz_any_bytes(bytes in vec(any::<u8>(), 0..500)) {
        exercise(&bytes);
    }

    #[test]
    fn fuzz_pieces_of_json(text in pieces()) {
        exercise(text.as_bytes());
        if let Ok(value) = parse(text.as_bytes()) {
            round_trip(&value);
        }
    }

    #[test]
    fn fuzz_any_json(value in json()) {
        round_trip(&value);
        exercise(value.to_string().as_bytes());
    }

    #[test]
    fn fuzz_damaged_messages(bytes in damaged()) {
        exercise(&bytes);
        if let Ok(value) = parse(&bytes) {
            round_trip(&value);
        }
    }

    /// Lists and objects in each other, closed or not: too deep is an error, never an overflow of the stack.
    #[test]
    fn fuzz_deep_nesting(kinds in vec(any::<bool>(), 1..200), times in 1..1000_usize, closed in any::<bool>()) {
        let depth = kinds.len() * times;
        let kinds = || kinds.iter().cycle().take(depth);
        let mut text: String = kinds().map(|list| if *list { "[" } else { "{\"a\":" }).collect();
        text.push('1');
        let closing: String = kinds().map(|list| if *list { ']' } else { '}' }).collect();
        if closed {
            text.extend(closing.chars().rev());
        }
        let parsed = parse(text.as_bytes());
        if depth > MAX_DEPTH {
            let error = parsed.unwrap_err();
            prop_assert_eq!(error.kind(), &ErrorKind::TooDeep);
        } else {
            prop_assert_eq!(parsed.is_ok(), closed);
        }
        exercise(text.as_bytes());
    }
}
