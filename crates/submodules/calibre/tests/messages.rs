//! Every message the original put on the wire is read, and written again as the same JSON.

use edeposit_calibre::messages::{ConversionRequest, ConversionResponse};
use edeposit_serializers::{Value, from_str, to_value};

#[test]
fn all_recorded_messages() {
    let messages: Vec<Value> =
        serde_json::from_str(include_str!("../testdata/messages.json")).unwrap();
    assert_eq!(messages.len(), 4);
    for message in &messages {
        let wire = message["wire"].as_str().unwrap();
        let again = match message["type"].as_str().unwrap() {
            "ConversionRequest" => to_value(&from_str::<ConversionRequest>(wire).unwrap()),
            "ConversionResponse" => to_value(&from_str::<ConversionResponse>(wire).unwrap()),
            other => panic!("a message of type {other}"),
        };
        let expected: Value = serde_json::from_str(wire).unwrap();
        assert_eq!(again.unwrap(), expected);
    }
}
