//! Requests that are none, answered before any process is started: the converter of this test is never run.

mod common;

use common::World;
use edeposit_amqpdaemon::{Exception, Handler, Sendback};
use serde_json::{Value, json};

async fn refused(request: Value) -> Exception {
    let script = r#"touch "$(dirname "$0")/ran""#;
    let world = World::with_script(script, |_| {});
    let error = Handler::react(&world.calibre, request, Sendback::collecting().0)
        .await
        .unwrap_err();
    assert!(!world.dir.path().join("ran").exists());
    error
}

fn request(field: &str, value: Value) -> Value {
    let mut request = json!({"__nt_name": "ConversionRequest", "input_format": "txt", "output_format": "epub", "b64_data": "eA=="});
    request[field] = value;
    request
}

#[tokio::test]
async fn formats_must_be_listed() {
    for value in [
        json!("TXT"),
        json!(".txt"),
        json!("../../etc/passwd"),
        json!(null),
        json!(1),
        json!("docx "),
    ] {
        let error = refused(request("input_format", value.clone())).await;
        assert_eq!(
            (&*error.name, &*error.message),
            ("ValueError", "Unsupported input format!")
        );
        let error = refused(request("output_format", value)).await;
        assert_eq!(
            (&*error.name, &*error.message),
            ("ValueError", "Unsupported output format!")
        );
    }
    let error = refused(request("output_format", json!("docx"))).await;
    assert_eq!(error.message, "Unsupported output format!");
}

/// Defect 1: incomplete base64 is answered.
#[tokio::test]
async fn what_is_no_base64_is_refused() {
    let error = refused(request("b64_data", json!("abc"))).await;
    assert_eq!(
        (&*error.name, &*error.message),
        ("TypeError", "Incorrect padding")
    );
    for (value, found) in [
        (json!(null), "None"),
        (json!(1), "int"),
        (json!({}), "dict"),
    ] {
        let error = refused(request("b64_data", value)).await;
        assert_eq!(error.name, "TypeError");
        assert_eq!(
            error.message,
            format!("a2b_base64() argument 1 must be string or buffer, not {found}")
        );
    }
}

#[tokio::test]
async fn other_structures_and_fields() {
    let mut missing = request("b64_data", json!("eA=="));
    missing.as_object_mut().unwrap().remove("b64_data");
    assert!(
        refused(missing)
            .await
            .message
            .starts_with("__new__() takes exactly 4 arguments (3 given)")
    );
    let error = refused(request("zzz", json!(1))).await;
    assert_eq!(error.name, "TypeError");
    let words = "__new__() got an unexpected keyword argument 'zzz'";
    assert!(error.message.starts_with(words), "{error}");
    assert_eq!(
        refused(json!({})).await.message,
        "Unknown type of request: '<type 'dict'>'!"
    );
    let response =
        json!({"__nt_name": "ConversionResponse", "format": "txt", "b64_data": "", "protocol": ""});
    assert_eq!(
        refused(response).await.message,
        "Unknown type of request: '<class 'edeposit.amqp.calibre.structures.ConversionResponse'>'!"
    );
    assert_eq!(
        refused(json!({"__nt_name": "Nobody"})).await.name,
        "KeyError"
    );
}
