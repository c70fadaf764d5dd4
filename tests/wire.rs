//! What the original put on the wire, and what comes from here for the same requests.
//!
//! The recorded cases are the measure, but for what is mended on purpose; each such difference is named in [`mended`].

use anyhow::{Context, Result, bail};
use edeposit_testkit::{Answer, Caller, RawRequest, Schema, wait_until};
use edeposit_tests::{PATIENCE, World, vectors};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

/// A recorded case: the request, and all that is to be published in reply.
struct Case {
    name: String,
    sent: Value,
    published: Vec<Value>,
}

/// The cases of one daemon, as they are to be here.
fn cases(daemon: &str) -> Result<Vec<Case>> {
    let recorded = vectors("exceptions.json")?;
    let cases: Vec<Case> = recorded
        .into_iter()
        .filter(|case| case["daemon"] == daemon)
        .map(|case| {
            // Where the original died of Python 2's text handling, what it meant to publish.
            let meant = &case["if_text_handling_had_worked"]["published"];
            let published = if meant.is_array() {
                meant
            } else {
                &case["published"]
            };
            Case {
                name: case["case"].as_str().unwrap_or_default().to_owned(),
                sent: case["sent"].clone(),
                published: published.as_array().cloned().unwrap_or_default(),
            }
        })
        .collect();
    Ok(cases)
}

fn request(caller: &Caller, sent: &Value) -> Result<RawRequest> {
    let body = sent["body"].as_str().context("a body")?;
    let body = match sent["body_encoding"].as_str() {
        None => body.as_bytes().to_vec(),
        Some("base64") => decode_base64(body),
        Some(other) => bail!("unknown encoding {other}"),
    };
    let mut properties = BasicProperties::default();
    if let Some(content_type) = sent["content_type"].as_str() {
        properties = properties.with_content_type(content_type.into());
    }
    if let Some(mode) = sent["delivery_mode"].as_u64() {
        properties = properties.with_delivery_mode(u8::try_from(mode)?);
    }
    if let Some(headers) = sent["headers"].as_object() {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert(name.as_str().into(), amqp(value)?);
        }
        properties = properties.with_headers(table);
    }
    let mut request = caller.request(body).with_properties(properties);
    request.routing_key = sent["routing_key"].as_str().context("a key")?.to_owned();
    Ok(request)
}

fn amqp(value: &Value) -> Result<AMQPValue> {
    Ok(match value {
        Value::Null => AMQPValue::Void,
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Number(number) => {
            AMQPValue::LongInt(i32::try_from(number.as_i64().context("an integer")?)?)
        }
        other => bail!("a header {other}"),
    })
}

fn decode_base64(text: &str) -> Vec<u8> {
    edeposit_amqpdaemon::serializers::Base64::decode(text)
        .map(|bytes| bytes.0)
        .unwrap_or_default()
}

