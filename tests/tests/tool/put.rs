//! `--put`: a request is sent, or it is said why not.

use std::fs;

use anyhow::Result;
use edeposit_testkit::{ClosedPort, RabbitNode};
use lapin::types::AMQPValue;

use crate::runner::{Ftp, Tool};

use crate::printed::*;

#[tokio::test(flavor = "multi_thread")]
async fn put_sends_the_bytes_as_they_are_and_says_nothing() -> Result<()> {
    let ftp = Ftp::new().await?;
    let file = ftp.tool.home.path().join("request.json");
    fs::write(&file, b"no \xff JSON\n")?;
    let file = file.display().to_string();
    let mut uuids = Vec::new();
    for (argument, input) in [("-", &b"no \xff JSON\n"[..]), (&file, b"unused")] {
        let outcome = ftp.tool.ftp_with(&["--put", argument], input)?;
        assert_eq!(outcome.success()?, "");
        let message = ftp.take("daemon").await?;
        assert_eq!(message.data, b"no \xff JSON\n");
        let place = (message.exchange.as_str(), message.routing_key.as_str());
        assert_eq!(place, ("ftp", "request"));
        let headers = message.properties.headers().clone().unwrap_or_default();
        let AMQPValue::LongString(uuid) = headers.inner()["UUID"].clone() else {
            panic!("UUID is no string: {headers:?}");
        };
        assert_eq!(
            message.properties,
            plain()
                .with_content_type("application/json".into())
                .with_delivery_mode(2)
                .with_headers(self::headers(&[(
                    "UUID",
                    AMQPValue::LongString(uuid.clone())
                )]))
        );
        let uuid = uuid::Uuid::parse_str(&uuid.to_string())?;
        assert_eq!(uuid.get_version_num(), 4);
        uuids.push(uuid);
    }
    assert_ne!(uuids[0], uuids[1]);
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_is_named() -> Result<()> {
    let closed = ClosedPort::new()?;
    let tool = Tool::new()?.set("RABBITMQ_PORT", closed.port());
    let outcome = tool.ftp(&["--put", "/nonexistent.json"])?;
    assert_eq!(outcome.stderr, "Can't open '/nonexistent.json'!\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    let outcome = tool.ftp(&["--put", "/"])?;
    assert_eq!(
        outcome.stderr,
        "Can't open '/'!\nIs a directory (os error 21)\n"
    );
    assert_eq!(outcome.code, Some(1));
    Ok(())
}

#[test]
fn one_host_is_needed_and_not_all_of_them() -> Result<()> {
    let closed = ClosedPort::new()?;
    let tool = Tool::new()?.set("RABBITMQ_PORT", closed.port());
    for (args, option, verb) in [
        (&["--put", "-"][..], "--put", "send to"),
        (&["--get"], "--get", "receive"),
        (&["--peek"], "--peek", "receive"),
        (&["--call", "-"], "--call", "call"),
        (&["--replay", "q"], "--replay", "replay"),
        (&["--purge", "q"], "--purge", "purge"),
    ] {
        let outcome = tool.run(args)?;
        assert_eq!(
            outcome.stderr,
            format!("--host is required parameter to {option}\n")
        );
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
        let outcome = tool.run(&[&["--host", "all"], args].concat())?;
        assert_eq!(outcome.stderr, format!("Can't {verb} all hosts!\n"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_reaches_no_queue_is_no_success() -> Result<()> {
    let ftp = Ftp::new().await?;
    let create = "run: edeposit_amqp_tool --host ftp --create\n";
    ftp.vhost.delete_queue("daemon")?;
    let outcome = ftp.tool.ftp_with(&["--put", "-"], b"x")?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Can't send the request: exchange 'ftp' has no queue for routing key 'request' \
             (NO_ROUTE) in virtual host '{}'; {create}",
            ftp.vhost.name()
        )
    );
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));

    ftp.vhost.delete_exchange("ftp")?;
    let outcome = ftp.tool.ftp_with(&["--put", "-"], b"x")?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Can't send the request: there is no exchange 'ftp' in virtual host '{}'; {create}",
            ftp.vhost.name()
        )
    );
    assert_eq!(outcome.code, Some(1));

    ftp.vhost.delete()?;
    for args in [
        &["--put", "-"][..],
        // Longer than the tool's end is waited for.
        &["--get", "-t", "1000"],
        &["--replay", "q"],
    ] {
        let outcome = ftp.tool.ftp_with(args, b"x")?;
        let port = ftp.vhost.amqp_port();
        assert_eq!(
            outcome.stderr,
            format!(
                "Can't connect to virtuahost!\nMake sure, that virtualhost is created.\n\
                 RabbitMQ at 127.0.0.1:{port} has no virtual host '{}'; {create}",
                ftp.vhost.name()
            )
        );
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    }
    Ok(())
}

#[test]
fn a_server_that_cannot_be_used_is_told_as_ever() -> Result<()> {
    let closed = ClosedPort::new()?;
    let node = RabbitNode::shared()?;
    let away = Tool::new()?.set("RABBITMQ_PORT", closed.port());
    let refused = Tool::of(node, "/")?.set("RABBITMQ_USER_PASSWORD", "wrong");
    for tool in [away, refused] {
        for args in [
            &["--put", "-"][..],
            &["--get"],
            &["--check"],
            &["--call", "-"],
            &["--purge", "q"],
        ] {
            let outcome = tool.ftp_with(args, b"x")?;
            assert!(
                outcome.stderr.starts_with("Can't connect to RabbitMQ!\n"),
                "{args:?}: {}",
                outcome.stderr
            );
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
        }
    }
    Ok(())
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_told() -> Result<()> {
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let tool = Tool::new()?.set("RABBITMQ_PORT", silent.local_addr()?.port());
    let outcome = tool.ftp_with(&["--put", "-", "--timeout", "0.5"], b"x")?;
    assert!(
        outcome.stderr.starts_with("Timeouted!\n"),
        "{}",
        outcome.stderr
    );
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    Ok(())
}
