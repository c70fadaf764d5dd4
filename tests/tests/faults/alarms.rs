//! A broker that is short of memory or disk, impatient, or narrow. These change a whole node, so it is one of their own,
//! and they take turns.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Alarm, Caller, DaemonUnderTest, RabbitNode, Schema, Vhost, wait_until};
use edeposit_tests::{Gate, PATIENCE};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// RabbitMQ's own defaults.
const CONSUMER_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const FRAME_MAX: u32 = 131_072;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// A daemon on a node that this test alone uses now.
struct Turn {
    daemon: DaemonUnderTest,
    vhost: Vhost,
    schema: Schema,
    node: &'static RabbitNode,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    async fn new(settings: &Value) -> Result<Self> {
        static NODE: OnceLock<Result<RabbitNode, String>> = OnceLock::new();
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let node = NODE
            .get_or_init(|| RabbitNode::start().map_err(|e| format!("{e:#}")))
            .as_ref()
            .map_err(|e| anyhow::anyhow!("{e}"))?;
        let vhost = node.vhost("alarms")?;
        let schema = Schema::new("puppet");
        vhost.declare(&schema).await?;
        let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
        daemon.connect_to(&vhost, "PUPPET", settings)?;
        Ok(Self {
            daemon,
            vhost,
            schema,
            node,
            _turn: turn,
        })
    }

    async fn start(&self) -> Result<Caller> {
        self.daemon.start()?.success()?;
        Caller::connect(&self.vhost, &self.schema).await
    }

    /// Waits for words in the daemon's log.
    async fn until_logged(&self, words: &str) -> Result<()> {
        wait_until(words, PATIENCE, async || self.daemon.log().contains(words)).await
    }
}

/// The alarm is over, whatever becomes of the test.
struct Calm(&'static RabbitNode);

impl Drop for Calm {
    fn drop(&mut self) {
        let _ = self.0.clear(Alarm::Memory);
        let _ = self.0.clear(Alarm::Disk);
        let _ = self.0.set_consumer_timeout(CONSUMER_TIMEOUT);
        let _ = self.0.set_frame_max(FRAME_MAX);
    }
}

/// Publishing is blocked while four answers are on their way, longer than the limit for a confirm: one warning, nothing
/// fails; when the alarm is over all four are answered, once.
async fn blocked(alarm: Alarm) -> Result<()> {
    let turn = Turn::new(&json!({ "RABBITMQ_PUBLISH_TIMEOUT": 2 })).await?;
    let caller = turn.start().await?;
    caller.call(ECHO).await?;
    let gate = Gate::new(&turn.daemon);
    let mut uuids = Vec::new();
    for _ in 0..4 {
        let request = caller.request(gate.request());
        caller.publish(&request).await?;
        uuids.push(request.uuid().context("a UUID")?);
    }
    let _calm = Calm(turn.node);
    turn.node.raise(alarm)?;
    gate.open()?;
    turn.until_logged("RabbitMQ has blocked publishing").await?;
    // Longer than the limit for a confirm would allow.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(caller.unclaimed().is_empty(), "answered while blocked");
    turn.node.clear(alarm)?;
    for uuid in &uuids {
        assert!(!caller.answer_to(uuid, PATIENCE).await?.is_exception());
    }
    turn.daemon.stop()?.success()?;
    let log = turn.daemon.log();
    assert_eq!(
        log.matches("RabbitMQ has blocked publishing").count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches("RabbitMQ takes messages again").count(),
        1,
        "{log}"
    );
    assert!(!log.contains("no session with RabbitMQ"), "{log}");
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// Memory alarm: publishing waits, nothing fails.
#[tokio::test]
async fn fault_19_memory_alarm() -> Result<()> {
    blocked(Alarm::Memory).await
}

/// Disk alarm: the same.
#[tokio::test]
async fn fault_20_disk_alarm() -> Result<()> {
    blocked(Alarm::Disk).await
}

/// SIGTERM while an answer waits for the alarm to end: the daemon ends within its drain time, and the request is back.
#[tokio::test]
async fn fault_19_memory_alarm_during_sigterm() -> Result<()> {
    let mut turn = Turn::new(&json!({ "RABBITMQ_DRAIN_TIMEOUT": 2 })).await?;
    turn.daemon.start_in_foreground(&[])?;
    turn.until_logged("consuming").await?;
    let caller = Caller::connect(&turn.vhost, &turn.schema).await?;
    caller.call(ECHO).await?;
    let gate = Gate::new(&turn.daemon);
    let request = caller.request(gate.request());
    caller.publish(&request).await?;
    let _calm = Calm(turn.node);
    turn.node.raise(Alarm::Memory)?;
    gate.open()?;
    turn.until_logged("RabbitMQ has blocked publishing").await?;
    turn.daemon.signal(Signal::TERM)?;
    assert_eq!(turn.daemon.wait_foreground(PATIENCE)?, Some(75));
    turn.node.clear(Alarm::Memory)?;
    wait_until("the request is back", PATIENCE, async || {
        turn.vhost
            .depth("daemon")
            .await
            .is_ok_and(|depth| depth == (1, 0))
    })
    .await?;
    turn.daemon.start()?.success()?;
    let uuid = request.uuid().context("a UUID")?;
    // What the first process sent may have been on its way, unconfirmed: then there are two answers.
    assert!(!caller.answer_to(&uuid, PATIENCE).await?.is_exception());
    Ok(())
}

/// The broker does not wait longer than a second for an acknowledgement and closes the channel. The handler goes on, and
/// its answer is sent, once, when the request comes again.
#[tokio::test]
async fn fault_26_consumer_timeout() -> Result<()> {
    let turn = Turn::new(&json!({})).await?;
    let _calm = Calm(turn.node);
    turn.node.set_consumer_timeout(Duration::from_secs(1))?;
    let caller = turn.start().await?;
    let gate = Gate::new(&turn.daemon);
    let uuid = {
        let request = caller.request(gate.request());
        caller.publish(&request).await?;
        request.uuid().context("a UUID")?
    };
    turn.until_logged("consuming").await?;
    // The broker looks once a minute; this is what its timer does then.
    let look = "[begin Pid ! tick, ok end || Pid <- rabbit_channel:list()].";
    wait_until("the broker closes the channel", PATIENCE, async || {
        turn.node.eval(look).is_ok() && turn.daemon.log().contains("timed out")
    })
    .await?;
    turn.node.set_consumer_timeout(CONSUMER_TIMEOUT)?;
    gate.open()?;
    let answer = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(answer.json()?["redelivered"], false, "carried out once");
    turn.daemon.stop()?.success()?;
    assert!(caller.unclaimed().is_empty());
    assert_eq!(turn.vhost.depth("daemon").await?, (0, 0));
    Ok(())
}

/// A broker that takes frames of 8 KiB: long exceptions still fit, large answers come in many frames.
#[tokio::test]
async fn fault_27_small_frames() -> Result<()> {
    let turn = Turn::new(&json!({})).await?;
    let _calm = Calm(turn.node);
    turn.node.set_frame_max(8192)?;
    let caller = turn.start().await?;
    let text = "x".repeat(1_000_000);
    let panic = json!({ "__nt_name": "Panic", "message": text });
    let answer = caller.call(panic.to_string()).await?;
    assert!(answer.is_exception());
    assert!(answer.text().len() >= 1_000_000);
    let large = caller
        .call(r#"{"__nt_name": "Large", "bytes": 1000000}"#)
        .await?;
    assert!(!large.is_exception());
    assert!(!turn.daemon.log().contains("no session with RabbitMQ"));
    Ok(())
}
