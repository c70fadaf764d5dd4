//! Many messages at once through one publisher, on a real broker: each gets its own verdict, whatever happens to the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{ConnectionParams, Outgoing, PublishError, Publisher, connect, get_con_params};
use edeposit_settings::Settings;
use edeposit_testkit::{
    Alarm, End, FaultProxy, Hole, PATIENCE, RabbitNode, Schema, Vhost, Way, wait_for,
};
use futures::StreamExt;
use lapin::options::BasicConsumeOptions;
use serde_json::json;
use tokio::task::JoinHandle;

const EXCHANGE: &str = "puppet";
const QUEUE: &str = "plone";
const KEY: &str = "result";

type Verdict = Result<(), PublishError>;

/// A virtual host with the usual schema.
async fn world() -> Result<Vhost> {
    let vhost = RabbitNode::shared()?.vhost("publisher")?;
    vhost.declare(&Schema::new(EXCHANGE)).await?;
    Ok(vhost)
}

/// Parameters for this port; a confirm may take so many seconds.
fn params(vhost: &Vhost, port: u16, publish_timeout: u32) -> Result<ConnectionParams> {
    let file = tempfile::NamedTempFile::new()?;
    let settings = json!({
        "RABBITMQ_HOST": "127.0.0.1",
        "RABBITMQ_PORT": port,
        "RABBITMQ_PUBLISH_TIMEOUT": publish_timeout,
    });
    std::fs::write(file.path(), settings.to_string())?;
    let settings = Settings::load_from(Some(file.path()))?;
    Ok(get_con_params(&settings, vhost.name())?)
}

async fn publisher(vhost: &Vhost, port: u16, publish_timeout: u32) -> Result<Arc<Publisher>> {
    let params = params(vhost, port, publish_timeout)?;
    Ok(Arc::new(Publisher::new(
        connect(&params).await?,
        &params,
        512,
    )))
}

fn message(body: &str) -> Outgoing {
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), AMQPValue::LongString(body.into()));
    headers.insert("number".into(), AMQPValue::LongInt(7));
    Outgoing {
        content_type: "application/json",
        headers,
        body: body.as_bytes().to_vec(),
        ..Outgoing::default()
    }
}

/// Publishes in a task of its own.
fn spawn(
    publisher: &Arc<Publisher>,
    exchange: &str,
    key: &str,
    body: String,
) -> JoinHandle<Verdict> {
    let publisher = Arc::clone(publisher);
    let (exchange, key) = (exchange.to_owned(), key.to_owned());
    tokio::spawn(async move { publisher.publish(&exchange, &key, &message(&body)).await })
}

/// Takes all messages out of a queue, until there are `least` and none is left: how often each body is there.
async fn take_all(vhost: &Vhost, queue: &str, least: usize) -> Result<HashMap<String, usize>> {
    let (connection, channel) = vhost.connect().await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let mut consumer = channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await?;
    let mut found = HashMap::new();
    let mut count = 0;
    loop {
        let pause = match count < least {
            true => PATIENCE,
            false => Duration::from_millis(300),
        };
        match tokio::time::timeout(pause, consumer.next()).await {
            Ok(Some(delivery)) => {
                *found.entry(String::from_utf8(delivery?.data)?).or_default() += 1;
                count += 1;
            }
            Ok(None) => bail!("the consumer has ended"),
            Err(_) if count < least => bail!("{count} of {least} messages came"),
            Err(_) => break,
        }
    }
    connection.close(200, "done".into()).await?;
    Ok(found)
}

