//! What the tests of the client share.

use anyhow::Result;
use edeposit_client::{Client, Replies};
use edeposit_settings::Settings;
use edeposit_testkit::DaemonUnderTest;
use edeposit_tests::{PATIENCE, World};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Every way of getting answers.
pub const WAYS: [Replies; 3] = [Replies::SharedExchange, Replies::ReplyTo, Replies::Direct];

/// Requests of the puppet.
#[derive(Serialize)]
pub enum Ask {
    Echo { text: String },
    Sleep { milliseconds: u64 },
    Vyhod { co: String },
}

/// Its answer.
#[derive(Deserialize, Debug, PartialEq)]
pub struct Echoed {
    pub text: String,
    pub redelivered: bool,
}

pub fn echo(text: impl Into<String>) -> Ask {
    Ask::Echo { text: text.into() }
}

pub fn settings(daemon: &DaemonUnderTest) -> Result<Settings> {
    let file = daemon.home().join("edeposit/amqp.json");
    Ok(Settings::load_from(Some(&file))?)
}

pub async fn client(world: &World, replies: Replies) -> Result<Client> {
    let settings = settings(&world.daemon)?;
    let builder = Client::builder(&settings, "puppet").replies(replies);
    Ok(builder.deadline(PATIENCE).connect().await?)
}

/// A started puppet and a client of it.
pub async fn puppet(replies: Replies) -> Result<(World, Client)> {
    let world = World::puppet(&json!({})).await?;
    world.daemon.start()?.success()?;
    let client = client(&world, replies).await?;
    Ok((world, client))
}
