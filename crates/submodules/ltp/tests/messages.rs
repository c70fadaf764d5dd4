//! The wire: recorded messages, and requests that are none.

mod common;

use common::{Place, as_json, react, request};
use edeposit_ltp::messages::{Request, Response, TrackingResponse};
use edeposit_serializers::{Value, from_str, to_value};
use edeposit_testkit::wire::{again, check_recorded};
use serde_json::json;

#[test]
fn all_recorded_messages() {
    check_recorded("ltp", 7, |kind| match kind {
        "ExportRequest" | "TrackingRequest" => Some(again::<Request>),
        "TrackingResponse" => Some(|wire| {
            let response = to_value(&Response::Tracked(from_str(wire)?))?;
            assert_eq!(response, again::<TrackingResponse>(wire)?);
            Ok(response)
        }),
        "bool" => Some(|wire| to_value(&Response::Exported(from_str(wire)?))),
        _ => None,
    });
}

#[tokio::test]
async fn what_is_no_request() {
    let place = Place::new();
    let without_urn = {
        let mut body = as_json(&request());
        body.as_object_mut().unwrap().remove("urn_nbn");
        body
    };
    let null_url = {
        let mut body = as_json(&request());
        body["url"] = Value::Null;
        body
    };
    for (body, name, message) in [
        (
            json!([1]),
            "ValueError",
            "Unknown type of request: '<type 'list'>'!",
        ),
        (json!({"__nt_name": "Nope"}), "KeyError", "Nope"),
        (
            without_urn,
            "TypeError",
            "__new__() takes exactly 7 arguments (6 given)",
        ),
        (
            json!({"__nt_name": "TrackingRequest", "book_uuid": "1", "x": 1}),
            "TypeError",
            "__new__() got an unexpected keyword argument 'x'",
        ),
        (null_url, "TypeError", ""),
        (
            json!({"__nt_name": "TrackingRequest", "book_uuid": ""}),
            "ValueError",
            "'' is not a valid book_uuid!",
        ),
        (
            json!({"__nt_name": "TrackingRequest", "book_uuid": "1"}),
            "ValueError",
            "UUID 1 not found!",
        ),
    ] {
        let told = react(&place.ltp, &body).await.unwrap_err();
        assert_eq!(told.name, name, "{told}");
        assert!(told.message.starts_with(message), "{told}");
    }
    assert!(!place.package().exists());
}
