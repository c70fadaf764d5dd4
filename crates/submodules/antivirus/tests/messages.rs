//! The wire: recorded messages, and requests that are none.

mod common;

use common::{react, settings};
use edeposit_antivirus::Antivirus;
use edeposit_antivirus::messages::{DatabaseUpdated, Request, ScanResult};
use edeposit_testkit::wire::{again, check_recorded};
use serde_json::json;

#[test]
fn all_recorded_messages() {
    check_recorded("antivirus", 7, |kind| match kind {
        "ScanFile" | "UpdateDatabase" => Some(again::<Request>),
        "ScanResult" => Some(again::<ScanResult>),
        "DatabaseUpdated" => Some(again::<DatabaseUpdated>),
        _ => None,
    });
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
