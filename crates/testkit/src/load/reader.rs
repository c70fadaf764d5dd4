//! Reads the answers to a load.

use anyhow::{Context, Result};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::ledger::Read;
use super::shared::{PAUSE, STEP_WITHIN, Shared};
use crate::{Answer, End};

/// Deliveries that may wait for their acknowledgement.
const PREFETCH: u16 = 500;

/// Goes on until the load is over.
pub(super) async fn run(shared: &Shared) {
    loop {
        // Why a session ended is no news: it is what the test is about.
        let _ = session(shared).await;
        shared.reading.cut(End::Reset);
        sleep(PAUSE).await;
    }
}

/// One connection; it ends with its loss.
async fn session(shared: &Shared) -> Result<()> {
    let (_connection, mut consumer) = timeout(STEP_WITHIN, connect(shared)).await??;
    shared.ledger.reader_connected();
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let acker = delivery.acker.clone();
        note(shared, delivery);
        timeout(STEP_WITHIN, acker.ack(BasicAckOptions::default())).await??;
    }
    Ok(())
}

async fn connect(shared: &Shared) -> Result<(Connection, Consumer)> {
    let url = shared.url(&shared.reading);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let consumer = channel
        .basic_consume(
            shared.schema.output_queue.as_str().into(),
            "load".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .context("reading the answers")?;
    Ok((connection, consumer))
}

fn note(shared: &Shared, delivery: Delivery) {
    let redelivered = delivery.redelivered;
    let answer = Answer::from(delivery);
    let exception = answer.is_exception().then(|| {
        let name = answer.header("exception_name");
        name.or_else(|| answer.header("exception"))
            .unwrap_or_default()
    });
    shared.ledger.answered(&Read {
        uuid: &answer.header("UUID").unwrap_or_default(),
        execution: execution(&answer).unwrap_or(0),
        exception,
        redelivered,
    });
}

/// Which execution of the request this is from, if the answer says so.
fn execution(answer: &Answer) -> Option<u128> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let id = Uuid::try_parse(body.get("execution")?.as_str()?).ok()?;
    Some(id.as_u128())
}
