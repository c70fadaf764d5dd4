//! Faults of a way to the broker that stands.

use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{End, FaultProxy, Hole, LoadPlan, ProxiedConnection, Refusal, Way};
use edeposit_tests::{Gate, PATIENCE, World};
use serde_json::json;

use crate::world::{
    ECHO, NO_SESSION, Vitals, alone, answered, in_hand, proxied, until_holds, until_logged,
};

/// The node is frozen for longer than the heartbeat allows, with a request in hand, and thaws: a new session, the request
/// is answered, and one consumer is there.
#[tokio::test]
async fn fault_15_frozen_and_thawed() -> Result<()> {
    let (node, world) = alone().await?;
    world.daemon.start()?.success()?;
    let caller = world.caller().await?;
    // One is finished while the broker is away, so that its acknowledgement goes to a session that is gone; one is not.
    let gates = [Gate::new(&world.daemon), Gate::new(&world.daemon)];
    let short = in_hand(&world, &caller, gates[0].request()).await?;
    let long = in_hand(&world, &caller, gates[1].request()).await?;
    node.freeze()?;
    gates[0].open()?;
    until_logged(&world, NO_SESSION, 0).await?;
    node.thaw()?;
    world.until_consuming().await?;
    gates[1].open()?;
    // Nothing of the old session reaches the new one: a stale acknowledgement would close its channel.
    let caller = match caller.publish(&caller.request(ECHO)).await {
        Ok(()) => caller,
        Err(_) => world.caller().await?,
    };
    for request in [short, long] {
        let uuid = request.uuid().context("a UUID")?;
        caller.answer_to(&uuid, PATIENCE).await?;
    }
    world.until_consuming().await?;
    let log = world.daemon.log();
    assert!(!log.contains("PRECONDITION_FAILED"), "{log}");
    Ok(())
}

/// The two connections of the daemon's session: the consuming one, the publishing one.
fn session(proxy: &FaultProxy) -> Result<[ProxiedConnection; 2]> {
    let open = proxy.open();
    open.try_into()
        .map_err(|open: Vec<_>| anyhow::anyhow!("{} connections", open.len()))
}

/// At what stage of a request the way to the broker fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is in hand.
    BeforeDelivery,
    /// The handler works.
    Reacting,
    /// The handler works; of the session only the publishing connection fails.
    PublishedNotConfirmed,
    /// The handler works; of the session only the consuming connection fails.
    ConfirmedNotAcknowledged,
}

const STAGES: [Stage; 4] = [
    Stage::BeforeDelivery,
    Stage::Reacting,
    Stage::PublishedNotConfirmed,
    Stage::ConfirmedNotAcknowledged,
];

/// Has one way of a session fail at every stage of a request. Each time a new session is set up, over connections that are
/// sound, and the request is answered and settled.
async fn black_holes(way: Way) -> Result<()> {
    let (world, proxy) = proxied().await?;
    let caller = world.start().await?;
    for stage in STAGES {
        let told = world.daemon.log().matches(NO_SESSION).count();
        let [consuming, publishing] = session(&proxy)?;
        let gate = Gate::new(&world.daemon);
        let before = match stage {
            Stage::BeforeDelivery => None,
            _ => Some(in_hand(&world, &caller, gate.request()).await?),
        };
        match stage {
            Stage::BeforeDelivery | Stage::Reacting => {
                consuming.blackhole(way, Hole::Hold);
                publishing.blackhole(way, Hole::Hold);
            }
            Stage::PublishedNotConfirmed => publishing.blackhole(way, Hole::Hold),
            Stage::ConfirmedNotAcknowledged => consuming.blackhole(way, Hole::Hold),
        }
        gate.open()?;
        until_logged(&world, NO_SESSION, told).await?;
        let request = match before {
            Some(request) => request,
            None => {
                let request = caller.request(ECHO);
                caller.publish(&request).await?;
                request
            }
        };
        answered(&world, &caller, &request).await?;
        // What is held must not come back to life.
        consuming.cut(End::Reset);
        publishing.cut(End::Reset);
    }
    Ok(())
}

/// Nothing comes from the broker any more: the heartbeat notices, at every stage of a request.
#[tokio::test]
async fn fault_16_downstream_blackhole() -> Result<()> {
    black_holes(Way::Down).await
}

/// Nothing gets to the broker any more, which gives us up: as with the other direction.
#[tokio::test]
async fn fault_17_upstream_blackhole() -> Result<()> {
    black_holes(Way::Up).await
}

