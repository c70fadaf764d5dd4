//! `--export-definitions`, and the other shapes that the schema can have.

use std::fs;

use anyhow::Result;
use edeposit_testkit::{ClosedPort, RabbitNode, Vhost};
use serde_json::{Value, json};

use crate::runner::{FTP, FTP_SCHEMA, Tool, schema};

#[test]
fn exported_definitions_are_imported_by_rabbitmqctl() -> Result<()> {
    let node = RabbitNode::shared()?;
    let options = [
        "--queue-type",
        "quorum",
        "--delivery-limit",
        "3",
        "--dead-letter",
    ];
    let closed = ClosedPort::new()?;
    for options in [&[][..], &options] {
        let made = node.vhost("tool made")?;
        let imported = node.vhost("tool imported")?;
        imported.delete()?;
        Tool::of(node, made.name())?.ftp(&[&["--create"], options].concat())?;
        let tool = Tool::of(node, imported.name())?.set("RABBITMQ_PORT", closed.port());
        let stdout = tool
            .ftp(&[&["--export-definitions"], options].concat())?
            .success()?;
        let file = tool.home.path().join("schema.json");
        fs::write(&file, stdout)?;
        node.ctl(&["import_definitions", &file.display().to_string()])?;
        assert_eq!(schema(&imported)?, schema(&made)?);
        assert_eq!(arguments(&imported)?, arguments(&made)?);
        if options.is_empty() {
            assert_eq!(schema(&imported)?, FTP_SCHEMA);
        }
        // The tool agrees that it is the same.
        imported.permit("guest", ".*", ".*", ".*")?;
        let tool = Tool::of(node, imported.name())?;
        let created = tool.ftp(&[&["--create"], options].concat())?;
        assert_eq!(created.code, Some(0), "{}", created.stderr);
    }
    Ok(())
}

fn arguments(vhost: &Vhost) -> Result<Vec<(Value, Value)>> {
    let mut arguments: Vec<_> = vhost
        .list("queues")?
        .into_iter()
        .map(|queue| (queue["name"].clone(), queue["arguments"].clone()))
        .collect();
    arguments.sort_by_key(|(name, _)| name.to_string());
    Ok(arguments)
}

#[test]
fn exported_definitions_hold_each_thing_once() -> Result<()> {
    let stdout = Tool::new()?
        .run(&["--host", "all", "--export-definitions"])?
        .success()?;
    let definitions: Value = serde_json::from_str(&stdout)?;
    for kind in ["vhosts", "exchanges", "queues", "bindings"] {
        let list = definitions[kind].as_array().cloned().unwrap_or_default();
        assert!(list.len() >= 10, "{kind}");
        for (index, one) in list.iter().enumerate() {
            assert!(!list[..index].contains(one), "{one}");
        }
    }
    let closed = Tool::new()?.run(&["--export-definitions"])?;
    assert_eq!(
        closed.stderr,
        "--host is required parameter to --export-definitions\n"
    );
    assert_eq!(closed.code, Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn create_makes_quorum_queues_with_a_dead_letter_queue() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let tool = Tool::of(node, vhost.name())?;
    let create = [
        "--create",
        "--queue-type",
        "quorum",
        "--delivery-limit",
        "5",
        "--dead-letter",
    ];
    for _ in 0..2 {
        assert_eq!(
            tool.ftp(&create)?.success()?,
            "Created exchange 'ftp'.\n\
             Created exchange 'daemon.dead'.\n\
             Creating queues:\n\
             \x20 Created durable queue 'daemon'.\n\
             \x20 Created durable queue 'plone'.\n\
             \x20 Created durable queue 'daemon.dead'.\n\
             \n\
             Routing exchanges using routing key to queues:\n\
             \x20 Routing exchange ftp['request'] -> 'daemon'.\n\
             \x20 Routing exchange ftp['result'] -> 'plone'.\n\
             \x20 Routing exchange daemon.dead['#'] -> 'daemon.dead'.\n"
        );
    }
    let quorum = json!({"x-queue-type": "quorum"});
    let expected = [
        (
            json!("daemon"),
            json!({
                "x-dead-letter-exchange": "daemon.dead",
                "x-dead-letter-strategy": "at-least-once",
                "x-delivery-limit": 5,
                "x-overflow": "reject-publish",
                "x-queue-type": "quorum",
            }),
        ),
        (json!("daemon.dead"), quorum.clone()),
        (json!("plone"), quorum),
    ];
    assert_eq!(arguments(&vhost)?, expected);

    for (args, option) in [
        (&["--create"][..], "--queue-type quorum"),
        (&["--create", "--queue-type", "quorum"], "--dead-letter"),
        (
            &["--create", "--queue-type", "quorum", "--dead-letter"],
            "the --delivery-limit that it has",
        ),
    ] {
        let outcome = tool.ftp(args)?;
        assert_eq!(outcome.code, Some(1), "{args:?}");
        assert!(
            outcome
                .stderr
                .starts_with("Can't create queue 'daemon' in virtual host '"),
            "{}",
            outcome.stderr
        );
        // Which argument RabbitMQ names first is its own affair.
        let hints = [
            "--queue-type quorum",
            "--dead-letter",
            "the --delivery-limit that it has",
        ];
        let named = hints
            .iter()
            .any(|hint| outcome.stderr.contains(&format!("run this with {hint}.")));
        assert!(named, "{option}: {}", outcome.stderr);
    }
    Ok(())
}

#[test]
fn a_delivery_limit_without_a_dead_letter_queue_is_warned_of() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let outcome = Tool::of(node, vhost.name())?.ftp(&[
        "--create",
        "--queue-type",
        "quorum",
        "--delivery-limit",
        "5",
    ])?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), FTP));
    assert_eq!(
        outcome.stderr,
        "warning: without --dead-letter RabbitMQ deletes a request that was delivered more than \
         5 times\n"
    );
    Ok(())
}
