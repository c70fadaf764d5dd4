//! A complete caller, with progress: `cargo run -p ask_greeter -- Jan`
//!
//! It needs the daemon of the example `greeter` running.

use anyhow::{Context, Result};
use edeposit_client::{Call, Client};
use edeposit_settings::Settings;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Greet {
    name: String,
}

#[derive(Deserialize)]
struct Progress {
    percent: u8,
}

#[derive(Deserialize)]
struct Greeting {
    text: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("usage: ask_greeter NAME")?;
    let client = Client::connect(&Settings::load()?, "greeter").await?;
    let mut call: Call<Progress, Greeting> = client.call_with_progress(&Greet { name }).await?;
    while let Some(Progress { percent }) = call.next_progress().await? {
        println!("{percent} %");
    }
    println!("{}", call.answer().await?.text);
    client.close().await;
    Ok(())
}