/// Compares one published message with what was recorded; `Err` says what differs.
fn compare(answer: &Answer, recorded: &Value) -> Result<()> {
    let mut expected = recorded.clone();
    mend(&mut expected);
    let is = |what: &str, found: Value, expected: &Value| {
        anyhow::ensure!(found == *expected, "{what}: {found} instead of {expected}");
        Ok(())
    };
    is(
        "exchange",
        answer.exchange.as_str().into(),
        &expected["exchange"],
    )?;
    is(
        "routing key",
        answer.routing_key.as_str().into(),
        &expected["routing_key"],
    )?;
    is(
        "content type",
        answer.content_type().into(),
        &expected["content_type"],
    )?;
    is(
        "delivery mode",
        answer.delivery_mode().into(),
        &expected["delivery_mode"],
    )?;
    let headers = answer.headers();
    let uuid = headers.inner().get("UUID").context("no UUID")?;
    anyhow::ensure!(
        *uuid == amqp(&expected["headers"]["UUID"])?,
        "UUID: {uuid:?}"
    );
    if !answer.is_exception() {
        anyhow::ensure!(headers.inner().len() == 1, "headers: {headers:?}");
        let body: Value = serde_json::from_str(expected["body"].as_str().context("a body")?)?;
        return is("body", answer.json()?, &body);
    }
    let names: Vec<&str> = headers.inner().keys().map(|name| name.as_str()).collect();
    let known = [
        "UUID",
        "exception",
        "exception_name",
        "exception_type",
        "traceback",
    ];
    anyhow::ensure!(names == known, "headers: {names:?}");
    for name in ["exception_name", "exception_type", "exception"] {
        is(name, answer.header(name).into(), &expected["headers"][name])?;
    }
    is("body", answer.text().into(), &expected["body"])?;
    match (
        expected["headers"]["traceback"].as_str(),
        answer.header("traceback"),
    ) {
        (None, None) => Ok(()),
        (Some(_), Some(traceback)) => {
            let name = answer.header("exception_name").unwrap_or_default();
            anyhow::ensure!(
                traceback.starts_with("Traceback (most recent call last):\n"),
                "{traceback}"
            );
            anyhow::ensure!(traceback.contains(&format!("\n{name}: ")), "{traceback}");
            Ok(())
        }
        (expected, found) => bail!("traceback {found:?} instead of {expected:?}"),
    }
}

/// Differences that are meant, in every message.
fn mend(expected: &mut Value) {
    // Answers are persistent, as the documentation says.
    expected["delivery_mode"] = json!(2);
    // A UUID without a value is echoed in answers too.
    if expected["headers"].get("UUID").is_none() {
        expected["headers"]["UUID"] = Value::Null;
    }
}

/// Differences that are meant, in one case: name, text (header), body. `None` keeps what was recorded.
fn mended(case: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match case {
        // The parser's own words, with the place.
        "JSON cut off" => {
            let text = "EOF while parsing a string at line 1 column 16";
            ("ValueError", text, text)
        }
        "JSON with trailing garbage" => {
            let text = "Extra data: line 1 column 65";
            ("ValueError", text, text)
        }
        // The text is in the header too, not in the body only.
        "body is not UTF-8" => {
            let text = "'utf8' codec can't decode byte 0xe9 in position 10: not valid UTF-8";
            ("UnicodeDecodeError", text, text)
        }
        "handler raises IOError" => {
            let text = "No such file or directory (os error 2)";
            ("IOError", text, text)
        }
        // A header is text.
        "__nt_name is not a string" => ("KeyError", "5", "5"),
        // The same words, then what is wrong.
        "missing field" => {
            let text =
                "__new__() takes exactly 5 arguments (3 given): GenericQuery lacks considerSimilar";
            ("TypeError", text, text)
        }
        "extra field" => {
            let text = "__new__() got an unexpected keyword argument 'navic': ISBNValidationRequest has ISBN";
            ("TypeError", text, text)
        }
        // Only records can be named.
        "__nt_name of a function in the daemon's globals" => {
            ("KeyError", "getConParams", "u'getConParams'")
        }
        "handler raises KeyError" => ("KeyError", "klíč", r"u'kl\xed\u010d'"),
        "result cannot be serialized" => {
            let text = "NaN is not JSON serializable";
            ("TypeError", text, text)
        }
        _ => return None,
    })
}

fn expect(case: &mut Case) {
    if let (Some((name, text, body)), Some(last)) = (mended(&case.name), case.published.last_mut())
    {
        last["headers"]["exception_name"] = json!(name);
        last["headers"]["exception_type"] = json!(format!("<type 'exceptions.{name}'>"));
        last["headers"]["exception"] = json!(text);
        last["body"] = json!(body);
    }
}

async fn run(caller: &Caller, case: &Case) -> Result<()> {
    caller.publish(&request(caller, &case.sent)?).await?;
    for recorded in &case.published {
        let answer = caller.next(PATIENCE).await?;
        compare(&answer, recorded)?;
    }
    Ok(())
}

