//! The practical limit: the least code on bare lapin that does the echo, on one thread beside lapin's own.
//!
//! With `--confirms` it gives the guarantees of our daemon: answers persistent, mandatory and confirmed, and a request
//! acknowledged only when its answer is confirmed. Confirms are pipelined: any number of answers wait for theirs at once.
//! It does not look at returned messages, connects once and never again, and is of no use but to be measured.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use edeposit_bench::{Echo, Echoed, PAUSE_VARIABLE};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde::{Deserialize, Serialize};

/// An echo on bare lapin.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    url: String,
    #[arg(long)]
    prefetch: u16,
    /// Wait for the broker's confirm of an answer before acknowledging its request.
    #[arg(long)]
    confirms: bool,
}

#[derive(Deserialize)]
#[serde(tag = "__nt_name")]
enum Request {
    Echo(Echo),
}

#[derive(Serialize)]
#[serde(tag = "__nt_name")]
enum Response {
    Echoed(Echoed),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let pause = env::var(PAUSE_VARIABLE)
        .ok()
        .and_then(|pause| pause.parse().ok());
    let pause = Duration::from_millis(pause.unwrap_or(0));
    let connect = || Connection::connect(&arguments.url, ConnectionProperties::default());
    let consuming = connect().await?;
    let publishing = connect().await?;
    let output = publishing.create_channel().await?;
    if arguments.confirms {
        output
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
    }
    let input = consuming.create_channel().await?;
    input
        .basic_qos(arguments.prefetch, BasicQosOptions::default())
        .await?;
    let mut consumer = input
        .basic_consume(
            "daemon".into(),
            "bench".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let output = output.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(delivery, output, pause).await {
                eprintln!("{error:#}");
                std::process::exit(1);
            }
        });
    }
    Ok(())
}

async fn answer(delivery: Delivery, output: Channel, pause: Duration) -> Result<()> {
    let Request::Echo(Echo { text }) = serde_json::from_slice(&delivery.data)?;
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    let body = serde_json::to_vec(&Response::Echoed(Echoed { text }))?;
    let uuid = delivery.properties.headers().as_ref();
    let uuid = uuid
        .and_then(|headers| headers.inner().get("UUID"))
        .cloned();
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), uuid.unwrap_or(AMQPValue::Void));
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_headers(headers);
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let confirm = output
        .basic_publish("echo".into(), "result".into(), options, &body, properties)
        .await?;
    // Without confirm.select it is there at once.
    confirm.await.context("confirm")?;
    ensure!(
        delivery.acker.ack(BasicAckOptions::default()).await?,
        "the channel is gone"
    );
    Ok(())
}
