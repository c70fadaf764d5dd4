//! The wire: recorded messages, and requests that are none.

mod common;

use common::{react, settings};
use edeposit_antivirus::Antivirus;
use edeposit_antivirus::messages::{DatabaseUpdated, Request, ScanResult};
use edeposit_serializers::{Value, from_str, to_value};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

fn again<T: DeserializeOwned + Serialize>(wire: &str) -> Value {
    to_value(&from_str::<T>(wire).unwrap()).unwrap()
}

#[test]
fn all_recorded_messages() {
    let messages: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/messages.json")).unwrap();
    let mut checked = 0;
    for message in messages.iter().filter(|m| m["submodule"] == "antivirus") {
        let wire = message["wire"].as_str().unwrap();
        let written = match message["type"].as_str().unwrap() {
            "ScanFile" | "UpdateDatabase" => again::<Request>(wire),
            "ScanResult" => again::<ScanResult>(wire),
            "DatabaseUpdated" => again::<DatabaseUpdated>(wire),
            other => panic!("a message of type {other}"),
        };
        let expected: Value = serde_json::from_str(wire).unwrap();
        assert_eq!(written, expected, "{}", message["note"]);
        checked += 1;
    }
    assert_eq!(checked, 7);
}

/// Among them defect 4: base64 that ends too early killed the daemon.
#[tokio::test]
async fn what_is_no_request() {
    let antivirus = Antivirus::new(settings(&[]));
    for (body, name, message) in [
        (
            json!({"a": 1}),
            "ValueError",
            "Unknown type of request: '<type 'dict'>'!",
        ),
        (json!({"__nt_name": "Nope"}), "KeyError", "Nope"),
        (
            json!({"__nt_name": "ScanFile", "filename": "x"}),
            "TypeError",
            "__new__() takes exactly 3 arguments (2 given)",
        ),
        (
            json!({"__nt_name": "ScanFile", "filename": "x", "b64_data": "", "x": 1}),
            "TypeError",
            "__new__() got an unexpected keyword argument 'x'",
        ),
        (
            json!({"__nt_name": "ScanFile", "filename": null, "b64_data": ""}),
            "AttributeError",
            "'NoneType' object has no attribute 'rfind'",
        ),
        (
            json!({"__nt_name": "ScanFile", "filename": "x", "b64_data": "abc"}),
            "TypeError",
            "Incorrect padding",
        ),
    ] {
        let told = react(&antivirus, body.to_string().as_bytes())
            .await
            .unwrap_err();
        assert_eq!(told.name, name, "{told}");
        assert!(told.message.starts_with(message), "{told}");
    }
}
