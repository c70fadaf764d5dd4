//! A thousand requests, some of them malformed in every way we could think of: each gets exactly one answer.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};
use edeposit_testkit::{Caller, RawRequest};
use edeposit_tests::{PATIENCE, World, catalogue};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

const REQUESTS: usize = 1000;

/// Bodies that are no request, or not one that can be carried out.
fn malformed_bodies() -> Vec<Vec<u8>> {
    let deep = |depth: usize| ("[".repeat(depth) + &"]".repeat(depth)).into_bytes();
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "\0",
        "asd",
        "null",
        "true",
        "5",
        "-0.0",
        "1e999",
        "NaN",
        "Infinity",
        "\"ahoj\"",
        "[]",
        "{}",
        "[[[]]]",
        "{",
        "{\"",
        "}",
        "{\"a\": 1} {\"b\": 2}",
        "{'single': 'quotes'}",
        "{\"a\": \"\u{0}\"}",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": 1, \"a\": 2}",
        "{\"__nt_name\": \"\"}",
        "{\"__nt_name\": null}",
        "{\"__nt_name\": 5}",
        "{\"__nt_name\": []}",
        "{\"__nt_name\": {\"__nt_name\": \"SearchRequest\"}}",
        "{\"__nt_name\": \"Nope\"}",
        "{\"__nt_name\": \"os.system\", \"command\": \"true\"}",
        "{\"__nt_name\": \"SearchRequest\", \"__nt_name\": \"CountRequest\"}",
        "{\"__nt_name\": \"SearchRequest\"}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": null}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": 5}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": []}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {}}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {\"__nt_name\": \"ISBNQuery\"}}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {\"__nt_name\": \"ISBNQuery\", \"ISBN\": {}}}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {\"__nt_name\": \"SearchRequest\", \"query\": null}}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {\"__nt_name\": \"GenericQuery\", \"base\": \"nkc\", \"phrase\": \"x\", \"considerSimilar\": false, \"field\": \"../..\"}}",
        "{\"__nt_name\": \"SearchRequest\", \"query\": {\"__nt_name\": \"DocumentQuery\", \"doc_id\": \"1&op=find\"}}",
        "{\"__nt_name\": \"ISBNQuery\", \"ISBN\": \"80-251-0225-4\", \"base\": \"nkc\"}",
        "{\"__nt_name\": \"ISBNValidationRequest\"}",
        "{\"__nt_name\": \"ISBNValidationRequest\", \"ISBN\": \"1\", \"more\": 2}",
        "{\"__nt_name\": \"ExportRequest\", \"epublication\": null}",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(b"\xff\xfe\xfd".to_vec());
    bodies.push(b"{\"__nt_name\": \"SearchRequest\", \"query\": \"\xe9\"}".to_vec());
    bodies.push(deep(200));
    bodies.push(deep(100_000));
    bodies.push(vec![b' '; 1_000_000]);
    bodies
}

fn good_bodies() -> Vec<String> {
    let search = |query: &str| format!(r#"{{"__nt_name": "SearchRequest", "query": {query}}}"#);
    vec![
        r#"{"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-4"}"#.to_owned(),
        r#"{"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-5"}"#.to_owned(),
        search(r#"{"__nt_name": "ISBNQuery", "ISBN": "80-251-0225-4", "base": "nkc"}"#),
        search(r#"{"__nt_name": "ISBNQuery", "ISBN": "80-85892-15-0"}"#),
        r#"{"__nt_name": "CountRequest", "query": {"__nt_name": "ISBNQuery", "ISBN": "80-251-0225-4"}}"#.to_owned(),
    ]
}

/// Odd but harmless things around a body.
fn adorn(request: RawRequest, number: usize) -> RawRequest {
    let mut table = FieldTable::default();
    table.insert("nested".into(), AMQPValue::Boolean(true));
    match number % 5 {
        0 => request.with_header("other", AMQPValue::FieldTable(table)),
        1 => request.with_header("n", AMQPValue::LongLongInt(-1)),
        2 => request.with_header("void", AMQPValue::Void),
        _ => request,
    }
}

/// Resident memory in KiB.
fn resident(pid: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    Ok(line
        .split_whitespace()
        .nth(1)
        .context("a number")?
        .parse()?)
}

async fn send_all(caller: &Caller) -> Result<HashMap<String, bool>> {
    let malformed = malformed_bodies();
    let good = good_bodies();
    let mut sent = HashMap::new();
    for number in 0..REQUESTS {
        // Every 20th is malformed, 50 in all.
        let bad = number % 20 == 7;
        let body = if bad {
            malformed[number / 20 % malformed.len()].clone()
        } else {
            good[number % good.len()].clone().into_bytes()
        };
        let request = adorn(caller.request(body), number);
        sent.insert(request.uuid().context("a UUID")?, bad);
        caller.publish(&request).await?;
    }
    Ok(sent)
}

#[tokio::test]
async fn a_thousand_requests_each_with_one_answer() -> Result<()> {
    let catalogue = catalogue()?;
    let world = World::aleph(&catalogue.url(), &json!({})).await?;
    world.daemon.write_settings(
        "aleph.json",
        &json!({ "ALEPH_URL": catalogue.url(), "ALEPH_MAX_REQUESTS_PER_SECOND": 1000 }),
    )?;
    assert_eq!(malformed_bodies().len(), 50);
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("a pid")?;
    let mut memory = Vec::new();
    for _round in 0..3 {
        let mut waiting = send_all(&caller).await?;
        for _ in 0..REQUESTS {
            let answer = caller.next(PATIENCE).await?;
            let uuid = answer.header("UUID").context("no UUID")?;
            let bad = waiting
                .remove(&uuid)
                .context("answered twice, or never asked")?;
            assert_eq!(answer.is_exception(), bad, "{}", answer.text());
            if bad {
                assert!(
                    !answer.header("exception").unwrap_or_default().is_empty()
                        || answer.text() == "u''"
                );
                assert!(answer.header("exception_type").is_some());
            }
        }
        assert!(waiting.is_empty());
        memory.push(resident(pid)?);
    }
    assert!(caller.unclaimed().is_empty());
    assert_eq!(world.vhost.depth("daemon").await?, (0, 1));
    println!("resident memory after each thousand, KiB: {memory:?}");
    // Flat: after the first thousand it does not grow by more than noise.
    assert!(memory[2] < memory[0] + 8192, "{memory:?}");
    let log = world.daemon.log();
    world.daemon.stop()?.success()?;
    assert!(!log.contains("panicked"), "{log}");
    assert!(world.daemon.log().contains("3000 requests"));
    Ok(())
}
