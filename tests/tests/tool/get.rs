//! `--get` and `--peek`: what is printed of messages, and what becomes of them.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::types::{AMQPValue, FieldTable};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::runner::{Ftp, Outcome, Tool, finish};

use crate::printed::*;

/// The documented line, but for the consumer's tag, which is random.
#[tokio::test(flavor = "multi_thread")]
async fn get_prints_the_documented_lines() -> Result<()> {
    let ftp = Ftp::new().await?;
    let properties = plain()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_headers(headers(&[
            ("UUID", AMQPValue::LongString("u-9".into())),
            ("n", AMQPValue::LongInt(1)),
        ]));
    let body = "{\"a\": \"\u{10d}\"}";
    ftp.publish("ftp", "result", body, properties).await?;
    ftp.publish("ftp", "result", "", plain()).await?;
    let stdout = ftp.tool.ftp(&["--get", "-t", "1"])?.success()?;
    let (before, rest) = stdout.split_once("ctag1.").context("no ctag1")?;
    let (tag, _) = rest.split_once('\'').context("no end of the tag")?;
    assert!(before.ends_with("'consumer_tag="));
    let frame = |number| {
        format!(
            "<Basic.Deliver(['consumer_tag=ctag1.{tag}', 'delivery_tag={number}', \
             'exchange=ftp', 'redelivered=False', 'routing_key=result'])>"
        )
    };
    assert_eq!(
        stdout,
        format!(
            "{{\"body\": \"{{\\\"a\\\": \\\"\\u010d\\\"}}\", \"method_frame\": \"{}\", \
             \"properties\": \"<BasicProperties(['content_type=application/json', \
             'delivery_mode=2', \\\"headers={{'UUID': u'u-9', 'n': 1}}\\\"])>\"}}\n\
             {DASHES}\n\n\
             {{\"body\": \"\", \"method_frame\": \"{}\", \"properties\": \"<BasicProperties>\"}}\n\
             {DASHES}\n\n",
            frame(1),
            frame(2)
        )
    );
    assert_eq!(ftp.messages("plone").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn get_ends_when_no_message_came_for_so_long() -> Result<()> {
    let ftp = Ftp::new().await?;
    for timeout in ["0.3", "0"] {
        let outcome = ftp.tool.ftp(&["--get", "--timeout", timeout])?;
        assert_eq!(outcome.stderr, "Timeouted!\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));

        ftp.put("plone", "one", plain()).await?;
        ftp.put("plone", "two", plain()).await?;
        let stdout = ftp.tool.ftp(&["--get", "--timeout", timeout])?.success()?;
        assert_eq!(bodies(&stdout)?, ["one", "two"]);
        assert_eq!(ftp.messages("plone").await?, 0);
    }
    for timeout in ["x", "-1"] {
        let outcome = ftp.tool.ftp(&["--get", &format!("--timeout={timeout}")])?;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_out_counts_from_the_last_message() -> Result<()> {
    let ftp = Ftp::new().await?;
    let child = ftp
        .tool
        .command(&["--host", "ftp", "--get", "-t", "6"])?
        .stdout(Stdio::piped())
        .spawn()?;
    // Together longer than the time-out, each far shorter.
    for body in ["1", "2", "3", "4", "5", "6"] {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        ftp.publish("ftp", "result", body, plain()).await?;
    }
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        bodies(&String::from_utf8(output.stdout)?)?,
        ["1", "2", "3", "4", "5", "6"]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn get_without_a_time_out_waits_until_ctrl_c() -> Result<()> {
    let ftp = Ftp::new().await?;
    let mut child = ftp
        .tool
        .command(&["--host", "ftp", "--get"])?
        .stdout(Stdio::piped())
        .spawn()?;
    wait_until("it reads", PATIENCE, async || {
        matches!(ftp.vhost.depth("plone").await, Ok((_, 1)))
    })
    .await?;
    ftp.put("daemon", "not mine", plain()).await?;
    ftp.publish("ftp", "result", "mine", plain()).await?;
    wait_until("the message is acknowledged", PATIENCE, async || {
        let queue = ftp.vhost.queue("plone").ok().flatten();
        queue.is_some_and(|queue| queue.ready + queue.unacked == 0)
    })
    .await?;
    kill_process(Pid::from_child(&child), Signal::INT)?;
    assert_eq!(child.wait()?.code(), Some(0));
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .context("stdout")?
        .read_to_string(&mut stdout)?;
    let shown = stdout.strip_suffix('\n').context("no empty line")?;
    assert_eq!(bodies(shown)?, ["mine"]);
    assert_eq!(ftp.messages("daemon").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn count_ends_it_and_does_not_touch_the_next_message() -> Result<()> {
    let ftp = Ftp::new().await?;
    for body in ["1", "2", "3"] {
        ftp.put("plone", body, plain()).await?;
    }
    let stdout = ftp.tool.ftp(&["--get", "--count", "2"])?.success()?;
    assert_eq!(bodies(&stdout)?, ["1", "2"]);
    let rest = ftp.take("plone").await?;
    assert_eq!((rest.data.as_slice(), rest.redelivered), (&b"3"[..], false));

    let outcome = ftp.tool.ftp(&["--get", "--count", "2", "-t", "0.3"])?;
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(1), "Timeouted!\n")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn peek_leaves_the_messages_where_they_are() -> Result<()> {
    let ftp = Ftp::new().await?;
    assert_eq!(ftp.tool.ftp(&["--peek"])?.success()?, "");
    let waited = ftp.tool.ftp(&["--peek", "--timeout", "0.3"])?;
    assert_eq!(
        (waited.code, waited.stderr.as_str()),
        (Some(1), "Timeouted!\n")
    );
    for body in ["1", "2", "3"] {
        ftp.put("plone", body, plain()).await?;
    }
    let stdout = ftp.tool.ftp(&["--get", "--peek"])?.success()?;
    assert_eq!(bodies(&stdout)?, ["1", "2", "3"]);
    let stdout = ftp
        .tool
        .ftp(&["--peek", "--count", "2", "--json"])?
        .success()?;
    assert_eq!(stdout.lines().count(), 2);
    assert_eq!(ftp.messages("plone").await?, 3);
    let stdout = ftp.tool.ftp(&["--get", "-t", "0"])?.success()?;
    assert_eq!(bodies(&stdout)?, ["1", "2", "3"]);

    let outcome = ftp.tool.ftp(&["--peek", "--queue", "nowhere"])?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Can't read queue 'nowhere': virtual host '{}' does not have it. See what there is: \
             edeposit_amqp_tool --host ftp --check\n",
            ftp.vhost.name()
        )
    );
    assert_eq!(outcome.code, Some(1));
    let long = "x".repeat(256);
    for name in ["", &long] {
        let outcome = ftp.tool.ftp(&["--peek", "--queue", name])?;
        assert!(outcome.stderr.contains("is no queue's name"));
        assert_eq!(outcome.code, Some(1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_read_by_a_program() -> Result<()> {
    let ftp = Ftp::new().await?;
    let mut inner = FieldTable::default();
    inner.insert("deep".into(), AMQPValue::Boolean(true));
    let properties = plain()
        .with_content_type("application/json".into())
        .with_timestamp(5)
        .with_headers(headers(&[
            ("UUID", AMQPValue::LongString("č".into())),
            ("none", AMQPValue::Void),
            ("table", AMQPValue::FieldTable(inner)),
        ]));
    let body = "{\n  \"n\": 123456789012345678901234567890\n}";
    ftp.put("plone", body, properties).await?;
    ftp.put("plone", "No JSON object", plain()).await?;
    ftp.publish("", "plone", b"a\xff", plain()).await?;

    let tool = ftp
        .tool
        .command(&["--host", "ftp", "--get", "--json", "--count", "3"])?;
    let mut pipe = Command::new("python3");
    pipe.args([
        "-c",
        "import json, subprocess, sys\n\
         lines = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE).stdout\n\
         print(json.dumps([json.loads(line) for line in lines.splitlines()]))",
    ])
    .arg(tool.get_program())
    .args(tool.get_args())
    .envs(
        tool.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let stdout = finish(pipe, b"")?.success()?;
    assert!(stdout.contains("123456789012345678901234567890"));
    let read: Vec<Value> = serde_json::from_str(&stdout)?;
    assert_eq!(
        read[0]["properties"],
        json!({
            "content_type": "application/json",
            "timestamp": 5,
            "headers": {"UUID": "č", "none": null, "table": {"deep": true}},
        })
    );
    let frame = &read[0]["method_frame"];
    assert_eq!(frame["routing_key"], "plone");
    assert_eq!(frame["redelivered"], false);
    assert_eq!(frame["delivery_tag"], 1);
    assert_eq!(read[1]["body"], "No JSON object");
    assert_eq!(read[2]["body"], "a\u{fffd}");
    assert_eq!(read[2]["body_b64"], "Yf8=");
    assert_eq!(read.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_text_is_shown_in_base64_too() -> Result<()> {
    let ftp = Ftp::new().await?;
    ftp.publish("", "plone", b"a\xff", plain()).await?;
    let stdout = ftp.tool.ftp(&["--get", "-t", "1"])?.success()?;
    let message = &messages(&stdout)?[0];
    assert_eq!(message["body"], "a\u{fffd}");
    assert_eq!(message["body_b64"], "Yf8=");
    assert_eq!(ftp.messages("plone").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_reads_stays() -> Result<()> {
    let ftp = Ftp::new().await?;
    ftp.put("plone", "precious", plain()).await?;
    for args in [&["--get"][..], &["--get", "-t", "0"], &["--peek"]] {
        let mut command = ftp.tool.command(&[&["--host", "ftp"], args].concat())?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        assert_eq!(String::from_utf8(output.stderr)?, "");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        wait_until("the message is back", PATIENCE, async || {
            ftp.messages("plone").await.ok() == Some(1)
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_an_error_and_the_message_stays() -> Result<()> {
    let ftp = Ftp::new().await?;
    ftp.put("plone", "precious", plain()).await?;
    let full = fs::File::options().write(true).open("/dev/full")?;
    let output = ftp
        .tool
        .command(&["--host", "ftp", "--get"])?
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    assert_eq!(
        String::from_utf8(output.stderr)?,
        "Can't print a message; it stays in the queue: No space left on device (os error 28)\n"
    );
    assert_eq!(output.status.code(), Some(1));
    wait_until("the message is back", PATIENCE, async || {
        ftp.messages("plone").await.ok() == Some(1)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_while_it_is_read_ends_the_reading() -> Result<()> {
    let ftp = Ftp::new().await?;
    let child = ftp
        .tool
        .command(&["--host", "ftp", "--get"])?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    wait_until("it reads", PATIENCE, async || {
        matches!(ftp.vhost.depth("plone").await, Ok((_, 1)))
    })
    .await?;
    ftp.vhost.delete_queue("plone")?;
    let output = child.wait_with_output()?;
    assert_eq!(
        String::from_utf8(output.stderr)?,
        "RabbitMQ ended the reading of queue 'plone'; was it deleted?\n"
    );
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}

/// What the original's own tests do: put a request through the standard input, get the answer
/// with `--get --timeout 2`, read what stands before the last line of dashes.
#[tokio::test(flavor = "multi_thread")]
async fn the_originals_own_session() -> Result<()> {
    let world = World::aleph("http://127.0.0.1:9", &json!({})).await?;
    world.daemon.start()?.success()?;
    let node = RabbitNode::shared()?;
    let tool = Tool::of(node, "unused")?.set("RABBITMQ_ALEPH_VIRTUALHOST", world.vhost.name());
    let strict = Tool::of(node, "unused")?
        .set("RABBITMQ_ALEPH_VIRTUALHOST", world.vhost.name())
        .set("EDEPOSIT_TOOL_TIMEOUT_FAILS", "1");
    // With the variable set it ends as the Python tool did, which those tests expect.
    for (tool, code, said) in [(&tool, 0, ""), (&strict, 1, "Timeouted!\n")] {
        let put = tool.run_with(&["--host", "aleph", "--put", "-"], b"asd")?;
        assert_eq!(put.success()?, "");
        let Outcome {
            code: ended,
            stdout,
            stderr,
        } = tool.run(&["--host", "aleph", "--get", "--timeout", "2"])?;
        assert_eq!((ended, stderr.as_str()), (Some(code), said));
        let (line, _) = stdout.rsplit_once(DASHES).context("no dashes")?;
        let message: Value = serde_json::from_str(line)?;
        assert_eq!(message["body"], "No JSON object could be decoded");
        assert!(line.contains("ValueError"), "{line}");
    }
    let get = ["--host", "aleph", "--get", "-t", "0.2", "--timeout-fails"];
    assert_eq!(tool.run(&get)?.code, Some(1));
    Ok(())
}