/// The daemon is stopped while nothing comes from the broker: its goodbye, too, is not waited for without end.
#[tokio::test]
async fn fault_16_stopped_in_a_downstream_blackhole() -> Result<()> {
    let (world, proxy) = proxied().await?;
    world.start().await?;
    proxy.blackhole(Way::Down, Hole::Hold);
    world.daemon.stop()?.success()?;
    Ok(())
}

/// The connection is reset in the middle of a body frame, a request's or an answer's: a new session, and the whole of it
/// arrives when the way is sound again.
#[tokio::test]
async fn fault_18_reset_in_a_body_frame() -> Result<()> {
    let (world, proxy) = proxied().await?;
    let caller = world.start().await?;
    let text = "x".repeat(500_000);
    let body = json!({ "__nt_name": "Echo", "text": text }).to_string();
    for way in [Way::Down, Way::Up] {
        // Far more than a set-up takes, and in the middle of the message.
        proxy.cut_after(way, 200_000, End::Reset);
        proxy.cut(End::Fin);
        world.until_consuming().await?;
        let told = world.daemon.log().matches("no session").count();
        let made = proxy.made();
        let request = caller.request(body.clone());
        caller.publish(&request).await?;
        edeposit_testkit::wait_until("the message is cut", PATIENCE, async || proxy.made() > made)
            .await?;
        assert!(world.daemon.log().matches("no session").count() >= told);
        proxy.heal();
        let answer = answered(&world, &caller, &request).await?;
        assert_eq!(
            answer["text"].as_str().map(str::len),
            Some(text.len()),
            "{way:?}"
        );
    }
    Ok(())
}

/// The broker ends its half of the connections, or we seem to have ended ours: a new session.
#[tokio::test]
async fn fault_18_half_closed() -> Result<()> {
    let (world, proxy) = proxied().await?;
    let caller = world.start().await?;
    for way in [Way::Down, Way::Up] {
        let told = world.daemon.log().matches(NO_SESSION).count();
        let gate = Gate::new(&world.daemon);
        let request = in_hand(&world, &caller, gate.request()).await?;
        proxy.half_close(way);
        until_logged(&world, NO_SESSION, told).await?;
        gate.open()?;
        answered(&world, &caller, &request).await?;
    }
    Ok(())
}

/// The way to the broker is up for a second and down for one, again and again, under load: no request is missing, and the
/// daemon takes no more threads, descriptors or memory than before.
#[tokio::test]
async fn fault_30_flapping() -> Result<()> {
    const ROUNDS: usize = 10;
    let (world, proxy) = proxied().await?;
    world.daemon.start()?.success()?;
    let load = LoadPlan::endless()
        .rate(50.0)
        .start(&world.vhost, &world.schema)?;
    // The first loss starts what the client library keeps.
    proxy.cut(End::Reset);
    until_logged(&world, NO_SESSION, 0).await?;
    world.until_consuming().await?;
    let process = world.daemon.pid().context("a pid")?.to_string();
    let before = Vitals::of(&process)?;
    for round in 0..ROUNDS {
        // Time is what is injected here.
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.refuse(if round % 2 == 0 {
            Refusal::Closed
        } else {
            Refusal::Reset
        })?;
        proxy.cut(if round % 3 == 0 { End::Fin } else { End::Reset });
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.accept()?;
    }
    world.until_consuming().await?;
    let account = load.finish_complete(2 * PATIENCE).await?;
    println!("{account}");
    assert_eq!(
        account.republished, 0,
        "the load's own way was sound\n{account}"
    );
    assert!(account.exceptions.is_empty(), "{account}");
    before.until_again(&process).await
}

/// Delays and a narrow way are no faults: no session is lost.
#[tokio::test]
async fn fault_30_slow_is_not_broken() -> Result<()> {
    let (world, proxy): (World, _) = proxied().await?;
    let caller = world.start().await?;
    proxy.delay(Way::Both, Duration::from_millis(150));
    proxy.throttle(Way::Both, Some(200_000));
    let body = json!({ "__nt_name": "Large", "bytes": 300_000 }).to_string();
    let request = caller.request(body);
    caller.publish(&request).await?;
    answered(&world, &caller, &request).await?;
    until_holds(&world.vhost, "daemon", 0).await?;
    assert!(!world.daemon.log().contains(NO_SESSION));
    Ok(())
}
