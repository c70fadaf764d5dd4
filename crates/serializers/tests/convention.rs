//! The namedtuple convention as callers meet it.

use std::collections::BTreeMap;

use edeposit_serializers::{
    Base64, ErrorKind, IncorrectPadding, MAX_DEPTH, Value, from_slice, from_str, parse, to_string,
    to_value, to_vec,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Request {
    Search(Search),
    Rename { from: String, to: Option<String> },
    List,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Search {
    query: Query,
    #[serde(default)]
    limits: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Query {
    Title { title: String },
    Either { queries: Vec<Query> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "__nt_name")]
enum Tagged {
    Greet { name: String },
    Bye,
}

#[test]
fn records_round_trip() {
    let message = Request::Search(Search {
        query: Query::Either {
            queries: vec![Query::Title {
                title: "Úly".into(),
            }],
        },
        limits: BTreeMap::from([("records".into(), 30)]),
    });
    let expected = json!({
        "__nt_name": "Search",
        "query": {"__nt_name": "Either", "queries": [{"__nt_name": "Title", "title": "Úly"}]},
        "limits": {"records": 30},
    });
    assert_eq!(to_value(&message).unwrap(), expected);
    assert_eq!(
        to_vec(&message).unwrap(),
        to_string(&message).unwrap().into_bytes()
    );
    assert_eq!(
        from_slice::<Request>(&to_vec(&message).unwrap()).unwrap(),
        message
    );
}

#[test]
fn a_record_without_fields_is_its_name_alone() {
    assert_eq!(
        to_string(&Request::List).unwrap(),
        r#"{"__nt_name":"List"}"#
    );
    assert_eq!(
        from_str::<Request>(r#"{"__nt_name":"List"}"#).unwrap(),
        Request::List
    );
}

#[test]
fn fields_come_in_any_order_and_escaped_or_not() {
    let read: Request =
        from_str(r#"{"to": null, "from": "\u017elu\u0165", "__nt_name": "Rename"}"#).unwrap();
    assert_eq!(
        read,
        Request::Rename {
            from: "žluť".into(),
            to: None
        }
    );
}

#[test]
fn serde_tagged_types_keep_their_form() {
    for message in [Tagged::Greet { name: "Jan".into() }, Tagged::Bye] {
        let json = to_string(&message).unwrap();
        assert_eq!(json.matches("__nt_name").count(), 1, "{json}");
        assert_eq!(from_str::<Tagged>(&json).unwrap(), message);
    }
    let error = from_str::<Tagged>(r#"{"__nt_name": "Nope"}"#).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnknownRecord { .. }),
        "{error}"
    );
    let error = from_str::<Tagged>(r#"{"name": "Jan"}"#).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WrongType { found: "dict", .. }),
        "{error}"
    );
}

#[test]
fn errors_say_what_and_where() {
    let cases = [
        (
            r#"{"__nt_name": "Nope"}"#,
            "unknown record type \"Nope\" (known here: Search, Rename, List)",
        ),
        (
            r#"{"__nt_name": 5}"#,
            "unknown record type 5 (known here: Search, Rename, List)",
        ),
        (
            r#"{"__nt_name": "Search", "query": {"__nt_name": "Either", "queries": [{"__nt_name": "Title", "title": "a"}, {"__nt_name": "Title", "title": []}]}}"#,
            "query.queries[1].title: expected a string, found a list",
        ),
        (
            r#"{"__nt_name": "Search", "query": {"__nt_name": "Title", "title": "a", "navic": 1}}"#,
            "query: __new__() got an unexpected keyword argument 'navic': Title has title",
        ),
        (
            r#"{"__nt_name": "Rename", "to": null}"#,
            "__new__() takes exactly 3 arguments (2 given): Rename lacks from",
        ),
        (
            r#"{"from": "a"}"#,
            "expected one of the records Search, Rename, List, found an object",
        ),
        (
            "[1]",
            "expected one of the records Search, Rename, List, found a list",
        ),
        (
            r#"{"__nt_name": "List", "x": 1}"#,
            "__new__() got an unexpected keyword argument 'x': List has no fields",
        ),
        ("", "No JSON object could be decoded"),
        ("tohle není JSON", "No JSON object could be decoded"),
        ("NaN", "No JSON object could be decoded"),
        (r#"{"a": 1} xx"#, "Extra data: line 1 column 10"),
        (
            r#"{"ISBN": "80-251"#,
            "EOF while parsing a string at line 1 column 16",
        ),
        (
            r#"{"__nt_name": "List", "__nt_name": "Search"}"#,
            "__nt_name given twice at line 1 column 33",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(
            from_str::<Request>(message).unwrap_err().to_string(),
            expected,
            "{message}"
        );
    }
    let error = from_slice::<Request>(b"{\"a\": \"\xe9\"}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'utf8' codec can't decode byte 0xe9 in position 7: not valid UTF-8"
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        let error = parse(nested(depth).as_bytes()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::TooDeep);
    }
}

#[test]
fn what_json_has_no_form_for_is_refused() {
    for value in [f64::NAN, f64::INFINITY] {
        let error = to_vec(&vec![value]).unwrap_err();
        assert!(
            error.to_string().ends_with("is not JSON serializable"),
            "{error}"
        );
    }
    assert!(to_vec(&BTreeMap::from([(vec![1], 2)])).is_err());
    assert_eq!(to_string(&BTreeMap::from([(1, 2)])).unwrap(), r#"{"1":2}"#);
}

#[test]
fn base64_reads_what_python_reads() {
    let accepted: [(&str, &[u8]); 8] = [
        ("", b""),
        ("YWhvag==", b"ahoj"),
        ("YWhv\nag=\r\n=\n", b"ahoj"),
        ("YW?h*voajA", b"aho\xa1\xa8\xc0"),
        ("YWhvajE=", b"ahoj1"),
        ("YWhvajEy", b"ahoj12"),
        ("YWhvag==ignored", b"ahoj"),
        ("====YWhv", b"aho"),
    ];
    for (text, bytes) in accepted {
        assert_eq!(Base64::decode(text).unwrap().0, bytes, "{text}");
    }
    for text in ["Y", "YW", "YWh", "YWhva", "YWhvag="] {
        assert_eq!(Base64::decode(text), Err(IncorrectPadding), "{text}");
    }
    assert_eq!(
        to_string(&Base64(b"ahoj".to_vec())).unwrap(),
        "\"YWhvag==\""
    );
    let error = from_str::<BTreeMap<String, Base64>>(r#"{"b64": "YW"}"#).unwrap_err();
    assert_eq!(error.to_string(), "b64: Incorrect padding");
}

#[test]
fn recorded_plain_values_round_trip() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/messages.json"
    );
    let recorded: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let plain: Vec<&str> = recorded
        .iter()
        .filter(|message| message["submodule"] == "serializers")
        .map(|message| message["wire"].as_str().unwrap())
        .collect();
    assert!(plain.len() >= 5);
    for wire in plain {
        let value: Value = from_str(wire).unwrap();
        let expected: Value = serde_json::from_str(wire).unwrap();
        assert_eq!(value, expected);
        assert_eq!(parse(&to_vec(&value).unwrap()).unwrap(), expected, "{wire}");
    }
}
