//! What docs/aleph.md shows of messages is true.

use edeposit_aleph::INDEXES;
use edeposit_aleph::messages::{
    AlephRecord, CountResult, ISBNValidationResult, Request, SearchResult,
};
use edeposit_serializers::{NT_NAME, Value, from_value, to_value};
use serde_json::Deserializer;

const PAGE: &str = include_str!("../../../../docs/aleph.md");

fn again(message: Value) -> Result<Value, edeposit_serializers::Error> {
    match message[NT_NAME].as_str().unwrap_or_default() {
        "SearchResult" => to_value(&from_value::<SearchResult>(message)?),
        "CountResult" => to_value(&from_value::<CountResult>(message)?),
        "ISBNValidationResult" => to_value(&from_value::<ISBNValidationResult>(message)?),
        _ => to_value(&from_value::<Request>(message)?),
    }
}

#[test]
fn messages_are_read_and_written_as_they_are_shown() {
    let mut records = 0;
    let blocks = PAGE.split("```json\n").skip(1);
    for block in blocks.map(|block| block.split("```").next().unwrap()) {
        for message in Deserializer::from_str(block).into_iter() {
            let message: Value = message.unwrap_or_else(|error| panic!("{error}: {block}"));
            assert_eq!(again(message.clone()).unwrap(), message);
            if let Some(shown) = message.get("records") {
                for record in from_value::<Vec<AlephRecord>>(shown.clone()).unwrap() {
                    let (base, library) = (record.base.clone(), record.library.clone());
                    let (number, xml) = (record.docNumber.clone(), record.xml.clone());
                    let read = AlephRecord::from_xml(base, library, number, xml).unwrap();
                    assert_eq!(read, record);
                    records += 1;
                }
            }
        }
    }
    assert_eq!(records, 1);
}

#[test]
fn all_indexes_are_named() {
    for (index, _) in INDEXES {
        assert!(PAGE.contains(&format!("`{index}`")), "{index}");
    }
}
