//! `--replay` and `--purge`: what becomes of messages that were set aside.

use std::process::Command;

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use crate::runner::{Ftp, Outcome, Tool, finish};

fn string(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Properties of a message that a daemon parked.
fn parked(uuid: &str, exchange: &str, key: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in [
        ("UUID", uuid),
        ("x-edeposit-exchange", exchange),
        ("x-edeposit-routing-key", key),
        ("x-edeposit-reason", "NO_ROUTE"),
    ] {
        headers.insert(name.into(), string(value));
    }
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_headers(headers)
}

fn with_uuid(uuid: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), string(uuid));
    BasicProperties::default().with_headers(headers)
}

async fn make_queue(ftp: &Ftp, name: &str) -> Result<()> {
    let options = QueueDeclareOptions::durable();
    ftp.channel
        .queue_declare(name.into(), options, FieldTable::default())
        .await?;
    Ok(())
}

/// Takes the next request and rejects it, as a daemon does with one it cannot deal with.
async fn reject(ftp: &Ftp, requeue: bool) -> Result<()> {
    let options = BasicGetOptions { no_ack: false };
    let got = ftp.channel.basic_get("daemon".into(), options).await?;
    let delivery = got.context("queue daemon is empty")?.delivery;
    let options = lapin::options::BasicRejectOptions { requeue };
    delivery.acker.reject(options).await?;
    Ok(())
}

