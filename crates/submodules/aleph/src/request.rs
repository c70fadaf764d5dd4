//! From JSON to a [`Request`], or the original's words for what is wrong with it.
//!
//! A body of another kind is told by the type that was found, as Python names it: `<type 'dict'>`, or for a known structure its
//! class. The serializer's own errors (unknown structure, wrong fields) are answered as everywhere.

use edeposit_amqpdaemon::Exception;
use edeposit_serializers::{ErrorKind, NT_NAME, Value, from_value, python_type};

use crate::messages::{Query, Request};

/// The structures of this submodule that callers may know, with the original's modules.
const CLASSES: [(&str, &[&str]); 9] = [
    (
        "edeposit.amqp.aleph",
        &[
            "ISBNQuery",
            "AuthorQuery",
            "PublisherQuery",
            "TitleQuery",
            "ICZQuery",
            "GenericQuery",
            "DocumentQuery",
        ],
    ),
    (
        "edeposit.amqp.aleph.datastructures.requests",
        &[
            "SearchRequest",
            "CountRequest",
            "ISBNValidationRequest",
            "ExportRequest",
        ],
    ),
    (
        "edeposit.amqp.aleph.datastructures.results",
        &[
            "SearchResult",
            "CountResult",
            "ISBNValidationResult",
            "ExportResult",
        ],
    ),
    (
        "edeposit.amqp.aleph.datastructures.alephrecord",
        &["AlephRecord"],
    ),
    (
        "edeposit.amqp.aleph.datastructures.epublication",
        &["EPublication"],
    ),
    (
        "edeposit.amqp.aleph.datastructures.eperiodical",
        &["EPeriodical"],
    ),
    (
        "edeposit.amqp.aleph.datastructures.semanticinfo",
        &["SemanticInfo"],
    ),
    (
        "edeposit.amqp.aleph.datastructures.eperiodical_semantic_info",
        &["EPeriodicalSemanticInfo"],
    ),
    ("edeposit.amqp.aleph.datastructures.author", &["Author"]),
];

/// Reads a request.
///
/// # Errors
/// `ValueError` if `body` is another structure, or plain JSON, or has such a query; `KeyError` for an unknown structure;
/// `TypeError` for wrong fields.
pub(crate) fn read(body: Value) -> Result<Request, Exception> {
    let name = body.get(NT_NAME).and_then(Value::as_str);
    if let (Some(name @ ("SearchRequest" | "CountRequest")), Some(query)) =
        (name, body.get("query"))
    {
        check_query(name, query)?;
    }
    let found = type_of(&body);
    from_value(body).map_err(|error| match error.kind() {
        ErrorKind::UnknownRecord { .. } | ErrorKind::WrongType { .. }
            if error.path().is_empty() =>
        {
            match found {
                Some(found) => {
                    Exception::value_error(format!("Unknown type of request: '{found}'!"))
                }
                None => error.into(),
            }
        }
        _ => error.into(),
    })
}

/// Finds out about a wrong query before the request as a whole is read, for which the request's name is needed.
fn check_query(request: &str, query: &Value) -> Result<(), Exception> {
    let Err(error) = from_value::<Query>(query.clone()) else {
        return Ok(());
    };
    let misplaced = matches!(
        error.kind(),
        ErrorKind::UnknownRecord { .. } | ErrorKind::WrongType { .. }
    );
    match (class(request), type_of(query)) {
        (Some(request), Some(found)) if misplaced && error.path().is_empty() => {
            Err(Exception::value_error(format!(
                "Unknown type of request: '{request}' or query: '{found}'!"
            )))
        }
        _ => Err(error.into()),
    }
}

/// Python's text of a value's type; none for a structure that nobody knows.
fn type_of(value: &Value) -> Option<String> {
    match value.get(NT_NAME) {
        Some(name) => class(name.as_str()?),
        None => Some(format!("<type '{}'>", python_type(value))),
    }
}

fn class(name: &str) -> Option<String> {
    let (module, _) = CLASSES.iter().find(|(_, names)| names.contains(&name))?;
    Some(format!("<class '{module}.{name}'>"))
}
