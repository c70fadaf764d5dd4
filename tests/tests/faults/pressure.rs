//! More than the daemon can get rid of: large messages on a slow way to the broker, a broker that takes none, and faults that
//! befall every request. Memory and log must not grow with the number of requests.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{
    Alarm, Caller, DaemonUnderTest, FaultProxy, RabbitNode, Schema, Way, wait_until,
};
use edeposit_tests::{PATIENCE, World};
use lapin::BasicProperties;
use serde_json::json;

const PREFETCH: u64 = 8;
/// Of one body, in bytes.
const SIZE: usize = 5_000_000;
/// So often is a message in memory at most: the request's body as it comes in and as a value, the answer as a value, its
/// JSON in a buffer that has doubled as it grew, what the client library makes of it, and what the allocator does not give
/// back at once. Three to six have been measured.
const COPIES: u64 = 8;
/// Requests and answers together are several times as large as what may be taken.
const REQUESTS: usize = 100;
/// Bytes a second on the publishing connection.
const RATE: u32 = 40_000_000;

/// A daemon with a prefetch of [`PREFETCH`], whose publishing connection is slow.
struct Slow {
    world: World,
    caller: Caller,
    pid: i32,
    idle: u64,
    _proxy: FaultProxy,
}

impl Slow {
    async fn start(world: World) -> Result<Self> {
        let proxy = FaultProxy::to(world.vhost.amqp_port())?;
        let settings = json!({ "RABBITMQ_PORT": proxy.port(), "RABBITMQ_PREFETCH": PREFETCH });
        world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
        let caller = world.start().await?;
        let publishing = proxy.open().into_iter().max_by_key(|one| one.number());
        let publishing = publishing.context("no connection")?;
        publishing.throttle(Way::Up, Some(RATE));
        let pid = world.daemon.pid().context("a pid")?;
        Ok(Self {
            world,
            caller,
            pid,
            idle: peak(pid)?,
            _proxy: proxy,
        })
    }

    /// Publishes so many requests of this body, whose UUIDs it returns.
    async fn publish(&self, requests: usize, body: &str) -> Result<Vec<String>> {
        let mut uuids = Vec::new();
        for _ in 0..requests {
            let request = self.caller.request(body);
            self.caller.publish(&request).await?;
            uuids.push(request.uuid().context("a UUID")?);
        }
        Ok(uuids)
    }

    /// Every request has its answer of [`SIZE`], and no other came.
    async fn until_answered(&self, uuids: &[String]) -> Result<()> {
        for uuid in uuids {
            let answer = self.caller.answer_to(uuid, 2 * PATIENCE).await?;
            assert!(!answer.is_exception(), "{}", answer.text());
            assert!(answer.body.len() > SIZE);
        }
        wait_until("all is settled", PATIENCE, async || {
            let queue = self.world.vhost.queue("daemon");
            matches!(queue, Ok(Some(queue)) if queue.ready == 0 && queue.unacked == 0)
        })
        .await?;
        assert!(self.caller.unclaimed().is_empty(), "answered once");
        let log = self.world.daemon.log();
        assert!(!log.contains("no session with RabbitMQ"), "{log}");
        Ok(())
    }

    /// What it has taken at most beyond what it takes idle, in KiB; within the bound.
    fn taken(&self) -> Result<u64> {
        let taken = peak(self.pid)? - self.idle;
        let bound = PREFETCH * COPIES * SIZE as u64 / 1024;
        println!("{taken} KiB taken, at most {bound}; idle {}", self.idle);
        assert!(taken <= bound, "{taken} KiB, more than {bound}");
        Ok(taken)
    }
}

/// The most memory a process has ever had, in KiB.
fn peak(pid: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("VmHWM")?.parse()?)
}

/// Many requests of this body on a slow way out: what is taken is bounded by prefetch, size and copies, not by their number.
async fn under_pressure(body: &str) -> Result<()> {
    let slow = Slow::start(World::puppet(&json!({})).await?).await?;
    let uuids = slow.publish(REQUESTS, body).await?;
    slow.until_answered(&uuids).await?;
    slow.taken().map(drop)
}

fn large() -> String {
    json!({ "__nt_name": "Large", "bytes": SIZE }).to_string()
}

