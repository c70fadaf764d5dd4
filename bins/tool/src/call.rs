//! `--call`: sends a request and waits for what comes of it.
//!
//! The answer comes to a queue of this call alone, so it neither takes other callers' answers nor
//! is taken by them, whatever daemon answers. `edeposit_client` sees to that.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use edeposit_client::{CallError, Client, ConnectError, Exception, RawCall};
use edeposit_settings::Submodule;

use crate::broker;
use crate::context::Context;
use crate::message::one_line;
use crate::output::{self, remark};
use crate::put;
use crate::schema::parked_name;

/// The request ended in an exception.
const EXCEPTION: u8 = 2;
/// No answer came in time.
const TIMEOUT: u8 = 3;
/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Sends what is in `file` as it is and prints progress messages and the answer, a line each.
pub async fn call(
    context: &Context,
    submodule: &Submodule,
    file: &Path,
    within: Option<Duration>,
) -> Result<ExitCode> {
    let body = put::read(file)?;
    let client = Client::builder(&context.settings, &submodule.name)
        .deadline(within.unwrap_or(submodule.handler_timeout))
        .connect()
        .await
        .map_err(|error| not_connected(context, submodule, error))?;
    let ended = tokio::select! {
        ended = run(&client, body) => ended,
        _ = tokio::signal::ctrl_c() => {
            remark("Interrupted; if the request was sent, it will be carried out.");
            client.close().await;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    client.close().await;
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(CallError::Exception(exception)) => {
            remark(&described(&exception));
            Ok(ExitCode::from(EXCEPTION))
        }
        Err(error @ CallError::TimedOut { .. }) => {
            remark(&format!(
                "Timeouted! {error}. A daemon that answers later parks its answer in queue '{}'.",
                parked_name(&submodule.input_queue)
            ));
            Ok(ExitCode::from(TIMEOUT))
        }
        Err(error) => Err(anyhow!("Can't call {}: {error}", submodule.name)),
    }
}

async fn run(client: &Client, body: Vec<u8>) -> Result<(), CallError> {
    let mut call: RawCall = client.call_raw_with_progress(body).await?;
    while let Some(progress) = call.next_progress().await? {
        print(&progress);
    }
    print(&call.answer().await?);
    Ok(())
}

/// A message as a line. The request is on its way, so a reader that is gone changes nothing.
fn print(body: &[u8]) {
    let line = str::from_utf8(body).ok().and_then(one_line);
    let mut line = line.map_or_else(|| body.to_vec(), String::into_bytes);
    line.push(b'\n');
    let _ = output::write_bytes(&line);
}

/// Name, message and traceback.
fn described(exception: &Exception) -> String {
    match &exception.traceback {
        Some(traceback) => format!("{exception}\n{}", traceback.trim_end()),
        None => exception.to_string(),
    }
}

fn not_connected(context: &Context, submodule: &Submodule, error: ConnectError) -> anyhow::Error {
    match error {
        ConnectError::Broker(error) => match broker::params(context, submodule) {
            Ok(params) => broker::not_connected(context, submodule, &params, &error),
            Err(error) => error,
        },
        error => error.into(),
    }
}
