//! What a message can do to a daemon: nothing. Its caller hears of it, memory stays bounded, and the same process goes on.

mod bodies;
mod frames;
mod headers;

use std::fs;

use anyhow::{Context, Result, ensure};
use edeposit_testkit::{Answer, Caller, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// A daemon that is attacked, and must be the same process in the same session afterwards.
struct Target {
    world: World,
    caller: Caller,
    pid: i32,
}

impl Target {
    async fn new(settings: &serde_json::Value) -> Result<Self> {
        Self::start(World::puppet(settings).await?).await
    }

    async fn start(world: World) -> Result<Self> {
        let caller = world.start().await?;
        let pid = world.daemon.pid().context("a pid")?;
        Ok(Self { world, caller, pid })
    }

    /// A good request is answered by the same process.
    async fn lives(&self) -> Result<()> {
        let answer = self.caller.call(ECHO).await?;
        ensure!(answer.json()?["text"] == "x", "{}", answer.text());
        ensure!(self.world.daemon.pid() == Some(self.pid), "another process");
        Ok(())
    }

    /// At the end: everything is settled, and no session was lost.
    async fn is_unharmed(&self) -> Result<()> {
        self.lives().await?;
        wait_until("all requests are settled", PATIENCE, async || {
            matches!(self.world.vhost.queue("daemon"), Ok(Some(queue)) if queue.ready + queue.unacked == 0)
        })
        .await?;
        let log = self.world.daemon.log();
        ensure!(!log.contains("no session with RabbitMQ"), "{log}");
        ensure!(!log.contains("panic in thread amqp"), "{log}");
        Ok(())
    }

    /// Asks for an answer of so many bytes, and is told that the broker denies it.
    async fn is_denied(&self, bytes: u64) -> Result<()> {
        let body = format!(r#"{{"__nt_name": "Large", "bytes": {bytes}}}"#);
        let request = self.caller.request(body);
        self.caller.publish(&request).await?;
        let uuid = request.uuid().context("a UUID")?;
        let answer = self.caller.answer_to(&uuid, 2 * PATIENCE).await?;
        let (name, text) = exception(&answer);
        ensure!(name == "OverflowError", "{name}: {text}");
        ensure!(text.contains("RabbitMQ denies the answer"), "{text}");
        self.lives().await
    }

    /// The most memory the daemon has had so far, in kB.
    fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("VmHWM")?.parse()?)
    }
}

/// Name and text of the exception in an answer.
fn exception(answer: &Answer) -> (String, String) {
    let header = |name| answer.header(name).unwrap_or_default();
    (header("exception_name"), header("exception"))
}

/// A handler that panics: its caller has an exception, the others are served.
#[tokio::test]
async fn fault_35_a_handler_that_panics_costs_its_caller_an_exception_only() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    for _ in 0..20 {
        let answer = target
            .caller
            .call(r#"{"__nt_name": "Panic", "message": "oh no"}"#)
            .await?;
        let expected = (
            "RuntimeError".to_owned(),
            "The request made its handler fail: oh no".to_owned(),
        );
        assert_eq!(exception(&answer), expected);
    }
    assert!(target.world.daemon.log().contains("oh no"));
    target.is_unharmed().await
}

/// Handlers that wait for ever: each caller has a TimeoutError, and the places of all are free again.
#[tokio::test]
async fn fault_36_a_handler_that_never_returns() -> Result<()> {
    never_returns("Sleep").await
}

/// Handlers that block their thread for ever, more than there are threads: the same.
#[tokio::test]
async fn fault_36_a_handler_that_blocks_for_ever() -> Result<()> {
    never_returns("Block").await
}

async fn never_returns(kind: &str) -> Result<()> {
    // With one at a time, handlers and daemon share their threads.
    for prefetch in [1, 2] {
        none_returns(kind, prefetch)
            .await
            .with_context(|| format!("with a prefetch of {prefetch}"))?;
    }
    Ok(())
}

async fn none_returns(kind: &str, prefetch: u16) -> Result<()> {
    let settings = json!({ "RABBITMQ_PUPPET_HANDLER_TIMEOUT": 0.5, "RABBITMQ_PREFETCH": prefetch, "RABBITMQ_DRAIN_TIMEOUT": 1 });
    let target = Target::new(&settings).await?;
    for _ in 0..8 {
        let request = target.caller.request(format!(
            r#"{{"__nt_name": "{kind}", "milliseconds": 600000}}"#
        ));
        target.caller.publish(&request).await?;
    }
    for _ in 0..8 {
        let (name, text) = exception(&target.caller.next(PATIENCE).await?);
        assert_eq!(name, "TimeoutError");
        assert!(text.contains("0.5 s (RABBITMQ_HANDLER_TIMEOUT)"), "{text}");
    }
    target.is_unharmed().await?;
    target.world.daemon.stop()?.success()?;
    Ok(())
}

/// An answer that JSON has no form for: an exception in its place.
#[tokio::test]
async fn fault_37_an_answer_that_is_no_json() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    let answer = target
        .caller
        .call(r#"{"__nt_name": "Vyhod", "co": "unserializable"}"#)
        .await?;
    let expected = (
        "TypeError".to_owned(),
        "NaN is not JSON serializable".to_owned(),
    );
    assert_eq!(exception(&answer), expected);
    target.is_unharmed().await
}

/// The output queue is gone: answers are parked, requests settled, and with the queue back all is as before.
#[tokio::test]
async fn fault_39_the_output_queue_is_gone() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    target.world.vhost.delete_queue("plone")?;
    target.caller.publish(&target.caller.request(ECHO)).await?;
    target
        .caller
        .publish(&target.caller.request("no JSON"))
        .await?;
    wait_until("both answers are parked", PATIENCE, async || {
        matches!(target.world.vhost.queue("daemon.parked"), Ok(Some(queue)) if queue.ready == 2)
    })
    .await?;
    target.world.vhost.declare(&target.world.schema).await?;
    let world = &target.world;
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    assert_eq!(world.daemon.pid(), Some(target.pid));
    assert!(!world.daemon.log().contains("no session with RabbitMQ"));
    world.daemon.stop()?.success()?;
    let log = world.daemon.log();
    let parked = "no queue takes this answer; it is parked";
    assert_eq!(log.matches(parked).count(), 1, "once for the same reason");
    assert!(log.contains("1 more answers were parked"), "{log}");
    assert!(log.contains(" 2 parked"), "{log}");
    Ok(())
}
