//! The submodule as the daemon calls it: bytes in, bytes or an exception out, against what the original published.

mod common;

use common::{Reply, Server, error_reply, find_reply, present_reply};
use edeposit_amqpdaemon::{Exception, React, Sendback};
use edeposit_serializers::Value;
use edeposit_testkit::wire;
use serde_json::json;

async fn react(server: &Server, body: &[u8]) -> Result<Value, Exception> {
    let aleph = server.aleph(|_| {});
    let (sendback, mut progress) = Sendback::collecting();
    let answer = React::react(&aleph, body.to_vec(), sendback).await;
    assert!(
        progress.try_recv().is_err(),
        "this submodule sends no progress messages"
    );
    answer.map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

async fn catalogue() -> Server {
    Server::start(|path| {
        Reply::Xml(match path {
            hit if hit.starts_with("/X?op=find&request=sbn=80-251-0225-4&") => find_reply(7, 1, 1),
            find if find.starts_with("/X?op=find&") => error_reply("find", "empty set"),
            present if present.starts_with("/X?op=present&") => present_reply(1, "Umění", ""),
            known if known.contains("doc_num=001&base=NKC01") => present_reply(1, "Umění", ""),
            base if base.ends_with("base=nope") => error_reply("find-doc", "no such base"),
            _ => error_reply("find-doc", "Error reading document"),
        })
    })
    .await
}

/// Name, type, header and body of each recorded answer.
#[tokio::test]
async fn recorded_answers_and_exceptions() {
    let mut cases: Vec<Value> = wire::vectors("exceptions.json").unwrap();
    cases.retain(|case| case["daemon"] == "alephdaemon");
    let server = catalogue().await;
    let mut checked = 0;
    for case in &cases {
        let name = case["case"].as_str().unwrap();
        // without UUID the daemon does not even ask; bodies that are no JSON are told in the serializer's words
        let unasked = case["sent"]["headers"].get("UUID").is_none();
        if unasked || case["sent"]["body_encoding"] == "base64" || name.starts_with("JSON ") {
            continue;
        }
        checked += 1;
        let published = match &case["published"][0] {
            Value::Null => &case["if_text_handling_had_worked"]["published"][0],
            published => published,
        };
        let body = case["sent"]["body"].as_str().unwrap();
        let recorded = published["body"].as_str().unwrap();
        match react(&server, body.as_bytes()).await {
            Ok(answer) => {
                let recorded: Value = serde_json::from_str(recorded).unwrap();
                assert_eq!(answer, recorded, "{name}");
            }
            // the original called any function by name
            Err(told) if name.contains("function in the daemon's globals") => {
                assert_eq!((&*told.name, &*told.message), ("KeyError", "getConParams"));
            }
            Err(told) => {
                let headers = &published["headers"];
                assert_eq!(headers["exception_name"], *told.name, "{name}");
                assert_eq!(headers["exception_type"], *told.kind, "{name}");
                let header = headers["exception"]
                    .as_str()
                    .map_or(headers["exception"].to_string(), str::to_owned);
                // a TypeError says more, after the original's words
                assert!(
                    told.message.starts_with(&header),
                    "{name}: {} / {header}",
                    told.message
                );
                assert!(
                    told.name == "TypeError" || told.message == header,
                    "{name}: {}",
                    told.message
                );
                assert!(
                    told.body_text().starts_with(recorded),
                    "{name}: {}",
                    told.body_text()
                );
            }
        }
    }
    assert_eq!(checked, 26);
    assert!(
        server.paths().is_empty(),
        "none of these asks the catalogue"
    );
}

#[tokio::test]
async fn what_is_no_request_or_no_query() {
    let server = catalogue().await;
    for (body, text) in [
        (json!(1), "Unknown type of request: '<type 'int'>'!"),
        (json!(1.5), "Unknown type of request: '<type 'float'>'!"),
        (json!(true), "Unknown type of request: '<type 'bool'>'!"),
        (
            json!({"__nt_name": "SearchResult", "records": []}),
            "Unknown type of request: '<class 'edeposit.amqp.aleph.datastructures.results.SearchResult'>'!",
        ),
        (
            json!({"__nt_name": "CountRequest", "query": {"a": 1}}),
            "Unknown type of request: '<class 'edeposit.amqp.aleph.datastructures.requests.CountRequest'>' \
             or query: '<type 'dict'>'!",
        ),
        (
            json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "Author", "firstName": "", "lastName": "", "title": ""}}),
            "Unknown type of request: '<class 'edeposit.amqp.aleph.datastructures.requests.SearchRequest'>' \
             or query: '<class 'edeposit.amqp.aleph.datastructures.author.Author'>'!",
        ),
    ] {
        let told = react(&server, body.to_string().as_bytes())
            .await
            .unwrap_err();
        assert_eq!((&*told.name, &*told.message), ("ValueError", text));
    }
    for (body, name) in [
        (json!({"__nt_name": "SearchRequest"}), "TypeError"),
        (
            json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "ISBNQuery", "ISBN": "1", "x": 1}}),
            "TypeError",
        ),
        (
            json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "ISBNQuery", "ISBN": 1}}),
            "TypeError",
        ),
        (
            json!({"__nt_name": "SearchRequest", "query": {"__nt_name": 5}}),
            "KeyError",
        ),
        (
            json!({"__nt_name": "ISBNValidationRequest", "ISBN": {"__nt_name": "Nope"}}),
            "KeyError",
        ),
        (
            json!({"__nt_name": "ISBNValidationRequest", "ISBN": {"__nt_name": "ISBNQuery"}}),
            "TypeError",
        ),
        (
            json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "GenericQuery", "phrase": "x",
                   "considerSimilar": false, "field": "wtl"}}),
            "TypeError",
        ),
    ] {
        let told = react(&server, body.to_string().as_bytes())
            .await
            .unwrap_err();
        assert_eq!(told.name, name, "{body}: {told}");
    }
}

