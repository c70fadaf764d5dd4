//! Whatever a caller sends, the handler answers or refuses it in words; what it can read comes out as it went in.
//!
//! The catalogue is out of reach here, so that nothing is asked of anybody.
//! `PROPTEST_CASES=100000 cargo test -p edeposit-aleph --test fuzz` tries more.

use std::sync::LazyLock;

use edeposit_aleph::messages::Request;
use edeposit_aleph::{Aleph, Settings};
use edeposit_amqpdaemon::{React, Sendback};
use edeposit_serializers::{Value, from_slice, to_vec};
use edeposit_settings::{Declared, Sources};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

static ALEPH: LazyLock<Aleph> = LazyLock::new(|| {
    let mut sources = Sources::none();
    for (name, value) in [
        ("ALEPH_URL", NOWHERE),
        ("ALEPH_MAX_REQUESTS_PER_SECOND", "100000"),
    ] {
        let name = Settings::DECLARATION.variable(name);
        sources.env.insert(name, value.into());
    }
    Aleph::new(Settings::load_sources(&sources).unwrap()).unwrap()
});

/// The request goes all the way through the handler.
fn exercise(body: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(React::react(
        &*ALEPH,
        body.to_vec(),
        Sendback::collecting().0,
    ));
    match answer {
        Ok(answer) => drop(from_slice::<Value>(&answer).unwrap()),
        Err(exception) => {
            assert!(!exception.name.is_empty());
            assert!(
                exception.message.len() <= 8 * body.len() + 1000,
                "{}",
                exception.message
            );
        }
    }
    if let Ok(request) = from_slice::<Request>(body) {
        assert_eq!(
            from_slice::<Request>(&to_vec(&request).unwrap()).unwrap(),
            request
        );
    }
}

fn recorded() -> Vec<Value> {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../testdata/messages.json")).unwrap();
    let requests = vectors
        .iter()
        .filter(|vector| vector["direction"] == "request");
    requests
        .map(|vector| serde_json::from_str(vector["wire"].as_str().unwrap()).unwrap())
        .collect()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec![
            "80-251-0225-4",
            "nkc",
            "../..",
            "1&op=find",
            "\0",
            "wau",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "__nt_name",
            "query",
            "ISBN",
            "base",
            "doc_id",
            "epublication",
            "autori",
            "considerSimilar"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

/// The pointers to all values in a message, itself included.
fn places(value: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (name, member) in members {
        let name = name.replace('~', "~0").replace('/', "~1");
        places.extend(
            self::places(member)
                .into_iter()
                .map(|place| format!("/{name}{place}")),
        );
    }
    places
}

proptest! {
    #[test]
    fn fuzz_any_value_in_any_place(
        mut message in select(recorded()),
        changes in vec((any::<Index>(), value()), 1..4),
    ) {
        for (at, value) in changes {
            let places = places(&message);
            if let Some(place) = message.pointer_mut(&places[at.index(places.len())]) {
                *place = value;
            }
        }
        exercise(message.to_string().as_bytes());
    }

    #[test]
    fn fuzz_a_member_more_or_less(
        mut message in select(recorded()),
        at in any::<Index>(),
        name in name(),
        value in prop::option::of(value()),
    ) {
        let places = places(&message);
        if let Some(Value::Object(members)) = message.pointer_mut(&places[at.index(places.len())]) {
            match value {
                Some(value) => drop(members.insert(name, value)),
                None => drop(members.shift_remove(&name)),
            }
        }
        exercise(message.to_string().as_bytes());
    }

    #[test]
    fn fuzz_any_json(value in value()) {
        exercise(value.to_string().as_bytes());
    }
}
