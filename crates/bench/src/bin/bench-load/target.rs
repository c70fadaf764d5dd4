//! Who is asked, and how: what all measurements have in common.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use lapin::{Channel, Connection, ConnectionProperties};

use crate::protocol::Protocol;

/// Who is asked, and how.
#[derive(Args)]
pub struct Target {
    /// The virtual host's address.
    #[arg(long)]
    url: String,
    #[arg(long, value_enum)]
    pub protocol: Protocol,
    /// Length of the text to be echoed, in bytes.
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// Requests that the broker keeps on disk.
    #[arg(long)]
    pub persistent: bool,
    /// How long any answer may take, in seconds.
    #[arg(long, default_value_t = 60.0)]
    patience: f64,
}

impl Target {
    /// A connection and a channel of its own.
    pub async fn channel(&self) -> Result<(Connection, Channel)> {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    /// How long any answer may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.patience)
    }
}
