//! The wire: recorded messages, and requests that are none.

mod common;

use common::{downloader, react};
use edeposit_downloader::messages::{DownloadedFile, Exists, Progress, Request};
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
    for message in messages.iter().filter(|m| m["submodule"] == "downloader") {
        let wire = message["wire"].as_str().unwrap();
        let written = match message["type"].as_str().unwrap() {
            "Download" | "ProgressDownload" | "CheckExistence" => again::<Request>(wire),
            "DownloadedFile" => again::<DownloadedFile>(wire),
            "Progress" => again::<Progress>(wire),
            "Exists" => again::<Exists>(wire),
            other => panic!("a message of type {other}"),
        };
        let expected: Value = serde_json::from_str(wire).unwrap();
        assert_eq!(written, expected, "{}", message["note"]);
        checked += 1;
    }
    assert_eq!(checked, 12);
}

/// Among them defect 9: steps that cannot be are refused before any server is asked.
#[tokio::test]
async fn what_is_no_request() {
    let downloader = downloader(|_| {});
    let progress = |steps: Value| json!({"__nt_name": "ProgressDownload", "url": "http://nonexistent.invalid/", "steps": steps});
    for (body, name, message) in [
        (
            json!({"a": 1}),
            "ValueError",
            "Unknown type of request: '<type 'dict'>'!",
        ),
        (json!({"__nt_name": "Nope"}), "KeyError", "Nope"),
        (
            json!({"__nt_name": "Download"}),
            "TypeError",
            "__new__() takes exactly 2 arguments (1 given)",
        ),
        (
            json!({"__nt_name": "ProgressDownload", "url": "http://a/"}),
            "TypeError",
            "__new__() takes exactly 3 arguments (2 given)",
        ),
        (
            json!({"__nt_name": "Download", "url": "http://a/", "x": 1}),
            "TypeError",
            "__new__() got an unexpected keyword argument 'x'",
        ),
        (
            json!({"__nt_name": "Download", "url": null}),
            "MissingSchema",
            "Invalid URL",
        ),
        (
            json!({"__nt_name": "Download", "url": ""}),
            "MissingSchema",
            "Invalid URL",
        ),
        (
            json!({"__nt_name": "Download", "url": "file:///etc/passwd"}),
            "InvalidSchema",
            "No connection adapters were found for 'file:///etc/passwd'",
        ),
        (progress(json!(0)), "ValueError", "steps must be"),
        (progress(json!(-1)), "ValueError", "steps must be"),
        (progress(json!(1.5)), "ValueError", "steps must be"),
        (progress(json!("4")), "ValueError", "steps must be"),
        (progress(json!(null)), "ValueError", "steps must be"),
    ] {
        let (_, answer) = react(&downloader, body).await;
        let told = answer.unwrap_err();
        assert_eq!(told.name, name, "{told}");
        assert!(told.message.starts_with(message), "{told}");
    }
}
