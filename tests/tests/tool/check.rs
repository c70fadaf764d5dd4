//! `--check`: what it says of the schema, of messages that wait, and of rights.

use anyhow::{Context, Result};
use edeposit_testkit::{ClosedPort, RabbitNode, Vhost, wait_until};
use edeposit_tests::PATIENCE;
use lapin::types::FieldTable;
use serde_json::{Value, json};

use crate::runner::{FTP, Ftp, NAMES, Tool};

const OK: (&str, &str) = ("ok", "");

const NONE: (&str, &str) = ("none", "");

const MISSING: (&str, &str) = ("missing", "run: edeposit_amqp_tool --host ftp --create");

const DAEMON: (&str, &str) = ("ok", "0 messages, 0 consumers; is the daemon running?");

const PLONE: (&str, &str) = ("ok", "0 messages, 0 consumers");

/// The report of a check of the FTP daemons' schema: for each thing its state and what is said of
/// it.
fn report(vhost: &Vhost, states: &[(&str, &str)]) -> String {
    let things = [
        ("virtual host", vhost.name()),
        ("exchange", "ftp"),
        ("queue", "daemon"),
        ("queue", "plone"),
        ("binding", "ftp['request'] -> 'daemon'"),
        ("binding", "ftp['result'] -> 'plone'"),
        ("set aside", "daemon.parked"),
        ("set aside", "daemon.dead"),
    ];
    let mut report = format!(
        "ftp: virtual host '{}' at 127.0.0.1:{}\n",
        vhost.name(),
        vhost.amqp_port()
    );
    let names = things.iter().map(|(_, name)| name.len()).max().unwrap_or(0);
    let width = states
        .iter()
        .map(|(state, _)| state.len())
        .max()
        .unwrap_or(0);
    for ((kind, name), (state, detail)) in things.iter().zip(states) {
        let line = format!("  {kind:12}  {name:names$}  {state:width$}  {detail}");
        report += line.trim_end();
        report.push('\n');
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_is_there_and_what_is_missing() -> Result<()> {
    let ftp = Ftp::new().await?;
    let stdout = ftp.tool.ftp(&["--check"])?.success()?;
    let healthy = [OK, OK, DAEMON, PLONE, OK, OK, NONE, NONE];
    assert_eq!(stdout, report(&ftp.vhost, &healthy));

    // Without a binding.
    ftp.channel
        .queue_unbind(
            "plone".into(),
            "ftp".into(),
            "result".into(),
            FieldTable::default(),
        )
        .await?;
    let outcome = ftp.tool.ftp(&["--check"])?;
    let states = [OK, OK, DAEMON, PLONE, OK, MISSING, NONE, NONE];
    assert_eq!(outcome.stdout, report(&ftp.vhost, &states));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));

    // Without a queue, and so without its binding.
    ftp.vhost.delete_queue("daemon")?;
    let outcome = ftp.tool.ftp(&["--check"])?;
    let states = [OK, OK, MISSING, PLONE, MISSING, MISSING, NONE, NONE];
    assert_eq!(outcome.stdout, report(&ftp.vhost, &states));
    assert_eq!(outcome.code, Some(1));

    // Without the exchange.
    ftp.vhost.delete_exchange("ftp")?;
    let outcome = ftp.tool.ftp(&["--check"])?;
    let states = [OK, MISSING, MISSING, PLONE, MISSING, MISSING, NONE, NONE];
    assert_eq!(outcome.stdout, report(&ftp.vhost, &states));

    // The command that it names mends all of it.
    assert_eq!(ftp.tool.ftp(&["--create"])?.success()?, FTP);
    assert_eq!(ftp.tool.ftp(&["--check"])?.code, Some(0));

    // Without the virtual host.
    ftp.vhost.delete()?;
    let outcome = ftp.tool.ftp(&["--check"])?;
    assert_eq!(outcome.stdout, report(&ftp.vhost, &[MISSING; 6]));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
    Ok(())
}

