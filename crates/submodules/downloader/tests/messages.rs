//! The wire: recorded messages, and requests that are none.

mod common;

use common::{downloader, react};
use edeposit_downloader::messages::{DownloadedFile, Exists, Progress, Request};
use edeposit_serializers::Value;
use edeposit_testkit::wire::{again, check_recorded};
use serde_json::json;

#[test]
fn all_recorded_messages() {
    check_recorded("downloader", 12, |kind| match kind {
        "Download" | "ProgressDownload" | "CheckExistence" => Some(again::<Request>),
        "DownloadedFile" => Some(again::<DownloadedFile>),
        "Progress" => Some(again::<Progress>),
        "Exists" => Some(again::<Exists>),
        _ => None,
    });
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