/// Answers of 5 MB come faster than they can be sent: the prefetch holds requests back, memory is bounded, all are answered.
#[tokio::test]
async fn large_answers_on_a_slow_way() -> Result<()> {
    under_pressure(&large()).await
}

/// The same with requests of 5 MB as well.
#[tokio::test]
async fn large_requests_on_a_slow_way() -> Result<()> {
    let echo = json!({ "__nt_name": "Echo", "text": "x".repeat(SIZE) });
    under_pressure(&echo.to_string()).await
}

/// A memory alarm in the middle of it: nothing more is taken while the broker takes nothing, and all are answered.
#[tokio::test]
async fn fault_19_large_answers_and_a_memory_alarm() -> Result<()> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("pressure")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    let slow = Slow::start(World {
        daemon,
        vhost,
        schema,
    })
    .await?;
    let uuids = slow.publish(REQUESTS, &large()).await?;
    let answered = slow.caller.answer_to(&uuids[5], PATIENCE).await?;
    assert!(!answered.is_exception());
    node.raise(Alarm::Memory)?;
    slow.until_logged("RabbitMQ has blocked publishing").await?;
    wait_until("status tells it", PATIENCE, async || {
        let status = slow.world.daemon.status();
        status.is_ok_and(|status| {
            status
                .stdout
                .contains("\npublishing blocked by RabbitMQ for ")
        })
    })
    .await?;
    slow.held_back().await?;
    node.clear(Alarm::Memory)?;
    let others = uuids.iter().filter(|uuid| **uuid != uuids[5]).cloned();
    slow.until_answered(&others.collect::<Vec<_>>()).await?;
    slow.taken()?;
    slow.world.daemon.stop()?.success()?;
    Ok(())
}

impl Slow {
    async fn until_logged(&self, words: &str) -> Result<()> {
        wait_until(words, PATIENCE, async || {
            self.world.daemon.log().contains(words)
        })
        .await
    }

    /// No more than the prefetch is in hand, for a while in which much more would come if it could.
    async fn held_back(&self) -> Result<()> {
        for _ in 0..15 {
            let queue = self.world.vhost.queue("daemon")?.context("no queue")?;
            assert!(queue.unacked <= PREFETCH, "{queue:?}");
            assert!(queue.ready > 0, "{queue:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

/// So many requests meet the same fault.
const STORM: usize = 500;

/// Publishes them, waits until they are settled, and stops the daemon, whose log it returns.
async fn storm(world: &World, caller: &Caller, with_uuid: bool) -> Result<String> {
    for _ in 0..STORM {
        let mut request = caller.request(r#"{"__nt_name": "Echo", "text": "x"}"#);
        if !with_uuid {
            request = request.with_properties(BasicProperties::default());
        }
        caller.publish(&request).await?;
    }
    wait_until("all is settled", PATIENCE, async || {
        let queue = world.vhost.queue("daemon");
        matches!(queue, Ok(Some(queue)) if queue.ready == 0 && queue.unacked == 0)
    })
    .await?;
    world.daemon.stop()?.success()?;
    Ok(world.daemon.log())
}

/// The binding is gone: every answer is parked and counted; the log has one line in full and the number of the others.
#[tokio::test]
async fn fault_23_a_storm_of_parked_answers_is_two_lines() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    world.vhost.unbind("plone", "puppet", "result").await?;
    let log = storm(&world, &caller, true).await?;
    assert_eq!(log.matches("it is parked").count(), 1, "{log}");
    assert!(log.contains("499 more answers were parked"), "{log}");
    assert!(log.contains(" 500 parked"), "{log}");
    assert_eq!(world.vhost.depth("daemon.parked").await?.0, 500);
    Ok(())
}

/// None of the requests has a UUID: the same.
#[tokio::test]
async fn fault_31_a_storm_without_uuids_is_two_lines() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let caller = world.start().await?;
    let log = storm(&world, &caller, false).await?;
    assert_eq!(log.matches("is not carried out").count(), 1, "{log}");
    assert!(log.contains("499 more requests without a usable"), "{log}");
    assert!(log.contains(" 500 dropped"), "{log}");
    Ok(())
}
