//! A window of requests in flight, for a time or a number of requests.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use futures::StreamExt;
use futures::future::{FutureExt, try_join_all};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use crate::protocol::{ANSWERS, Question};
use crate::tally::{Summary, Tally};
use crate::target::Target;

/// How much.
#[derive(Args)]
pub struct RunArguments {
    /// Requests in flight.
    #[arg(long)]
    window: usize,
    /// Stop sending after so many requests.
    #[arg(long, default_value_t = usize::MAX)]
    requests: usize,
    /// Stop sending after so many seconds.
    #[arg(long, default_value_t = 3600.0)]
    seconds: f64,
    /// Requests before the measured ones, not counted.
    #[arg(long, default_value_t = 1)]
    warm_up: usize,
}

pub async fn run(target: &Target, arguments: &RunArguments) -> Result<Summary> {
    let (_asking, output) = target.channel().await?;
    let (_listening, input) = target.channel().await?;
    let mut load = Load {
        target,
        question: target.protocol.question(target.bytes),
        output,
        answers: answers(&input).await?,
    };
    let mut warming = Tally::new();
    let hour = Duration::from_secs(3600);
    load.ask(&mut warming, arguments.window, arguments.warm_up, hour)
        .await?;
    let mut tally = Tally::new();
    let time = Duration::from_secs_f64(arguments.seconds);
    load.ask(&mut tally, arguments.window, arguments.requests, time)
        .await?;
    // A late second answer would be seen now.
    let after = Duration::from_millis(20);
    while let Ok(Some(answer)) = timeout(after, load.answers.next()).await {
        let (uuid, good) = target.protocol.read(&answer?);
        tally.answer(uuid, good);
    }
    Ok(tally.summary())
}

/// Consumes the answers, without acknowledging them.
pub async fn answers(channel: &Channel) -> Result<Consumer> {
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel
        .basic_consume(
            ANSWERS.into(),
            "bench-load".into(),
            options,
            FieldTable::default(),
        )
        .await?;
    Ok(consumer)
}

struct Load<'a> {
    target: &'a Target,
    question: Question,
    output: Channel,
    answers: Consumer,
}

impl Load<'_> {
    async fn ask(
        &mut self,
        tally: &mut Tally,
        window: usize,
        requests: usize,
        time: Duration,
    ) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            if tally.sent() < requests && Instant::now() < end {
                let room = window.saturating_sub(tally.in_flight());
                self.send(tally, room.min(requests - tally.sent())).await?;
            } else if tally.in_flight() == 0 {
                return Ok(());
            }
            let Ok(answer) = timeout(self.target.patience(), self.answers.next()).await else {
                return Ok(());
            };
            let mut next = Some(answer);
            // All that are here already, before anything is sent.
            while let Some(Some(answer)) = next {
                let (uuid, good) = self.target.protocol.read(&answer?);
                tally.answer(uuid, good);
                next = self.answers.next().now_or_never();
            }
            if let Some(None) = next {
                anyhow::bail!("the queue of answers is gone");
            }
            if tally.last().elapsed() > self.target.patience() {
                return Ok(());
            }
        }
    }

    async fn send(&self, tally: &mut Tally, count: usize) -> Result<()> {
        let Question {
            exchange,
            key,
            body,
        } = &self.question;
        let publishing = (0..count).map(|_| {
            let properties = self
                .target
                .protocol
                .properties(tally.send(), self.target.persistent);
            self.output.basic_publish(
                (*exchange).into(),
                (*key).into(),
                BasicPublishOptions::default(),
                body,
                properties,
            )
        });
        try_join_all(publishing.collect::<Vec<_>>()).await?;
        Ok(())
    }
}