async fn bind_dotted_keys(world: &World) -> Result<()> {
    let exchange = &world.schema.exchange;
    world.vhost.bind("daemon", exchange, "#.request").await?;
    world.vhost.bind("plone", exchange, "#.result").await
}

#[tokio::test]
async fn alephdaemon_publishes_what_the_original_did() -> Result<()> {
    // As the original's code did: requests without UUID are answered.
    let settings = json!({ "RABBITMQ_ANSWER_WITHOUT_UUID": 1 });
    let world = World::aleph("http://127.0.0.1:9", &settings).await?;
    bind_dotted_keys(&world).await?;
    let caller = world.start().await?;
    let mut failed = Vec::new();
    let mut cases = cases("alephdaemon")?;
    assert_eq!(cases.len(), 33);
    for case in &mut cases {
        expect(case);
        if case.name == "headers missing altogether" {
            // The original died; here it is the same as a missing UUID.
            case.published = vec![json!({
                "exchange": "search", "routing_key": "result", "content_type": "application/text",
                "headers": {
                    "UUID": "", "exception_name": "ValueError", "exception_type": "<type 'exceptions.ValueError'>",
                    "exception": "No UUID provided, message ignored.", "traceback": null,
                },
                "body": case.sent["body"],
            })];
        }
        assert!(!case.published.is_empty(), "{}", case.name);
        if let Err(e) = run(&caller, case).await {
            failed.push(format!("{}: {e:#}", case.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(caller.unclaimed().is_empty());
    assert_eq!(world.vhost.depth("daemon").await?, (0, 1));
    Ok(())
}

#[tokio::test]
async fn handlers_raise_what_the_originals_raised() -> Result<()> {
    let world = World::new(
        "edeposit-test-puppet",
        "PUPPET",
        Schema::new("search"),
        &json!({}),
    )
    .await?;
    bind_dotted_keys(&world).await?;
    let caller = world.start().await?;
    let mut failed = Vec::new();
    let mut ran = 0;
    for mut case in cases("custom")? {
        expect(&mut case);
        // These are about Python: an exception with no or several arguments, one that ends the process, bytes in a text.
        let only_python = [
            "two arguments",
            "without arguments",
            "SystemExit",
            "bytes that are not UTF-8",
        ];
        if only_python.iter().any(|words| case.name.contains(words)) {
            continue;
        }
        ran += 1;
        if let Err(e) = run(&caller, &case).await {
            failed.push(format!("{}: {e:#}", case.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(ran, 19);
    Ok(())
}

/// Neither headers nor a UUID: dropped, counted, logged, settled.
#[tokio::test]
async fn fault_31_without_a_uuid_a_request_is_dropped_as_documented() -> Result<()> {
    let world = World::aleph("http://127.0.0.1:9", &json!({})).await?;
    let caller = world.start().await?;
    let body = r#"{"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-4"}"#;
    let no_headers = caller
        .request(body)
        .with_properties(BasicProperties::default());
    let other_headers = no_headers
        .clone()
        .with_header("jine", AMQPValue::LongString("ahoj".into()));
    caller.publish(&no_headers).await?;
    caller.publish(&other_headers).await?;
    let answer = caller.call(body).await?;
    assert_eq!(
        answer.json()?,
        json!({"__nt_name": "ISBNValidationResult", "is_valid": true})
    );
    wait_until("the queue is empty", PATIENCE, async || {
        world
            .vhost
            .depth("daemon")
            .await
            .is_ok_and(|(ready, _)| ready == 0)
    })
    .await?;
    assert!(caller.unclaimed().is_empty());
    world.daemon.stop()?.success()?;
    let log = world.daemon.log();
    assert_eq!(
        log.matches("without a usable header UUID").count(),
        2,
        "{log}"
    );
    assert!(log.contains(
        "3 requests (0 redelivered), 1 answers, 0 exceptions, 0 progress messages, 2 dropped"
    ));
    Ok(())
}
