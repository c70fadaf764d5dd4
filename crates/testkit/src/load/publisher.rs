//! Publishes the requests of a load, until all are confirmed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::shared::{LOOK_EVERY, PAUSE, STEP_WITHIN, Shared};
use crate::End;

/// Goes on until all are published and confirmed.
pub(super) async fn run(shared: &Shared) {
    let mut window = Window::new(shared);
    while !is_done(shared) {
        // Why a session ended is no news: it is what the test is about.
        if window.session(shared).await.is_ok() {
            sleep(LOOK_EVERY).await;
        } else {
            window.give_up(shared);
            sleep(PAUSE).await;
        }
    }
    shared.publishing.cut(End::Fin);
}

fn planned(shared: &Shared) -> u64 {
    match shared.stop.load(Ordering::Relaxed) {
        true => shared.ledger.begun().0,
        false => shared.plan.requests,
    }
}

fn is_done(shared: &Shared) -> bool {
    let (begun, unconfirmed) = shared.ledger.begun();
    unconfirmed == 0 && begun >= planned(shared)
}

/// What waits for its confirm.
struct Window {
    waiting: Vec<u64>,
    next_at: Instant,
    every: Duration,
}

impl Window {
    fn new(shared: &Shared) -> Self {
        Self {
            waiting: Vec::new(),
            next_at: Instant::now(),
            every: shared
                .plan
                .rate
                .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
        }
    }

    /// One connection, from its beginning to the end of the load; an error is its loss.
    async fn session(&mut self, shared: &Shared) -> Result<()> {
        let (_connection, channel) = timeout(STEP_WITHIN, connect(shared)).await??;
        shared.ledger.publisher_connected();
        let mut confirms = FuturesUnordered::new();
        loop {
            let mut next = None;
            if confirms.len() < shared.plan.window && self.next_at <= Instant::now() {
                next = shared.ledger.next(planned(shared));
            }
            if let Some(number) = next {
                self.waiting.push(number);
                self.next_at = (self.next_at + self.every).max(Instant::now() - self.every);
                let confirm = timeout(STEP_WITHIN, publish(shared, &channel, number)).await??;
                confirms.push(async move { (number, confirm.await) });
                continue;
            }
            if confirms.is_empty() && is_done(shared) {
                return Ok(());
            }
            tokio::select! {
                Some((number, confirmation)) = confirms.next() => {
                    match confirmation? {
                        Confirmation::Ack(_) => shared.ledger.confirmed(number),
                        _ => shared.ledger.in_doubt(number),
                    }
                    self.waiting.retain(|waiting| *waiting != number);
                }
                () = sleep_until(self.next_at.max(Instant::now() + Duration::from_millis(1))),
                    if confirms.len() < shared.plan.window => {
                    if !channel.status().connected() {
                        bail!("the channel is gone");
                    }
                }
                () = sleep(STEP_WITHIN), if !confirms.is_empty() => bail!("no confirm in time"),
            }
        }
    }

    /// The connection is gone: whatever was not confirmed has to be published again.
    fn give_up(&mut self, shared: &Shared) {
        shared.publishing.cut(End::Reset);
        for number in self.waiting.drain(..) {
            shared.ledger.in_doubt(number);
        }
        self.next_at = Instant::now();
    }
}

async fn connect(shared: &Shared) -> Result<(Connection, Channel)> {
    let url = shared.url(&shared.publishing);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok((connection, channel))
}

async fn publish(
    shared: &Shared,
    channel: &Channel,
    number: u64,
) -> Result<impl Future<Output = lapin::Result<Confirmation>> + use<>> {
    let uuid = LongString::from(shared.ledger.uuid(number).to_string());
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), AMQPValue::LongString(uuid));
    let milliseconds = u64::try_from(shared.plan.work.as_millis()).unwrap_or(u64::MAX);
    let body = json!({ "__nt_name": "Count", "number": number, "milliseconds": milliseconds });
    channel
        .basic_publish(
            shared.schema.exchange.as_str().into(),
            shared.schema.in_key.as_str().into(),
            BasicPublishOptions::default(),
            body.to_string().as_bytes(),
            BasicProperties::default()
                .with_content_type("application/json".into())
                .with_delivery_mode(2)
                .with_headers(headers),
        )
        .await
        .context("publishing a request")
}
