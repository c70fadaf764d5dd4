//! What the tests of faults share.

use std::fs;

use anyhow::{Context, Result};
use edeposit_testkit::{
    Caller, DaemonUnderTest, FaultProxy, RabbitNode, RawRequest, Schema, Vhost, wait_until,
};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

pub const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;
/// What the daemon says, once for each new reason, when a session is lost or does not come about.
pub const NO_SESSION: &str = "no session with RabbitMQ; trying again until there is one";

/// A request that keeps its handler busy for some milliseconds.
pub fn sleep(milliseconds: u64) -> String {
    json!({ "__nt_name": "Sleep", "milliseconds": milliseconds }).to_string()
}

/// Settings by which the daemon notices everything soon.
pub fn quick() -> Value {
    json!({
        "RABBITMQ_HEARTBEAT": 1,
        "RABBITMQ_CONNECT_TIMEOUT": 1,
        "RABBITMQ_PUBLISH_TIMEOUT": 3,
    })
}

/// `quick()` with more.
pub fn quick_and(more: Value) -> Value {
    let mut all = quick();
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

/// A puppet that goes through a proxy, with the quick settings. Not started yet.
pub async fn proxied() -> Result<(World, FaultProxy)> {
    let world = World::puppet(&json!({})).await?;
    let proxy = FaultProxy::to(world.vhost.amqp_port())?;
    let settings = quick_and(json!({ "RABBITMQ_PORT": proxy.port() }));
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    Ok((world, proxy))
}

/// A puppet with a node of its own, to be maltreated; with the quick settings, not started yet. Keep the node longer than the world.
pub async fn alone() -> Result<(RabbitNode, World)> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("alone")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    node.flush_schema()?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(&vhost, "PUPPET", &quick())?;
    let world = World {
        daemon,
        vhost,
        schema,
    };
    Ok((node, world))
}

/// Waits until the log holds `text` more than `before` times, and returns how often it does now.
pub async fn until_logged(world: &World, text: &str, before: usize) -> Result<usize> {
    let count = || world.daemon.log().matches(text).count();
    let what = format!("the daemon logs '{text}'");
    wait_until(&what, PATIENCE, async || count() > before).await?;
    Ok(count())
}

/// Publishes a request and waits until it is in the daemon's hands.
pub async fn in_hand(world: &World, caller: &Caller, body: String) -> Result<RawRequest> {
    let request = caller.request(body);
    caller.publish(&request).await?;
    world.until_ready(0).await?;
    Ok(request)
}

/// Waits for the answer, and then until the request is settled and the daemon, and nobody else, consumes.
pub async fn answered(world: &World, caller: &Caller, request: &RawRequest) -> Result<Value> {
    let uuid = request.uuid().context("a UUID")?;
    let answer = caller.answer_to(&uuid, 2 * PATIENCE).await?;
    assert!(!answer.is_exception(), "{}", answer.text());
    wait_until("the request is settled", PATIENCE, async || {
        let queue = world.vhost.queue(&world.schema.input_queue);
        matches!(queue, Ok(Some(queue)) if queue.ready == 0 && queue.unacked == 0)
    })
    .await?;
    world.until_consuming().await?;
    // At least once: whatever else has come is the same answer.
    for again in caller.unclaimed() {
        assert_eq!(again.header("UUID").as_ref(), Some(&uuid));
        assert_eq!(again.json()?["text"], answer.json()?["text"]);
    }
    answer.json()
}

/// Waits until a queue holds so many messages.
pub async fn until_holds(vhost: &Vhost, queue: &str, messages: u32) -> Result<()> {
    let what = format!("{queue} holds {messages} messages");
    wait_until(
        &what,
        PATIENCE,
        async || matches!(vhost.depth(queue).await, Ok((now, _)) if now == messages),
    )
    .await
}

/// What a process takes of the system.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub threads: usize,
    pub descriptors: usize,
    /// In KiB.
    pub resident: u64,
}

impl Vitals {
    pub fn of(process: &str) -> Result<Vitals> {
        let count = |what: &str| -> Result<usize> {
            Ok(fs::read_dir(format!("/proc/{process}/{what}"))?.count())
        };
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|line| line.split_whitespace().next())
            .context("VmRSS")?;
        Ok(Vitals {
            threads: count("task")?,
            descriptors: count("fd")?,
            resident: resident.parse()?,
        })
    }

    /// Waits until threads and descriptors are no more than `self`'s; memory may have grown by 24 MiB: the client library's
    /// buffers of two connections are 16 MiB, taken as they are used.
    pub async fn until_again(&self, process: &str) -> Result<()> {
        let mut now = *self;
        wait_until("nothing has been left behind", PATIENCE, async || {
            if let Ok(vitals) = Vitals::of(process) {
                now = vitals;
            }
            now.threads <= self.threads
                && now.descriptors <= self.descriptors
                && now.resident <= self.resident + 24 * 1024
        })
        .await
        .with_context(|| format!("{self:?} before, {now:?} now"))
    }
}
