//! Callers written in Python with pika against the real daemon: as the deposit system's are, and by AMQP's own RPC.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use edeposit_testkit::wait_until;
use edeposit_tests::{PATIENCE, World, catalogue};
use serde_json::{Value, json};

/// The Python with pika that `cargo xtask test` has set up.
const PYTHON: &str = "EDEPOSIT_TEST_PYTHON";

/// A script of ours, with the world's broker and exchange as first arguments.
fn script(world: &World, name: &str) -> Result<Command> {
    let python = std::env::var_os(PYTHON).with_context(|| {
        format!("{PYTHON} names no Python with pika; run the tests by: cargo xtask test")
    })?;
    let mut command = Command::new(python);
    command
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("python")
                .join(name),
        )
        .arg(world.vhost.amqp_url())
        .arg(&world.schema.exchange);
    Ok(command)
}

fn call(world: &World, name: &str, more: &[&str], requests: &Value) -> Result<Vec<Value>> {
    let mut child = script(world, name)?
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("stdin")?
        .write_all(requests.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("the Python caller failed: {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn record(answer: &Value) -> Result<Value> {
    assert_eq!(answer["exchange"], "search");
    assert_eq!(answer["content_type"], "application/json");
    assert_eq!(answer["delivery_mode"], 2);
    assert_eq!(
        answer["headers"].as_object().map(serde_json::Map::len),
        Some(1)
    );
    Ok(serde_json::from_str(
        answer["body"].as_str().context("a body")?,
    )?)
}

#[tokio::test]
async fn a_python_caller_is_served() -> Result<()> {
    let catalogue = catalogue()?;
    let world = World::aleph(&catalogue.url(), &json!({})).await?;
    world.vhost.bind("daemon", "search", "#.request").await?;
    world.vhost.bind("plone", "search", "#.result").await?;
    world.daemon.start()?.success()?;
    let body = |body: Value| json!({ "body": body.to_string() });
    let isbn = |isbn: &str| json!({"__nt_name": "ISBNQuery", "ISBN": isbn, "base": "nkc"});
    let answers = call(
        &world,
        "caller.py",
        &[],
        &json!([
            body(json!({"__nt_name": "SearchRequest", "query": isbn("80-251-0225-4")})),
            body(json!({"__nt_name": "SearchRequest", "query": isbn("80-85892-15-0")})),
            body(json!({"__nt_name": "CountRequest", "query": isbn("80-251-0225-4")})),
            body(json!({"__nt_name": "ISBNValidationRequest", "ISBN": "978-80-7000-123-3"})),
            {"body": json!({"__nt_name": "ISBNValidationRequest", "ISBN": "1"}).to_string(), "key": "me.request"},
            {"body": "asd", "headers": {"UUID": "my-own", "other": 1}},
        ]),
    )?;

    let found = record(&answers[0])?;
    assert_eq!(found["__nt_name"], "SearchResult");
    let records = found["records"].as_array().context("records")?;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["__nt_name"], "AlephRecord");
    let parsed = &records[0]["parsed_info"];
    assert_eq!(parsed["__nt_name"], "EPublication");
    assert_eq!(parsed["ISBN"], json!(["80-251-0225-4"]));
    assert!(
        parsed["nazev"]
            .as_str()
            .is_some_and(|title| !title.is_empty())
    );
    assert_eq!(parsed["autori"][0]["__nt_name"], "Author");
    assert_eq!(records[0]["semantic_info"]["__nt_name"], "SemanticInfo");

    assert_eq!(
        record(&answers[1])?,
        json!({"__nt_name": "SearchResult", "records": []})
    );
    assert_eq!(
        record(&answers[2])?,
        json!({"__nt_name": "CountResult", "num_of_records": 1})
    );
    assert_eq!(
        record(&answers[3])?,
        json!({"__nt_name": "ISBNValidationResult", "is_valid": true})
    );
    assert_eq!(
        record(&answers[4])?,
        json!({"__nt_name": "ISBNValidationResult", "is_valid": false})
    );
    assert_eq!(answers[3]["routing_key"], "result");
    assert_eq!(answers[4]["routing_key"], "me.result");

    let refused = &answers[5];
    assert_eq!(refused["body"], "No JSON object could be decoded");
    assert_eq!(refused["content_type"], "application/text");
    assert_eq!(refused["delivery_mode"], 2);
    let headers = &refused["headers"];
    assert_eq!(headers["UUID"], "my-own");
    assert_eq!(headers["exception"], "No JSON object could be decoded");
    assert_eq!(headers["exception_name"], "ValueError");
    assert_eq!(headers["exception_type"], "<type 'exceptions.ValueError'>");
    assert!(headers["traceback"].is_string());
    Ok(())
}

/// Properties that no good client would send: the daemon goes on, in the same session.
#[tokio::test]
async fn fault_33_no_message_stops_the_daemon() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.vhost.bind("daemon", "puppet", "#.request").await?;
    world.vhost.bind("plone", "puppet", "#.result").await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let body = r#"{"__nt_name": "Echo", "text": "x"}"#;
    assert!(script(&world, "hostile.py")?.arg(body).status()?.success());
    // In the order they were sent, but for those worked on at once.
    let expected = ["header name", "content type", "routing key", "good"];
    let mut answered = Vec::new();
    while !expected
        .iter()
        .all(|uuid| answered.iter().any(|seen| seen == uuid))
    {
        let answer = caller
            .next(PATIENCE)
            .await
            .with_context(|| format!("only {answered:?} were answered"))?;
        assert_eq!(answer.json()?["text"], "x");
        answered.push(answer.header("UUID").context("a UUID")?);
    }
    wait_until("all are settled", PATIENCE, async || {
        world
            .vhost
            .queue("daemon")
            .is_ok_and(|queue| queue.is_some_and(|queue| queue.ready + queue.unacked == 0))
    })
    .await?;
    answered.extend(
        caller
            .unclaimed()
            .iter()
            .filter_map(|answer| answer.header("UUID")),
    );
    assert!(
        !answered
            .iter()
            .any(|uuid| uuid.starts_with("deep") || uuid.starts_with("uu")),
        "{answered:?}"
    );
    let log = world.daemon.log();
    assert!(log.contains("properties cannot be read"), "{log}");
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    world.daemon.stop()?.success()?;
    assert_eq!(world.daemon.log().matches("started with pid").count(), 1);
    assert!(pid.is_some());
    Ok(())
}

