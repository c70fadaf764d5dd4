//! Bodies that are no request, and bodies and answers of any size.

use std::fs;

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, Schema, skip};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

use super::*;

/// Bodies that are no request: each is answered with an exception that says why.
#[tokio::test]
async fn fault_32_bodies_that_are_no_request() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "No JSON object could be decoded"),
        (b"\0".to_vec(), "No JSON object could be decoded"),
        (vec![0; 100_000], "No JSON object could be decoded"),
        (b"asd".to_vec(), "No JSON object could be decoded"),
        (b"NaN".to_vec(), "No JSON object could be decoded"),
        (
            b"\xff\xfe\xfd".to_vec(),
            "'utf8' codec can't decode byte 0xff in position 0",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": \"\xe9\"}".to_vec(),
            "byte 0xe9 in position 31",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": \"\0\"}".to_vec(),
            "control character",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\"".to_vec(),
            "EOF while parsing",
        ),
        (b"{} {}".to_vec(), "Extra data"),
        (b"[]".to_vec(), "Unknown type of request"),
        (b"{}".to_vec(), "Unknown type of request"),
        (b"{\"__nt_name\": \"Nope\"}".to_vec(), "Nope"),
        (b"{\"__nt_name\": [[]]}".to_vec(), "[[]]"),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": 1e999}".to_vec(),
            "number out of range",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": 5}".to_vec(),
            "text: expected a string",
        ),
        (b"{\"__nt_name\": \"Echo\"}".to_vec(), "Echo lacks text"),
        (deep("[", "]").into_bytes(), "nested deeper than"),
        (deep("{\"a\":", "}").into_bytes(), "nested deeper than"),
        ("[".repeat(1_000_000).into_bytes(), "nested deeper than"),
    ];
    for (body, words) in cases {
        let answer = target.caller.call(body).await?;
        let (name, text) = exception(&answer);
        assert!(
            !name.is_empty() && text.contains(words),
            "{name}: {text} has no {words:?}"
        );
        target.lives().await?;
    }
    target.is_unharmed().await
}

/// Bodies of 100 MB, good and bad: memory stays within some copies of the body, and is given back.
#[tokio::test]
async fn fault_32_a_body_of_100_mb() -> Result<()> {
    const SIZE: usize = 100_000_000;
    let target = Target::new(&json!({ "RABBITMQ_PREFETCH": 1 })).await?;
    let with_text = |text: String| format!(r#"{{"__nt_name": "Echo", "text": "{text}"}}"#);
    let cases = [
        ("one text", with_text("x".repeat(SIZE)), None),
        (
            "garbage",
            "?".repeat(SIZE),
            Some("No JSON object could be decoded"),
        ),
        (
            "small values",
            format!("[{}1]", "1,".repeat(SIZE / 2)),
            Some("more than 500000 values"),
        ),
        (
            "small objects",
            format!("[{}1]", "{\"\":1},".repeat(SIZE / 7)),
            Some("more than 500000 values"),
        ),
    ];
    for (what, body, refused) in cases {
        let request = target.caller.request(body);
        target.caller.publish(&request).await?;
        let answer = target
            .caller
            .answer_to(&request.uuid().context("a UUID")?, 2 * PATIENCE)
            .await?;
        match refused {
            Some(words) => assert!(
                exception(&answer).1.contains(words),
                "{what}: {}",
                exception(&answer).1
            ),
            None => assert!(!answer.is_exception() && answer.body.len() > SIZE, "{what}"),
        }
        let peak = target.peak()?;
        println!("{what}: at most {peak} kB so far");
        assert!(peak < 8 * 100_000, "{what}: {peak} kB");
        target.lives().await?;
    }
    target.is_unharmed().await
}

/// Larger than the setting allows: refused with the limit, the body is not even looked at.
#[tokio::test]
async fn fault_32_too_large_a_request_is_refused_with_the_limit() -> Result<()> {
    let target = Target::new(&json!({ "RABBITMQ_MAX_REQUEST_SIZE": 1000 })).await?;
    let text = "x".repeat(1000);
    let answer = target
        .caller
        .call(format!(r#"{{"__nt_name": "Echo", "text": "{text}"}}"#))
        .await?;
    let (name, text) = exception(&answer);
    assert_eq!(name, "ValueError");
    assert!(
        text.contains("accepts 1000 (RABBITMQ_MAX_REQUEST_SIZE)"),
        "{text}"
    );
    target.is_unharmed().await
}

/// A world on a node of its own.
async fn on(node: &RabbitNode) -> Result<World> {
    let vhost = node.vhost("puppet")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = edeposit_testkit::DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(
        &vhost,
        "PUPPET",
        &json!({ "RABBITMQ_PUPPET_EXCHANGE": "puppet" }),
    )?;
    Ok(World {
        daemon,
        vhost,
        schema,
    })
}

/// Answers larger than the broker takes: an exception in their place, in the same session.
#[tokio::test]
async fn fault_37_an_answer_larger_than_the_broker_takes() -> Result<()> {
    let node = RabbitNode::start()?;
    node.ctl(&[
        "eval",
        "application:set_env(rabbit, max_message_size, 100000).",
    ])?;
    let target = Target::start(on(&node).await?).await?;
    for bytes in [100_001, 10_000_000] {
        target.is_denied(bytes).await?;
    }
    target.is_unharmed().await
}

/// An answer of 1 GB, eight times what the broker takes by default: the same.
#[tokio::test]
async fn fault_37_an_answer_of_1_gb() -> Result<()> {
    const NEEDED_KB: u64 = 8_000_000;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let available = memory
        .lines()
        .find(|line| line.starts_with("MemAvailable:"));
    let available = available.and_then(|line| line.split_whitespace().nth(1));
    if available.context("MemAvailable")?.parse::<u64>()? < NEEDED_KB {
        skip(&format!("this takes {NEEDED_KB} kB of memory"));
        return Ok(());
    }
    let node = RabbitNode::start()?;
    let target = Target::start(on(&node).await?).await?;
    target.is_denied(1_000_000_000).await?;
    println!("at most {} kB", target.peak()?);
    target.is_unharmed().await
}