/// A policy gives the queue of requests a length and a lifetime: the check says so, and fails.
#[tokio::test(flavor = "multi_thread")]
async fn fault_28_a_policy_that_drops_messages_is_told() -> Result<()> {
    let ftp = Ftp::new().await?;
    let vhost = ftp.vhost.name();
    let limits = r#"{"max-length": 1000, "message-ttl": 60000}"#;
    let policy = ["set_policy", "-p", vhost, "short", "^daemon$", limits];
    RabbitNode::shared()?.ctl(&policy)?;
    let mut stdout = String::new();
    wait_until("the check tells of the policy", PATIENCE, async || {
        let outcome = ftp.tool.ftp(&["--check"]);
        outcome.is_ok_and(|outcome| {
            stdout = outcome.stdout;
            outcome.code == Some(1) && stdout.contains("limits")
        })
    })
    .await?;
    let told = "lossy  message-ttl 60000, max-length 1000 (policy 'short') throws messages away";
    assert!(stdout.contains(told), "{stdout}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_counts_messages_and_consumers_and_says_how_to_replay() -> Result<()> {
    let ftp = Ftp::with(&["--dead-letter"]).await?;
    let durable = lapin::options::QueueDeclareOptions::durable();
    ftp.channel
        .queue_declare("daemon.parked".into(), durable, Default::default())
        .await?;
    let properties = lapin::BasicProperties::default();
    for queue in ["plone", "plone", "daemon.parked", "daemon.dead"] {
        ftp.put(queue, "x", properties.clone()).await?;
    }
    let consumer = ftp
        .channel
        .basic_consume(
            "daemon".into(),
            "me".into(),
            Default::default(),
            Default::default(),
        )
        .await?;
    let stdout = ftp
        .tool
        .ftp(&["--check", "--dead-letter", "--json"])?
        .success()?;
    let report: Value = serde_json::from_str(&stdout)?;
    assert_eq!(
        (&report["host"], &report["ok"]),
        (&json!("ftp"), &json!(true))
    );
    let queue = |name: &str| {
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        let found = findings
            .into_iter()
            .find(|one| one["name"] == name && one.get("messages").is_some());
        let mut found = found.unwrap_or_default();
        let kind = found["kind"].take();
        (
            kind,
            found["messages"].take(),
            found["consumers"].take(),
            found["run"].take(),
        )
    };
    let replay = |name| json!(format!("edeposit_amqp_tool --host ftp --replay {name}"));
    assert_eq!(
        queue("daemon"),
        (json!("queue"), json!(0), json!(1), Value::Null)
    );
    assert_eq!(
        queue("plone"),
        (json!("queue"), json!(2), json!(0), Value::Null)
    );
    let (dead, parked) = (queue("daemon.dead"), queue("daemon.parked"));
    assert_eq!(
        dead,
        (json!("queue"), json!(1), json!(0), replay("daemon.dead"))
    );
    assert_eq!(
        parked,
        (
            json!("set aside"),
            json!(1),
            json!(0),
            replay("daemon.parked")
        )
    );
    drop(consumer);

    let there =
        |report: &str| report.contains("'daemon' -> daemon.dead") && !report.contains("missing");
    assert!(there(
        &ftp.tool.ftp(&["--check", "--dead-letter"])?.success()?
    ));

    // With --dead-letter these belong to the schema.
    ftp.vhost.delete_queue("daemon.dead")?;
    assert_eq!(ftp.tool.ftp(&["--check"])?.code, Some(0));
    let outcome = ftp.tool.ftp(&["--check", "--dead-letter"])?;
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.matches("--create --dead-letter").count(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_without_dead_letters_gets_them_by_the_command_shown() -> Result<()> {
    let node = RabbitNode::shared()?;
    let ftp = Ftp::with(&["--dead-letter"]).await?;
    ftp.vhost.delete_queue("daemon")?;
    ftp.tool.ftp(&["--create"])?.success()?;
    let outcome = ftp.tool.ftp(&["--check", "--dead-letter"])?;
    assert_eq!(outcome.code, Some(1));
    let (_, command) = outcome
        .stdout
        .split_once("run: rabbitmqctl ")
        .context("no command")?;
    let command = command.lines().next().unwrap_or_default();
    let expected = format!(
        "set_policy -p {} --apply-to queues daemon.dead '^daemon$' \
         '{{\"dead-letter-exchange\":\"daemon.dead\"}}'",
        ftp.vhost.name()
    );
    assert_eq!(command, expected);
    let arguments: Vec<&str> = command
        .split(' ')
        .map(|one| one.trim_matches('\''))
        .collect();
    node.ctl(&arguments)?;
    wait_until("the policy holds", PATIENCE, async || {
        let outcome = ftp.tool.ftp(&["--check", "--dead-letter"]);
        outcome.is_ok_and(|outcome| outcome.code == Some(0))
    })
    .await?;
    ftp.tool.ftp_with(&["--put", "-"], b"x")?.success()?;
    let options = lapin::options::BasicGetOptions { no_ack: false };
    let got = ftp.channel.basic_get("daemon".into(), options).await?;
    let delivery = got.context("queue daemon is empty")?.delivery;
    let options = lapin::options::BasicRejectOptions { requeue: false };
    delivery.acker.reject(options).await?;
    wait_until("it is in the other queue", PATIENCE, async || {
        ftp.messages("daemon.dead").await.ok() == Some(1)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn check_works_without_the_management_api() -> Result<()> {
    let ftp = Ftp::new().await?;
    let closed = ClosedPort::new()?;
    let nowhere = format!("http://{}", closed.address());
    let tool = Tool::of(RabbitNode::shared()?, ftp.vhost.name())?;
    let tool = tool.set("RABBITMQ_MANAGEMENT_URL", &nowhere);
    let outcome = tool.ftp(&["--check"])?;
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.stdout.matches("not checked").count(), 2);
    assert_eq!(
        outcome.stderr,
        format!(
            "ftp: bindings were not checked; the management API at {nowhere} could not help: \
             Connection refused (os error 111).\n"
        )
    );
    ftp.vhost.delete_queue("plone")?;
    assert_eq!(tool.ftp(&["--check"])?.code, Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_a_user_which_rights_are_lacking() -> Result<()> {
    let node = RabbitNode::shared()?;
    let ftp = Ftp::new().await?;
    node.create_user("tool-checker", "secret-word")?;
    let tool = Tool::of(node, ftp.vhost.name())?
        .set("RABBITMQ_USER_NAME", "tool-checker")
        .set("RABBITMQ_USER_PASSWORD", "secret-word");
    let outside = tool.ftp(&["--check"])?;
    ftp.vhost.permit("tool-checker", "", ".*", ".*")?;
    let inside = tool.ftp(&["--check"])?;
    node.delete_user("tool-checker")?;
    assert_eq!(outside.code, Some(1));
    assert!(outside.stdout.contains(&format!(
        "no right     run: rabbitmqctl set_permissions -p {} tool-checker '.*' '.*' '.*'\n",
        ftp.vhost.name()
    )));
    assert_eq!(inside.code, Some(0), "{}", inside.stdout);
    assert!(inside.stderr.contains(
        "could not help: user 'tool-checker' may not use it \
         (rabbitmqctl set_user_tags tool-checker management)."
    ));
    Ok(())
}

#[test]
fn check_of_all_hosts_reports_each() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let mut tool = Tool::of(node, vhost.name())?;
    for name in NAMES {
        let constant = format!("RABBITMQ_{}_VIRTUALHOST", name.to_uppercase());
        tool = tool.set(&constant, vhost.name());
    }
    tool.ftp(&["--create"])?.success()?;
    let outcome = tool.run(&["--host", "all", "--check", "--json"])?;
    assert_eq!(outcome.code, Some(1));
    let mut reports = Vec::new();
    for line in outcome.stdout.lines() {
        let report: Value = serde_json::from_str(line)?;
        reports.push((report["host"].clone(), report["ok"].clone()));
    }
    let expected: Vec<_> = NAMES
        .iter()
        .map(|&name| (json!(name), json!(name == "ftp")))
        .collect();
    assert_eq!(reports, expected);

    assert_eq!(tool.run(&["--host", "all", "--create"])?.code, Some(0));
    assert_eq!(tool.run(&["--host", "all", "--check"])?.code, Some(0));
    Ok(())
}
