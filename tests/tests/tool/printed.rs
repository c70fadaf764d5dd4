//! Messages with all that the tool prints of them, and how its output is read.

use anyhow::{Context, Result};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;

pub const DASHES: &str =
    "-------------------------------------------------------------------------------";

pub fn headers(pairs: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in pairs {
        table.insert((*name).into(), value.clone());
    }
    table
}

pub fn plain() -> BasicProperties {
    BasicProperties::default()
}

/// What stands before each line of dashes, read as JSON.
pub fn messages(stdout: &str) -> Result<Vec<Value>> {
    let end = format!("\n{DASHES}\n\n");
    let rest = stdout.strip_suffix(&end).context("no dashes at the end")?;
    rest.split(&end)
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

pub fn bodies(stdout: &str) -> Result<Vec<String>> {
    Ok(messages(stdout)?
        .iter()
        .map(|message| message["body"].as_str().unwrap_or("no string").to_owned())
        .collect())
}
