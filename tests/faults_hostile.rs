//! Requests made to do harm by their properties, and requests that are easily taken for others.

use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{DaemonUnderTest, RabbitNode, RawRequest, Schema, wait_for, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use rustix::process::Signal;
use serde_json::json;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;
const LONG: &str = r#"{"__nt_name": "Sleep", "milliseconds": 60000}"#;

fn with_properties(
    request: RawRequest,
    change: impl FnOnce(BasicProperties) -> BasicProperties,
) -> RawRequest {
    let properties = change(request.properties.clone());
    request.with_properties(properties)
}

/// Reply addresses that end the connection they are published on: only their own answers are lost.
#[tokio::test]
async fn fault_33_reply_addresses_that_end_connections() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    for address in ["", "AAAA.BBBB", "!!!", "g2dkAA1hQGI.x", ".", "a.b.c"] {
        let address = format!("amq.rabbitmq.reply-to.{address}");
        let request = with_properties(caller.request(ECHO), |properties| {
            properties.with_reply_to(address.as_str().into())
        });
        caller.publish(&request).await?;
        assert!(!caller.call(ECHO).await?.is_exception(), "{address}");
    }
    wait_until("all are settled", PATIENCE, async || {
        let queue = world.vhost.queue("daemon");
        queue.is_ok_and(|queue| queue.is_some_and(|queue| queue.ready + queue.unacked == 0))
    })
    .await?;
    world.daemon.stop()?.success()?;
    let log = world.daemon.log();
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    assert!(log.contains("ends the connection"), "{log}");
    Ok(())
}

/// A request that kills its process, and whose properties would multiply it, let it expire, or have it refused where it is
/// parked.
#[tokio::test]
async fn fault_34_poison_with_properties_that_act_again() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let mut copies = FieldArray::default();
    copies.push(AMQPValue::LongString("daemon".into()));
    let poison = caller
        .request(r#"{"__nt_name": "Abort"}"#)
        .with_header("x-delivery-count", AMQPValue::LongInt(99));
    let poison = with_properties(poison, |properties| {
        properties
            .with_user_id(RabbitNode::shared().map_or("", RabbitNode::user).into())
            .with_expiration("60000".into())
    });
    caller
        .publish(
            &poison
                .clone()
                .with_header("CC", AMQPValue::FieldArray(copies)),
        )
        .await?;
    wait_until("it is parked", 2 * PATIENCE, async || {
        if world.daemon.processes().is_empty() {
            let _ = world.daemon.start();
        }
        let parked = world.vhost.depth("daemon.parked").await;
        parked.is_ok_and(|(ready, _)| ready == 1)
    })
    .await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    assert_eq!(world.vhost.depth("daemon").await?, (0, 1));
    let (_connection, channel) = world.vhost.connect().await?;
    let parked = channel
        .basic_get("daemon.parked".into(), BasicGetOptions::default())
        .await?
        .context("nothing is parked")?;
    assert_eq!(parked.properties.expiration(), &None);
    let headers = parked.properties.headers().clone().unwrap_or_default();
    assert!(!headers.contains_key("CC"));
    assert_eq!(world.vhost.depth("daemon.parked").await?.0, 0, "once only");
    Ok(())
}

/// Two requests by reply_to without any id, alike but in the middle, with connections lost in between: each gets its own
/// answer.
#[tokio::test]
async fn requests_without_any_id_are_not_taken_for_each_other() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    world
        .vhost
        .declare_queue("replies", FieldTable::default())
        .await?;
    let (_connection, channel) = world.vhost.connect().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    for number in [1, 2] {
        let pad = " ".repeat(6000);
        let body = format!(
            r#"{{"__nt_name": "Count",{pad}"number": {number}, "milliseconds": 1500{pad}}}"#
        );
        channel
            .basic_publish(
                "puppet".into(),
                "request".into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_reply_to("replies".into()),
            )
            .await?
            .await?;
        world.until_ready(0).await?;
        // The daemon's only; ours stays.
        let ours = format!("pid {}", world.daemon.pid().context("a pid")?);
        close_connections_named(&world, &ours)?;
        let reply = wait_for("a reply", PATIENCE, async || {
            let got = channel.basic_get("replies".into(), BasicGetOptions { no_ack: true });
            Ok(got.await?)
        })
        .await?;
        let reply: serde_json::Value = serde_json::from_slice(&reply.data)?;
        assert_eq!(reply["number"], number);
        close_connections_named(&world, &ours)?;
        world.until_consuming().await?;
    }
    Ok(())
}

/// Closes the connections of this virtual host whose client calls itself so.
fn close_connections_named(world: &World, name: &str) -> Result<()> {
    let list =
        RabbitNode::shared()?.ctl(&["list_connections", "pid", "vhost", "client_properties"])?;
    for line in list.lines() {
        if line.contains(world.vhost.name()) && line.contains(name) {
            let pid = line.split_whitespace().next().context("a pid")?;
            // It may have gone by itself.
            let _ = RabbitNode::shared()?.ctl(&["close_connection", pid, "by the test"]);
        }
    }
    Ok(())
}

/// Stopped in order five times with the same long request in hand: an orderly end is no death, nothing is set aside.
#[tokio::test]
async fn orderly_ends_make_no_suspects() -> Result<()> {
    let world = World::puppet(&json!({ "RABBITMQ_DRAIN_TIMEOUT": 0.3 })).await?;
    let caller = world.start().await?;
    caller.publish(&caller.request(LONG)).await?;
    for _ in 0..5 {
        world.until_ready(0).await?;
        world.daemon.stop()?;
        world.until_ready(1).await?;
        world.daemon.start()?.success()?;
    }
    world.until_ready(0).await?;
    assert!(!world.daemon.log().contains("set aside and parked"));
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// Told to stop while the broker is away and a handler is still at work: the exit code tells that work was cut off.
#[tokio::test]
async fn fault_40_sigterm_in_back_off_with_a_handler_at_work() -> Result<()> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("stop")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let mut daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(&vhost, "PUPPET", &json!({}))?;
    daemon.start_in_foreground(&[])?;
    wait_until("it consumes", PATIENCE, async || {
        daemon.log().contains("daemon: consuming")
    })
    .await?;
    let caller = edeposit_testkit::Caller::connect(&vhost, &schema).await?;
    caller.publish(&caller.request(LONG)).await?;
    wait_until("it is in hand", PATIENCE, async || {
        vhost
            .depth("daemon")
            .await
            .is_ok_and(|(ready, _)| ready == 0)
    })
    .await?;
    node.kill()?;
    wait_until("the daemon notices", PATIENCE, async || {
        daemon.log().contains("no session with RabbitMQ")
    })
    .await?;
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.wait_foreground(Duration::from_secs(10))?, Some(75));
    node.start_again()?;
    Ok(())
}