#[tokio::test]
async fn a_python_rpc_client_is_served() -> Result<()> {
    let catalogue = catalogue()?;
    let world = World::aleph(&catalogue.url(), &json!({})).await?;
    world.daemon.start()?.success()?;
    let query = json!({"__nt_name": "ISBNQuery", "ISBN": "80-251-0225-4", "base": "nkc"});
    let requests = json!([
        json!({"__nt_name": "CountRequest", "query": query}).to_string(),
        "asd",
        json!({"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-4"}).to_string(),
    ]);
    for way in ["queue", "direct"] {
        let answers = call(&world, "rpc.py", &[way], &requests)?;
        let record = |number: usize| -> Result<Value> {
            let answer = &answers[number];
            assert_eq!(answer["exchange"], "", "{way}");
            assert_eq!(answer["content_type"], "application/json");
            assert!(answer["headers"].get("UUID").is_none());
            Ok(serde_json::from_str(
                answer["body"].as_str().context("a body")?,
            )?)
        };
        assert_eq!(
            record(0)?,
            json!({"__nt_name": "CountResult", "num_of_records": 1})
        );
        assert_eq!(
            record(2)?,
            json!({"__nt_name": "ISBNValidationResult", "is_valid": true})
        );
        assert_eq!(answers[1]["body"], "No JSON object could be decoded");
        assert_eq!(answers[1]["headers"]["exception_name"], "ValueError");
    }
    assert_eq!(world.vhost.depth("plone").await?.0, 0);
    Ok(())
}

/// Records in both directions across languages: pika's caller, marcxml2modsd's documents.
#[tokio::test]
async fn a_python_caller_has_a_record_converted() -> Result<()> {
    let schema = edeposit_testkit::Schema::new("export");
    let world = World::new("edeposit_amqp_marcxml2modsd", "MX2MODS", schema, &json!({})).await?;
    world.daemon.start()?.success()?;
    let record = "<record><leader>-----nam-a22------a-4500</leader><datafield tag='245' ind1='1' ind2='0'>\
        <subfield code='a'>Žluťoučký kůň &amp; spol. /</subfield></datafield></record>";
    let request = |marc_xml: &str| {
        let request = json!({"__nt_name": "ConversionRequest", "marc_xml": marc_xml,
            "uuid": "u-1", "url": "http://a.example/?b=1&c=2"});
        json!({ "body": request.to_string() })
    };
    let answers = call(
        &world,
        "caller.py",
        &[],
        &json!([request(record), request("no record")]),
    )?;
    assert_eq!(answers[0]["exchange"], "export");
    assert_eq!(answers[0]["content_type"], "application/json");
    let body: Value = serde_json::from_str(answers[0]["body"].as_str().context("a body")?)?;
    assert_eq!(body["__nt_name"], "ConversionResponse");
    let document = body["mods_files"][0].as_str().context("a document")?;
    assert!(document.contains("<mods:title>Žluťoučký kůň &amp; spol</mods:title>"));
    assert!(document.contains("?b=1&amp;c=2</mods:electronicLocator>"));
    assert_eq!(answers[1]["headers"]["exception_name"], "ValueError");
    Ok(())
}