async fn wait_for_messages(ftp: &Ftp, queue: &str, count: u32) -> Result<()> {
    wait_until(&format!("{count} in {queue}"), PATIENCE, async || {
        ftp.messages(queue).await.ok() == Some(count)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_daemon_parked_is_delivered_when_the_queue_is_there_again() -> Result<()> {
    let world = World::aleph("http://127.0.0.1:9", &json!({})).await?;
    let tool = Tool::of(RabbitNode::shared()?, "unused")?
        .set("RABBITMQ_ALEPH_VIRTUALHOST", world.vhost.name());
    let aleph =
        |args: &[&str], input: &[u8]| tool.run_with(&[&["--host", "aleph"], args].concat(), input);
    world.daemon.start()?.success()?;
    world.vhost.delete_queue("plone")?;
    aleph(&["--put", "-"], b"asd")?.success()?;
    wait_until("the answer is parked", PATIENCE, async || {
        matches!(world.vhost.depth("daemon.parked").await, Ok((1, _)))
    })
    .await?;

    let outcome = aleph(&["--replay", "daemon.parked"], b"")?;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome
            .stderr
            .ends_with(": exchange 'search' has no queue for routing key 'result' (NO_ROUTE).\n")
    );
    assert_eq!(
        outcome.stdout,
        "Replayed 0 messages of queue 'daemon.parked', kept 1.\n"
    );
    assert_eq!(world.vhost.depth("daemon.parked").await?.0, 1);

    aleph(&["--create"], b"")?.success()?;
    let stdout = aleph(&["--replay", "daemon.parked"], b"")?.success()?;
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].ends_with(" to search['result']."), "{stdout}");
    assert_eq!(lines[1], "Replayed 1 message of queue 'daemon.parked'.");
    assert_eq!(world.vhost.depth("daemon.parked").await?.0, 0);

    let stdout = aleph(&["--get", "--json", "--count", "1"], b"")?.success()?;
    let answer: serde_json::Value = serde_json::from_str(&stdout)?;
    assert_eq!(answer["body"], "No JSON object could be decoded");
    let headers = &answer["properties"]["headers"];
    assert_eq!(headers["exception_name"], "ValueError");
    assert_eq!(
        lines[0],
        format!(
            "Replayed {} to search['result'].",
            headers["UUID"].as_str().unwrap_or_default()
        )
    );
    let names: Vec<&String> = headers.as_object().context("headers")?.keys().collect();
    assert!(
        !names.iter().any(|name| name.starts_with("x-")),
        "{names:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_go_keeps_its_place_and_the_others_go() -> Result<()> {
    let ftp = Ftp::new().await?;
    make_queue(&ftp, "daemon.parked").await?;
    let too_long = "k".repeat(300);
    for (uuid, exchange, key) in [
        ("u-1", "nowhere", "result"),
        ("u-2", "ftp", "result"),
        ("u-3", "ftp", "nobody"),
        ("u-4", "ftp", &too_long),
        ("u-5", "", "plone"),
    ] {
        let properties = parked(uuid, exchange, key);
        ftp.put("daemon.parked", uuid, properties).await?;
    }
    ftp.put("daemon.parked", "x", BasicProperties::default())
        .await?;

    let outcome = ftp
        .tool
        .ftp(&["--replay", "daemon.parked", "--count", "2"])?;
    assert_eq!(
        outcome.stdout,
        "Replayed u-2 to ftp['result'].\n\
         Replayed 1 message of queue 'daemon.parked', kept 1.\n"
    );
    assert_eq!(
        outcome.stderr,
        "Kept u-1: there is no exchange 'nowhere'.\n"
    );
    assert_eq!(outcome.code, Some(1));

    let outcome = ftp.tool.ftp(&["--replay", "daemon.parked"])?;
    assert_eq!(
        outcome.stdout,
        "Replayed u-5 to queue 'plone'.\n\
         Replayed 1 message of queue 'daemon.parked', kept 4.\n"
    );
    assert_eq!(
        outcome.stderr,
        format!(
            "Kept u-1: there is no exchange 'nowhere'.\n\
             Kept u-3: exchange 'ftp' has no queue for routing key 'nobody' (NO_ROUTE).\n\
             Kept u-4: '{too_long}' is longer than the 255 bytes that AMQP allows.\n\
             Kept a message without UUID: it does not say where it belongs; neither a daemon \
             parked it nor RabbitMQ dead-lettered it.\n"
        )
    );
    assert_eq!(outcome.code, Some(1));

    for uuid in ["u-2", "u-5"] {
        let message = ftp.take("plone").await?;
        assert_eq!(message.data, uuid.as_bytes());
        let expected = with_uuid(uuid)
            .with_content_type("application/json".into())
            .with_delivery_mode(2);
        assert_eq!(message.properties, expected);
    }
    wait_for_messages(&ftp, "daemon.parked", 4).await?;
    for uuid in ["u-1", "u-3", "u-4", "x"] {
        assert_eq!(ftp.take("daemon.parked").await?.data, uuid.as_bytes());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_request_is_kept_and_replayed_under_its_own_key() -> Result<()> {
    let ftp = Ftp::with(&["--dead-letter"]).await?;
    ftp.vhost.bind("daemon", "ftp", "#.request").await?;
    ftp.publish("ftp", "me.request", "asd", with_uuid("u-1"))
        .await?;
    wait_for_messages(&ftp, "daemon", 1).await?;
    reject(&ftp, false).await?;
    wait_for_messages(&ftp, "daemon.dead", 1).await?;

    let stdout = ftp.tool.ftp(&["--replay", "daemon.dead"])?.success()?;
    assert_eq!(
        stdout,
        "Replayed u-1 to ftp['me.request'].\nReplayed 1 message of queue 'daemon.dead'.\n"
    );
    let message = ftp.take("daemon").await?;
    assert_eq!(message.routing_key.as_str(), "me.request");
    assert_eq!(message.properties, with_uuid("u-1"));
    assert_eq!(ftp.messages("daemon.dead").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_delivered_too_often_leaves_a_quorum_queue() -> Result<()> {
    let options = [
        "--queue-type",
        "quorum",
        "--delivery-limit",
        "2",
        "--dead-letter",
    ];
    let ftp = Ftp::with(&options).await?;
    ftp.tool.ftp_with(&["--put", "-"], b"poison")?.success()?;
    for _ in 0..3 {
        wait_for_messages(&ftp, "daemon", 1).await?;
        reject(&ftp, true).await?;
    }
    wait_for_messages(&ftp, "daemon.dead", 1).await?;
    let outcome = ftp.tool.ftp(&["--replay", "daemon.dead"])?;
    assert!(
        outcome
            .success()?
            .ends_with("to ftp['request'].\nReplayed 1 message of queue 'daemon.dead'.\n")
    );
    let message = ftp.take("daemon").await?;
    assert_eq!(message.data, b"poison");
    let headers = message.properties.headers().clone().unwrap_or_default();
    // The queue has begun to count anew.
    assert_eq!(
        headers.inner()["x-delivery-count"],
        AMQPValue::LongLongInt(0)
    );
    assert_eq!(headers.inner().len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_replayed_each_once() -> Result<()> {
    let ftp = Ftp::new().await?;
    make_queue(&ftp, "daemon.parked").await?;
    let properties = parked("u", "ftp", "result");
    for number in 0..500 {
        let body = number.to_string();
        ftp.publish("", "daemon.parked", body, properties.clone())
            .await?;
    }
    wait_for_messages(&ftp, "daemon.parked", 500).await?;
    let stdout = ftp.tool.ftp(&["--replay", "daemon.parked"])?.success()?;
    assert_eq!(stdout.lines().count(), 501);
    assert_eq!(ftp.messages("daemon.parked").await?, 0);
    assert_eq!(ftp.messages("plone").await?, 500);
    for number in 0..500 {
        assert_eq!(ftp.take("plone").await?.data, number.to_string().as_bytes());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn purge_asks_first() -> Result<()> {
    let ftp = Ftp::new().await?;
    ftp.put("plone", "1", BasicProperties::default()).await?;
    ftp.put("plone", "2", BasicProperties::default()).await?;
    // The input is a pipe here: nobody can be asked.
    let outcome = ftp.tool.ftp_with(&["--purge", "plone"], b"y\n")?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Nothing purged: there is no terminal to ask whether to delete 2 messages of queue \
             'plone' in virtual host '{}'. To delete without being asked: edeposit_amqp_tool \
             --host ftp --purge plone --yes\n",
            ftp.vhost.name()
        )
    );
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));

    for (answer, code, left) in [("n", 1, 2), ("", 1, 2), ("y", 0, 0)] {
        let outcome = on_a_terminal(&ftp.tool, &["--host", "ftp", "--purge", "plone"], answer)?;
        assert!(
            outcome
                .stdout
                .contains("Delete 2 messages of queue 'plone'")
        );
        assert!(outcome.stdout.contains("[y/N]"));
        assert_eq!(outcome.code, Some(code), "{}", outcome.stdout);
        assert_eq!(ftp.messages("plone").await?, left);
    }

    ftp.put("plone", "3", BasicProperties::default()).await?;
    let outcome = ftp.tool.ftp(&["--purge", "plone", "--yes"])?;
    assert_eq!(outcome.success()?, "Purged 1 message from queue 'plone'.\n");
    assert_eq!(ftp.messages("plone").await?, 0);

    let outcome = ftp.tool.ftp(&["--purge", "nowhere", "--yes"])?;
    assert!(
        outcome
            .stderr
            .starts_with("Can't read queue 'nowhere': virtual host '")
    );
    assert_eq!(outcome.code, Some(1));
    Ok(())
}

/// Runs the tool with a terminal, on which this is typed.
fn on_a_terminal(tool: &Tool, args: &[&str], typed: &str) -> Result<Outcome> {
    let command = tool.command(args)?;
    let mut line = command.get_program().display().to_string();
    for arg in args {
        line += &format!(" {arg}");
    }
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    finish(script, format!("{typed}\n").as_bytes())
}