/// Every message that no queue takes is returned to its own publisher, every other is confirmed and in the queue, once;
/// many equal ones among them, and publishers that go away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_gets_its_own_verdict() -> Result<()> {
    let vhost = world().await?;
    let publisher = publisher(&vhost, vhost.amqp_port(), 30).await?;
    for one_in in [100, 7, 2, 1] {
        let mut jobs = Vec::new();
        let mut routable = Vec::new();
        for number in 0..3000 {
            let good = number % one_in != 0;
            // Every fifth is like others.
            let body = match number % 5 {
                0 => format!("the same {}", number % 3),
                _ => format!("{one_in} {number}"),
            };
            let key = if good { KEY } else { "nobody" };
            if good {
                routable.push(body.clone());
            }
            jobs.push((good, spawn(&publisher, EXCHANGE, key, body)));
            if number % 10 == 3 {
                spawn(&publisher, EXCHANGE, "nobody", format!("given up {number}")).abort();
                let empty = Outgoing::default();
                let given_up = publisher.publish(EXCHANGE, "nobody", &empty);
                let soon = Duration::from_micros(number % 400);
                let _ = tokio::time::timeout(soon, given_up).await;
            }
        }
        for (good, job) in jobs {
            match job.await? {
                Ok(()) if good => {}
                Err(PublishError::Returned {
                    routing_key,
                    reason,
                    ..
                }) if !good => {
                    assert_eq!(
                        (routing_key.as_str(), reason.as_str()),
                        ("nobody", "NO_ROUTE")
                    );
                }
                other => panic!("{other:?}, routable: {good}, every {one_in} is not"),
            }
        }
        let mut found = take_all(&vhost, QUEUE, routable.len()).await?;
        for body in &routable {
            let left = found
                .get_mut(body)
                .with_context(|| format!("{body} is not there"))?;
            *left -= 1;
        }
        found.retain(|_, left| *left > 0);
        assert!(found.is_empty(), "too many: {found:?}");
    }
    Ok(())
}

/// An exchange is deleted while messages for it are on their way: they get their error, those for another exchange arrive.
/// If the broker ended the whole connection over it, the others are published again, as a session does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exchange_that_goes_denies_only_its_own_messages() -> Result<()> {
    let vhost = world().await?;
    let other = Schema {
        output_queue: "other".to_owned(),
        ..Schema::new("other")
    };
    vhost.declare(&other).await?;
    let mut publisher = publisher(&vhost, vhost.amqp_port(), 30).await?;
    let mut jobs = Vec::new();
    for number in 0..2000 {
        jobs.push((true, spawn(&publisher, EXCHANGE, KEY, format!("{number}"))));
        jobs.push((false, spawn(&publisher, "other", KEY, format!("{number}"))));
        if number == 1000 {
            vhost.delete_exchange("other")?;
        }
    }
    let (mut confirmed, mut denied) = (Vec::new(), 0);
    let (mut lost, mut lost_others) = (Vec::new(), 0);
    for (number, (stays, job)) in jobs.into_iter().enumerate() {
        let body = (number / 2).to_string();
        match job.await? {
            Ok(()) if stays => {}
            Ok(()) => confirmed.push(body),
            Err(PublishError::Denied { exchange, .. }) if !stays => {
                assert_eq!(exchange, "other");
                denied += 1;
            }
            Err(e) if e.is_session_lost() && stays => lost.push(body),
            Err(e) if e.is_session_lost() => lost_others += 1,
            other => panic!("{other:?}, to the exchange that stays: {stays}"),
        }
    }
    assert!(denied + lost_others >= 900, "{denied} {lost_others}");
    if !lost.is_empty() {
        publisher = self::publisher(&vhost, vhost.amqp_port(), 30).await?;
        for body in lost {
            publisher.publish(EXCHANGE, KEY, &message(&body)).await?;
        }
    }
    let found = take_all(&vhost, QUEUE, 2000).await?;
    assert_eq!(found.len(), 2000);
    assert!(found.values().all(|times| *times <= 3), "{found:?}");
    let found = take_all(&vhost, "other", confirmed.len()).await?;
    assert!(confirmed.iter().all(|body| found.contains_key(body)));
    // Afterwards all is as before.
    publisher.publish(EXCHANGE, KEY, &message("after")).await?;
    Ok(())
}

/// A queue is full and refuses: its messages wait and arrive when there is room, once; the others are not held up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_keeps_only_its_own_messages_waiting() -> Result<()> {
    let vhost = world().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(50));
    let overflow = AMQPValue::LongString("reject-publish".into());
    arguments.insert("x-overflow".into(), overflow);
    vhost.declare_queue("full", arguments).await?;
    vhost.bind("full", EXCHANGE, "full").await?;
    let publisher = publisher(&vhost, vhost.amqp_port(), 30).await?;
    let mut jobs = Vec::new();
    let mut held_up = Vec::new();
    for number in 0..1000 {
        jobs.push(spawn(&publisher, EXCHANGE, KEY, format!("{number}")));
        if number % 8 == 0 {
            held_up.push(spawn(&publisher, EXCHANGE, "full", format!("{number}")));
        }
    }
    for job in jobs {
        job.await??;
    }
    assert!(held_up.iter().any(|job| !job.is_finished()));
    let found = take_all(&vhost, "full", held_up.len()).await?;
    for job in held_up {
        job.await??;
    }
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    let found = take_all(&vhost, QUEUE, 1000).await?;
    assert!(found.len() == 1000 && found.values().all(|times| *times == 1));
    Ok(())
}

