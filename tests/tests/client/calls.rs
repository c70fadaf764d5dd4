//! Calls that nothing disturbs, and every end a call may have.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use edeposit_client::{Call, CallError, Client, ConnectError, Replies, Request};
use edeposit_testkit::{RabbitNode, wait_until};
use edeposit_tests::{Gate, PATIENCE, World};
use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Ask, Echoed, WAYS, client, echo, puppet, settings};

fn queues(world: &World) -> Result<Vec<String>> {
    let mut names: Vec<String> = world
        .vhost
        .list("queues")?
        .iter()
        .filter_map(|queue| Some(queue["name"].as_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn a_typed_call_each_way_leaves_nothing_behind() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    for replies in WAYS {
        let client = client(&world, replies).await?;
        let answer: Echoed = client.call(&echo("žluť")).await?;
        let expected = Echoed {
            text: "žluť".into(),
            redelivered: false,
        };
        assert_eq!(answer, expected, "{replies:?}");
        let raw = client
            .call_raw(br#"{"__nt_name": "Echo", "text": "raw"}"#.to_vec())
            .await?;
        assert!(String::from_utf8(raw)?.contains(r#""text":"raw""#));
        assert_eq!((client.in_flight(), client.unclaimed()), (0, 0));
        let reply_queues: Vec<Value> = world.vhost.list("queues")?;
        let mut reply_queues = reply_queues.iter().filter(|queue| {
            let name = queue["name"].as_str().unwrap_or_default();
            name.starts_with("edeposit-client-")
        });
        if replies != Replies::Direct {
            let queue = reply_queues.next().context("no queue")?;
            assert_eq!(queue["durable"], true);
            assert_eq!(queue["exclusive"], false);
            assert_eq!(queue["arguments"], json!({"x-expires": 1_800_000}));
        }
        assert_eq!(reply_queues.next(), None);
        client.close().await;
        assert_eq!(queues(&world)?, ["daemon", "plone"], "{replies:?}");
        let after: Result<Echoed, _> = client.call(&echo("x")).await;
        assert!(
            matches!(
                &after,
                Err(CallError::Lost {
                    request: Request::NotSent,
                    ..
                })
            ),
            "{after:?}"
        );
    }
    // The old callers' queue has not seen any of it.
    assert_eq!(world.vhost.depth("plone").await?.0, 0);
    Ok(())
}

#[tokio::test]
async fn progress_comes_before_the_answer_each_way() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    let request = || Ask::Vyhod {
        co: "send_back".into(),
    };
    for replies in WAYS {
        let client = client(&world, replies).await?;
        let mut call: Call<Value, Value> = client.call_with_progress(&request()).await?;
        let mut progress = Vec::new();
        while let Some(message) = call.next_progress().await? {
            progress.push(message);
        }
        assert_eq!(progress, [json!({"krok": 1}), json!("žluť")], "{replies:?}");
        assert_eq!(call.next_progress().await?, None);
        assert_eq!(call.answer().await?, Value::Null);

        // Who does not read progress gets the answer all the same.
        let call: Call<Value, Value> = client.call_with_progress(&request()).await?;
        assert_eq!(call.answer().await?, Value::Null);
        let answer: Value = client.call(&request()).await?;
        assert_eq!(answer, Value::Null);
        let mut raw = client
            .call_raw_with_progress(br#"{"__nt_name": "Vyhod", "co": "send_back"}"#.to_vec())
            .await?;
        assert_eq!(
            raw.next_progress().await?.as_deref(),
            Some(&b"{\"krok\":1}"[..])
        );
        assert_eq!(raw.answer().await?, b"null");
    }
    Ok(())
}

#[tokio::test]
async fn exceptions_each_way_also_after_progress() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    for replies in WAYS {
        let client = client(&world, replies).await?;
        let failed: Result<Value, _> = client
            .call(&Ask::Vyhod {
                co: "notfound".into(),
            })
            .await;
        let Err(CallError::Exception(exception)) = failed else {
            bail!("{failed:?}");
        };
        assert_eq!(exception.name, "DocumentNotFoundException");
        assert_eq!(
            exception.kind,
            "<class 'edeposit.amqp.aleph.aleph.DocumentNotFoundException'>"
        );
        assert_eq!(exception.message, "Document was deleted.");
        let traceback = exception.traceback.context("a traceback")?;
        assert!(traceback.starts_with("Traceback"), "{traceback}");

        let request = Ask::Vyhod {
            co: "send_back-then-raise".into(),
        };
        let mut call: Call<Value, Value> = client.call_with_progress(&request).await?;
        assert_eq!(call.next_progress().await?, Some(json!({"krok": 1})));
        let failed = call.next_progress().await;
        assert!(
            matches!(&failed, Err(CallError::Exception(e)) if e.message == "až potom"),
            "{failed:?}"
        );
        let failed: Result<Value, _> = client.call("no request").await;
        assert!(matches!(&failed, Err(CallError::Exception(e)) if e.name == "ValueError"));
    }
    Ok(())
}

/// A daemon as the original is: no mark on progress messages, no `reply_to`.
async fn original(world: &World, messages: &'static [&'static str]) -> Result<()> {
    let (connection, channel) = world.vhost.connect().await?;
    let no_ack = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let mut requests = channel
        .basic_consume("daemon".into(), "".into(), no_ack, FieldTable::default())
        .await?;
    tokio::spawn(async move {
        let _connection = connection;
        while let Some(Ok(request)) = requests.next().await {
            let key = request.routing_key.as_str().replace("request", "result");
            let headers = request.properties.headers().clone().unwrap_or_default();
            for message in messages {
                let properties = lapin::BasicProperties::default().with_headers(headers.clone());
                let options = BasicPublishOptions::default();
                let _ = channel
                    .basic_publish(
                        "puppet".into(),
                        key.as_str().into(),
                        options,
                        message.as_bytes(),
                        properties,
                    )
                    .await;
            }
        }
    });
    Ok(())
}

#[tokio::test]
async fn with_a_daemon_that_marks_nothing_the_types_tell() -> Result<()> {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Percent {
        percent: u8,
    }
    let world = World::puppet(&json!({})).await?;
    original(
        &world,
        &[
            r#"{"__nt_name": "Percent", "percent": 50}"#,
            r#"{"__nt_name": "Echoed", "text": "done", "redelivered": false}"#,
        ],
    )
    .await?;
    let client = client(&world, Replies::SharedExchange).await?;
    let mut call: Call<Percent, Echoed> = client.call_with_progress(&echo("x")).await?;
    assert_eq!(call.next_progress().await?, Some(Percent { percent: 50 }));
    assert_eq!(call.next_progress().await?, None);
    assert_eq!(call.answer().await?.text, "done");

    let surprised: Result<Call<Percent, Percent>, _> = client.call_with_progress(&echo("x")).await;
    assert_eq!(surprised?.answer().await?.percent, 50);
    let wrong: Result<Echoed, _> = client.call(&echo("x")).await;
    let Err(wrong @ CallError::Decode { .. }) = wrong else {
        bail!("{wrong:?}");
    };
    assert!(wrong.to_string().contains(r#""percent": 50"#), "{wrong}");
    Ok(())
}

#[tokio::test]
async fn a_deadline_says_what_is_known_of_the_request() -> Result<()> {
    let (world, client) = puppet(Replies::SharedExchange).await?;
    let gate = Gate::new(&world.daemon);
    let limit = Duration::from_secs(3);
    let late: Result<Echoed, _> = client.call_within(&gate, limit).await;
    let Err(late) = late else { bail!("{late:?}") };
    assert!(
        matches!(&late, CallError::TimedOut { request: Request::Confirmed, after } if *after == limit)
    );
    assert_eq!(
        late.to_string(),
        "no answer within 3 s; RabbitMQ has confirmed the request, so it will be carried out"
    );
    assert_eq!(client.in_flight(), 0);
    gate.open()?;
    wait_until("the late answer is counted", PATIENCE, async || {
        client.unclaimed() == 1
    })
    .await?;
    assert_eq!(world.vhost.depth("plone").await?.0, 0);
    Ok(())
}

#[tokio::test]
async fn a_full_client_makes_the_next_calls_wait() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    let settings = settings(&world.daemon)?;
    let client = Client::builder(&settings, "puppet")
        .max_in_flight(1)
        .connect()
        .await?;
    let gate = Gate::new(&world.daemon);
    let first: Call<Value, Echoed> = client.call_with_progress(&gate).await?;
    let refused: Result<Echoed, _> = client
        .call_within(&echo("x"), Duration::from_millis(100))
        .await;
    assert!(
        matches!(
            &refused,
            Err(CallError::TimedOut {
                request: Request::NotSent,
                ..
            })
        ),
        "{refused:?}"
    );
    let second = client.clone();
    let second = tokio::spawn(async move { second.call::<_, Echoed>(&echo("second")).await });
    gate.open()?;
    assert_eq!(first.answer().await?.text, "waited");
    assert_eq!(second.await??.text, "second");

    // A call that is dropped gives its place to the next.
    let gate = Gate::new(&world.daemon);
    let dropped: Call<Value, Echoed> = client.call_with_progress(&gate).await?;
    drop(dropped);
    let answer: Echoed = client.call_within(&echo("next"), PATIENCE).await?;
    assert_eq!(answer.text, "next");
    gate.open()
}

#[tokio::test]
async fn what_cannot_be_sent_is_said() -> Result<()> {
    let (world, client) = puppet(Replies::ReplyTo).await?;
    let huge: Result<Echoed, _> = client.call(&echo("x".repeat(129 << 20))).await;
    assert!(
        matches!(&huge, Err(CallError::TooLarge { .. })),
        "{:?}",
        huge.err()
    );
    let nan: Result<Echoed, _> = client.call(&f64::NAN).await;
    assert!(matches!(&nan, Err(CallError::Encode(_))), "{nan:?}");

    world.daemon.stop()?.success()?;
    world.vhost.delete_queue("daemon")?;
    let lost: Result<Echoed, _> = client.call(&echo("x")).await;
    let Err(lost @ CallError::Unroutable { .. }) = lost else {
        bail!("{lost:?}");
    };
    assert!(
        lost.to_string()
            .contains("edeposit_amqp_tool --host puppet --create"),
        "{lost}"
    );
    world.vhost.declare(&world.schema).await?;
    client
        .send(&echo("x"))
        .await
        .context("the same client goes on")?;

    world.vhost.delete_exchange("puppet")?;
    let refused = client.send(&echo("x")).await;
    let Err(refused @ CallError::Refused { .. }) = refused else {
        bail!("{refused:?}");
    };
    assert!(
        refused.to_string().contains("no exchange 'puppet'"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn fire_and_forget_answers_to_the_output_queue() -> Result<()> {
    for replies in WAYS {
        let (world, client) = puppet(replies).await?;
        let caller = world.caller().await?;
        let uuid = client.send(&echo("forgotten")).await?;
        let answer = caller.answer_to(&uuid, PATIENCE).await?;
        assert_eq!(answer.json()?["text"], "forgotten");
        assert_eq!((client.in_flight(), client.unclaimed()), (0, 0));
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_cannot_be_set_up_says_what_to_do() -> Result<()> {
    let world = World::puppet(&json!({
        "RABBITMQ_USER_NAME": "client-only",
        "RABBITMQ_USER_PASSWORD": "secret",
    }))
    .await?;
    RabbitNode::shared()?.create_user("client-only", "secret")?;
    let own = "^edeposit-client-.*$";
    world.vhost.permit(
        "client-only",
        own,
        "^(edeposit-client-.*|puppet|amq.default)$",
        ".*",
    )?;
    let Err(refused) = client(&world, Replies::SharedExchange).await else {
        bail!("it may not bind the queue 'daemon'");
    };
    let text = refused.to_string();
    assert!(
        text.contains("'*.request'") && text.contains("Replies::ReplyTo"),
        "{text}"
    );
    let named = |name: &'static str| {
        let settings = settings(&world.daemon);
        async move {
            Client::builder(&settings?, "puppet")
                .replies(Replies::ReplyTo)
                .name(name)
                .connect()
                .await
                .map_err(anyhow::Error::from)
        }
    };
    let _first = named("twin").await?;
    let Err(second) = named("twin").await else {
        bail!("two clients of one name");
    };
    assert!(second.to_string().contains("same name"), "{second}");
    let Err(dotted) = named("a.b").await else {
        bail!("a dot in a name");
    };
    assert!(matches!(
        dotted.downcast_ref(),
        Some(ConnectError::Name { .. })
    ));

    world.vhost.delete_queue("daemon")?;
    let world_settings = settings(&world.daemon)?;
    let Err(missing) = Client::connect(&world_settings, "puppet").await else {
        bail!("there is no queue");
    };
    assert!(
        missing.to_string().contains("no queue 'daemon'"),
        "{missing}"
    );
    Ok(())
}
