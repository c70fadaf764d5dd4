//! Every message the original put on the wire is read, and written again as the same JSON.

use edeposit_aleph::messages::*;
use edeposit_serializers::{ErrorKind, Value, from_str, to_value};
use edeposit_testkit::wire::{Again, again, check_recorded, recorded, vectors};
use serde_json::json;

/// Reads and writes a message of the given type.
fn message_again(name: &str) -> Option<Again> {
    Some(match name {
        request if request.ends_with("Request") => again::<Request>,
        query if query.ends_with("Query") => again::<Query>,
        "SearchResult" => again::<SearchResult>,
        "CountResult" => again::<CountResult>,
        "int" => again::<u64>,
        "ISBNValidationResult" => again::<ISBNValidationResult>,
        "ExportResult" => again::<ExportResult>,
        "AlephRecord" => again::<AlephRecord>,
        "EPublication" | "EPeriodical" => again::<ParsedInfo>,
        "SemanticInfo" | "EPeriodicalSemanticInfo" => again::<AnySemanticInfo>,
        "Author" => again::<Creator>,
        _ => return None,
    })
}

#[test]
fn all_recorded_messages() {
    check_recorded("aleph", 52, message_again);
}

/// What a caller leaves out of a request or query is filled in or refused as in the original.
#[test]
fn fields_that_may_be_left_out() {
    let messages = recorded("aleph");
    let structures: Value = vectors("structures.json").unwrap();
    let mut left_out = 0;
    for (name, structure) in structures["aleph"].as_object().unwrap() {
        if !name.ends_with("Request") && !name.ends_with("Query") {
            continue;
        }
        let example = messages
            .iter()
            .find(|message| message.kind == *name)
            .unwrap();
        let example: Value = serde_json::from_str(&example.wire).unwrap();
        for field in structure["fields"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            let mut without = example.clone();
            without.as_object_mut().unwrap().remove(field).unwrap();
            let optional = structure["may_be_left_out"].get(field).is_some();
            let again = message_again(name).unwrap();
            match again(&without.to_string()) {
                Ok(_) => assert!(optional, "{name}.{field} is missing and nobody minds"),
                Err(error) => {
                    assert!(!optional, "{name}.{field}: {error}");
                    assert!(
                        matches!(error.kind(), ErrorKind::MissingFields { .. }),
                        "{name}.{field}: {error}"
                    );
                }
            }
            left_out += 1;
        }
    }
    assert_eq!(left_out, 20);
}

#[test]
fn answers_on_the_wire() {
    let wire = |response: Response| to_value(&response).unwrap();
    assert_eq!(wire(Response::DocumentCount(1)), json!(1));
    assert_eq!(
        wire(Response::CountResult(CountResult { num_of_records: 2 })),
        json!({"__nt_name": "CountResult", "num_of_records": 2})
    );
    assert_eq!(
        wire(Response::SearchResult(SearchResult::default())),
        json!({"__nt_name": "SearchResult", "records": []})
    );
}

#[test]
fn a_publication_may_be_sparse_and_its_authors_plain() {
    let wire = r#"{"__nt_name": "EPublication", "nazev": "Úly", "autori": ["Medová, Jana"], "cena": 399.9}"#;
    let publication: EPublication = from_str(wire).unwrap();
    assert_eq!(
        publication.autori,
        [Creator::Name("Medová, Jana".to_owned())]
    );
    assert_eq!(publication.anotace, Loose::Null);
    let null: EPublication = from_str(r#"{"__nt_name": "EPublication", "autori": null}"#).unwrap();
    assert!(null.autori.is_empty());
    let stranger = r#"{"__nt_name": "EPublication", "autori": [{"__nt_name": "Robot"}]}"#;
    let error = from_str::<EPublication>(stranger).unwrap_err();
    assert_eq!(edeposit_amqpdaemon::Exception::from(error).name, "KeyError");
}
