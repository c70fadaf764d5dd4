//! Many calls at once, and connections lost under them: every call ends in an answer or in an error that is true.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use edeposit_client::{Call, CallError, Client, Replies, Request, Sender};
use edeposit_testkit::{DaemonUnderTest, End, FaultProxy, RabbitNode, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{Ask, Echoed, WAYS, client, echo, puppet, settings};

/// The calls' outcomes: answers by number, and errors.
type Outcomes = (usize, Vec<CallError>);

/// So many calls at once, each with a text of its own, which its answer must repeat.
async fn flood(client: &Client, calls: usize) -> Result<Outcomes> {
    let mut flood = JoinSet::new();
    for number in 0..calls {
        let client = client.clone();
        flood.spawn(async move {
            let text = format!("call {number}");
            (text.clone(), client.call::<_, Echoed>(&echo(text)).await)
        });
    }
    let (mut answered, mut errors) = (0, Vec::new());
    while let Some(call) = flood.join_next().await {
        match call? {
            (text, Ok(answer)) => {
                assert_eq!(answer.text, text);
                answered += 1;
            }
            (_, Err(error)) => errors.push(error),
        }
    }
    Ok((answered, errors))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_at_once_over_one_client() -> Result<()> {
    const CALLS: usize = 10_000;
    let world = World::puppet(&json!({ "RABBITMQ_PREFETCH": 200 })).await?;
    world.daemon.start()?.success()?;
    for replies in WAYS {
        let client = client(&world, replies).await?.within(4 * PATIENCE);
        let start = Instant::now();
        let (answered, errors) = flood(&client, CALLS).await?;
        println!("{replies:?}: {CALLS} calls in {:?}", start.elapsed());
        assert_eq!(answered, CALLS, "{:?}", errors.first());
        assert_eq!((client.in_flight(), client.unclaimed()), (0, 0));
        // One connection to publish on and one to take answers from; direct answers come on the one, and the daemon has a
        // third for them.
        let daemons = if replies == Replies::Direct { 3 } else { 2 };
        let ours = world.vhost.connections()?.len() - daemons;
        assert_eq!(ours, if replies == Replies::Direct { 1 } else { 2 });
        client.close().await;
        wait_until("its connections are closed", PATIENCE, async || {
            let left = world.vhost.connections();
            left.is_ok_and(|left| left.len() == daemons)
        })
        .await?;
    }
    Ok(())
}

/// What must hold for calls that were under way when connections were lost.
fn check_errors(replies: Replies, errors: &[CallError]) {
    let mut counts = HashMap::new();
    for error in errors {
        *counts.entry(error.to_string()).or_insert(0) += 1;
        match error {
            // Sent, and the confirm was lost with the connection.
            CallError::Lost {
                request: Request::Unknown,
                ..
            } => {}
            CallError::Lost {
                request: Request::Confirmed,
                ..
            } if replies == Replies::Direct => {}
            other => panic!("{replies:?}: {other}"),
        }
    }
    println!("{replies:?}: {counts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_ends_when_the_connections_are_closed_in_the_middle() -> Result<()> {
    const CALLS: usize = 4000;
    for replies in WAYS {
        let (world, client) = puppet(replies).await?;
        let flooding = client.clone();
        let flooding = tokio::spawn(async move { flood(&flooding, CALLS).await });
        wait_until("calls are under way", PATIENCE, async || {
            let queue = world.vhost.queue("daemon");
            matches!(queue, Ok(Some(queue)) if queue.ready > 100)
        })
        .await?;
        // The broker learns of a new connection a little later than its client.
        let closing = wait_until("connections are closed", PATIENCE, async || {
            world
                .vhost
                .close_all_connections()
                .is_ok_and(|closed| closed >= 3)
        });
        closing.await?;
        let (answered, errors) = flooding.await??;
        assert_eq!(answered + errors.len(), CALLS);
        check_errors(replies, &errors);
        // A channel has one message in flight, so no more can be in doubt than there are channels; direct answers are lost.
        if replies != Replies::Direct {
            assert!(answered > 0);
            assert!(errors.len() <= 32, "{} errors", errors.len());
        }
        assert_eq!(client.in_flight(), 0);
        let again: Echoed = client.call(&echo("again")).await?;
        assert_eq!(again.text, "again");
    }
    Ok(())
}

/// A started puppet, and a client of it connected through a proxy.
async fn relayed(replies: Replies) -> Result<(World, FaultProxy, Client)> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    let proxy = FaultProxy::to(world.vhost.amqp_port())?;
    let through = json!({ "RABBITMQ_PORT": proxy.port() });
    world.daemon.connect_to(&world.vhost, "PUPPET", &through)?;
    let client = client(&world, replies).await?;
    Ok((world, proxy, client))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_ends_however_often_the_way_to_the_broker_is_cut() -> Result<()> {
    const CALLS: usize = 4000;
    for replies in WAYS {
        let (_world, proxy, client) = relayed(replies).await?;
        let client = client.within(4 * PATIENCE);
        let flooding = client.clone();
        let flooding = tokio::spawn(async move { flood(&flooding, CALLS).await });
        // The first cut hits the publishing, whatever is left the waiting.
        let mut cuts = 0;
        while !flooding.is_finished() && cuts < 4 {
            tokio::time::sleep(Duration::from_millis(70)).await;
            cuts += usize::from(proxy.cut(End::Fin) > 0);
        }
        assert!(cuts > 0);
        let (answered, errors) = flooding.await??;
        assert_eq!(answered + errors.len(), CALLS);
        println!("{cuts} cuts, {} errors", errors.len());
        check_errors(replies, &errors);
        if replies != Replies::Direct {
            assert!(errors.len() <= 32 * cuts, "{} errors", errors.len());
        }
        assert_eq!(client.in_flight(), 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_ends_when_the_broker_restarts_in_the_middle() -> Result<()> {
    const CALLS: usize = 10_000;
    let node = RabbitNode::start()?;
    let vhost = node.vhost("restart")?;
    vhost.declare(&Schema::new("puppet")).await?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(&vhost, "PUPPET", &json!({}))?;
    daemon.start()?.success()?;
    let settings = settings(&daemon)?;
    let mut floods = Vec::new();
    for replies in WAYS {
        let builder = Client::builder(&settings, "puppet").replies(replies);
        let client = builder.deadline(4 * PATIENCE).connect().await?;
        let flooding = tokio::spawn(async move { flood(&client, CALLS).await });
        floods.push((replies, flooding));
    }
    wait_until(
        "calls are under way",
        PATIENCE,
        async || matches!(vhost.queue("daemon"), Ok(Some(queue)) if queue.ready > 100),
    )
    .await?;
    node.ctl(&["stop_app"])?;
    node.ctl(&["start_app"])?;
    for (replies, flooding) in floods {
        let (answered, errors) = flooding.await??;
        assert_eq!(answered + errors.len(), CALLS);
        check_errors(replies, &errors);
        if replies != Replies::Direct {
            assert!(answered > 0);
            assert!(errors.len() <= 32, "{} errors", errors.len());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_confirmed_call_outlives_the_connection() -> Result<()> {
    for replies in WAYS {
        let (world, proxy, client) = relayed(replies).await?;
        let slow = Ask::Sleep { milliseconds: 1000 };
        let call: Call<Value, Echoed> = client.call_with_progress(&slow).await?;
        world.until_ready(0).await?;
        assert!(proxy.cut(End::Fin) > 0);
        match (replies, call.answer().await) {
            (
                Replies::Direct,
                Err(CallError::Lost {
                    request: Request::Confirmed,
                    reason,
                }),
            ) => {
                assert!(reason.contains("was lost"), "{reason}");
            }
            (Replies::SharedExchange | Replies::ReplyTo, Ok(answer)) => {
                assert_eq!(answer.text, "slept");
            }
            (replies, other) => bail!("{replies:?}: {other:?}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sender_sends_confirmed_or_says_that_it_did_not() -> Result<()> {
    #[derive(Serialize)]
    struct Upload {
        user: &'static str,
    }
    let world = World::puppet(&json!({})).await?;
    let caller = world.caller().await?;
    let proxy = FaultProxy::to(world.vhost.amqp_port())?;
    let through = json!({ "RABBITMQ_PORT": proxy.port() });
    world.daemon.connect_to(&world.vhost, "PUPPET", &through)?;
    let sender = Sender::connect(&settings(&world.daemon)?, "puppet").await?;
    let uuid = sender.send_response(&Upload { user: "jan" }).await?;
    let event = caller.answer_to(&uuid, PATIENCE).await?;
    assert_eq!(event.json()?, json!({"__nt_name": "Upload", "user": "jan"}));
    assert_eq!(event.delivery_mode(), Some(2));

    let lost = sender
        .send_message("puppet", "nowhere", b"{}".to_vec())
        .await;
    assert!(
        matches!(&lost, Err(CallError::Unroutable { .. })),
        "{lost:?}"
    );
    let refused = sender.send_message("none", "result", b"{}".to_vec()).await;
    assert!(
        matches!(&refused, Err(CallError::Refused { .. })),
        "{refused:?}"
    );
    let long = sender
        .send_message("puppet", &"x".repeat(256), b"{}".to_vec())
        .await;
    assert!(
        matches!(&long, Err(CallError::NameTooLong { .. })),
        "{long:?}"
    );

    // The connection comes back by itself.
    assert_eq!(proxy.cut(End::Fin), 1);
    let mut sent = Err(CallError::Refused {
        reason: String::new(),
    });
    for _ in 0..2 {
        sent = sender.send_response(&Upload { user: "eva" }).await;
        match &sent {
            // The loss was noticed only by sending.
            Err(CallError::Lost {
                request: Request::Unknown,
                ..
            }) => {}
            _ => break,
        }
    }
    assert_eq!(
        caller.answer_to(&sent?, PATIENCE).await?.json()?["user"],
        "eva"
    );

    drop(proxy);
    let sender = sender.deadline(Duration::from_millis(500));
    let mut away = sender.send_response(&Upload { user: "ota" }).await;
    if matches!(&away, Err(CallError::Lost { .. })) {
        away = sender.send_response(&Upload { user: "ota" }).await;
    }
    assert!(
        matches!(
            &away,
            Err(CallError::TimedOut {
                request: Request::NotSent,
                ..
            })
        ),
        "{away:?}"
    );
    assert!(caller.unclaimed().is_empty());
    Ok(())
}