#[tokio::test]
async fn searching_and_counting() {
    let server = catalogue().await;
    let ask = async |request: Value| react(&server, request.to_string().as_bytes()).await;
    let isbn = |isbn: &str| json!({"__nt_name": "ISBNQuery", "ISBN": isbn});
    let document = |id: Value, library: &str| json!({"__nt_name": "DocumentQuery", "doc_id": id, "library": library});
    let search = |query: Value| json!({"__nt_name": "SearchRequest", "query": query});
    let count = |query: Value| json!({"__nt_name": "CountRequest", "query": query});

    let hit = ask(search(isbn("80-251-0225-4"))).await.unwrap();
    assert_eq!(hit["__nt_name"], "SearchResult");
    let record = &hit["records"][0];
    assert_eq!(record["__nt_name"], "AlephRecord");
    assert_eq!(
        (&record["base"], &record["docNumber"]),
        (&json!("nkc"), &json!("000001001"))
    );
    assert_eq!(record["parsed_info"]["nazev"], "Umění");
    assert_eq!(record["semantic_info"]["contentOfFMT"], "BK");

    let miss = ask(search(isbn("80-7000-123-2"))).await.unwrap();
    assert_eq!(miss, json!({"__nt_name": "SearchResult", "records": []}));
    let one = ask(count(isbn("80-251-0225-4"))).await.unwrap();
    assert_eq!(
        one,
        json!({"__nt_name": "CountResult", "num_of_records": 1})
    );
    let none = ask(count(isbn("1"))).await.unwrap();
    assert_eq!(
        none,
        json!({"__nt_name": "CountResult", "num_of_records": 0})
    );
    // a document is counted by a bare number
    assert_eq!(
        ask(count(document(json!("001"), "NKC01"))).await.unwrap(),
        json!(1)
    );
    assert_eq!(
        ask(count(document(json!(2), "NKC01"))).await.unwrap(),
        json!(0)
    );

    let field = json!({"__nt_name": "GenericQuery", "base": null, "phrase": "x", "considerSimilar": null, "field": "nope"});
    for (request, kind, message) in [
        (
            search(document(json!("2"), "NKC01")),
            "DocumentNotFoundException",
            "Error reading document",
        ),
        (
            search(document(json!("2"), "nope")),
            "InvalidAlephBaseException",
            "no such base\nThe base you are trying to access probably doesn't exist.",
        ),
        (
            search(field),
            "InvalidAlephFieldException",
            "Unknown field 'nope'!",
        ),
    ] {
        let told = ask(request).await.unwrap_err();
        assert_eq!(
            told.kind,
            format!("<class 'edeposit.amqp.aleph.aleph.{kind}'>")
        );
        assert_eq!((&*told.message, told.body_text()), (message, message));
    }
}

#[tokio::test]
async fn isbns_in_any_shape() {
    let server = catalogue().await;
    for (isbn, valid) in [
        (json!("80-251-0225-4"), true),
        (json!("80-251-0225-5"), false),
        (json!(8025102254_u64), true),
        (json!(["80-251-0225-4", "x"]), true),
        (json!([]), false),
        (json!(null), false),
        (json!(""), false),
        (
            json!({"__nt_name": "ISBNQuery", "ISBN": "978-80-7000-123-3"}),
            true,
        ),
    ] {
        let request = json!({"__nt_name": "ISBNValidationRequest", "ISBN": isbn});
        let answer = react(&server, request.to_string().as_bytes())
            .await
            .unwrap();
        assert_eq!(
            answer,
            json!({"__nt_name": "ISBNValidationResult", "is_valid": valid}),
            "{isbn}"
        );
    }
    assert!(server.paths().is_empty());
}

#[tokio::test]
async fn export_says_that_nothing_was_filed() {
    let server = catalogue().await;
    let mut messages = wire::recorded("aleph");
    messages.retain(|message| message.kind == "ExportRequest");
    assert!(!messages.is_empty());
    for message in messages {
        let told = react(&server, message.wire.as_bytes()).await.unwrap_err();
        assert_eq!(told.kind, "<type 'exceptions.NotImplementedError'>");
        assert!(told.message.contains("Nothing was filed"), "{told}");
    }
    assert!(server.paths().is_empty());
}