/// The connection is cut, or goes silent, in the middle: every publish ends in time, and what was confirmed is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_dies_leaves_nobody_waiting() -> Result<()> {
    for silent in [false, true] {
        let vhost = world().await?;
        let proxy = FaultProxy::to(vhost.amqp_port())?;
        let publisher = publisher(&vhost, proxy.port(), 2).await?;
        publisher.publish(EXCHANGE, KEY, &message("first")).await?;
        let mut jobs = Vec::new();
        for number in 0..2000 {
            let key = if number % 5 == 0 { "nobody" } else { KEY };
            jobs.push((
                number,
                spawn(&publisher, EXCHANGE, key, format!("{number}")),
            ));
        }
        let some = async || Ok((vhost.depth(QUEUE).await?.0 > 100).then_some(()));
        wait_for("the first have arrived", PATIENCE, some).await?;
        match silent {
            true => proxy.blackhole(Way::Both, Hole::Hold),
            false => assert!(proxy.cut(End::Reset) > 0),
        }
        let mut confirmed = vec!["first".to_owned()];
        for (number, job) in jobs {
            let good = number % 5 != 0;
            match tokio::time::timeout(PATIENCE, job).await?? {
                Ok(()) if good => confirmed.push(number.to_string()),
                Err(PublishError::Returned { .. }) if !good => {}
                Err(e) if e.is_session_lost() => {}
                other => panic!("{other:?}, routable: {good}"),
            }
        }
        let found = take_all(&vhost, QUEUE, confirmed.len()).await?;
        for body in &confirmed {
            assert!(
                found.contains_key(body),
                "{body} was confirmed and is not there"
            );
        }
        assert!(found.values().all(|times| *times == 1));
    }
    Ok(())
}

/// The broker blocks publishing for longer than a confirm may take: all wait, none fails, each arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_memory_alarm_is_waited_for() -> Result<()> {
    /// Seconds for a confirm: enough for 800 at once on a busy machine.
    const LIMIT: u32 = 10;
    // A node of its own: an alarm is the whole node's.
    let node = RabbitNode::start()?;
    let vhost = node.vhost("publisher")?;
    vhost.declare(&Schema::new(EXCHANGE)).await?;
    let params = params(&vhost, vhost.amqp_port(), LIMIT)?;
    let link = connect(&params).await?;
    let status = link.connection().status().clone();
    let mut events = link.connection().events_listener().boxed();
    let publisher = Arc::new(Publisher::new(link, &params, 512));
    let told = Arc::clone(&publisher);
    let telling = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if matches!(event, lapin::Event::ConnectionUnblocked) {
                told.unblocked();
            }
        }
    });
    publisher.publish(EXCHANGE, KEY, &message("first")).await?;
    node.raise(Alarm::Memory)?;
    let mut jobs = Vec::new();
    for number in 0..800 {
        let key = if number % 5 == 0 { "nobody" } else { KEY };
        jobs.push((
            number,
            spawn(&publisher, EXCHANGE, key, format!("{number}")),
        ));
    }
    // The broker says so when it gets a message that it does not want.
    let blocked = async || Ok(status.blocked().then_some(()));
    wait_for("publishing is blocked", PATIENCE, blocked).await?;
    // Longer than the limit for a confirm would allow.
    tokio::time::sleep(Duration::from_secs(LIMIT.into()) + Duration::from_secs(2)).await;
    let waiting = jobs.iter().filter(|(_, job)| !job.is_finished()).count();
    assert!(waiting > 700, "{waiting}");
    node.clear(Alarm::Memory)?;
    for (number, job) in jobs {
        match job.await? {
            Ok(()) if number % 5 != 0 => {}
            Err(PublishError::Returned { .. }) if number % 5 == 0 => {}
            other => panic!("{other:?}"),
        }
    }
    telling.abort();
    let found = take_all(&vhost, QUEUE, 641).await?;
    assert!(found.len() == 641 && found.values().all(|times| *times == 1));
    Ok(())
}
