//! `--put`: sends a file's bytes as a request.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{BasicProperties, PERSISTENT};
use edeposit_settings::Submodule;
use uuid::Uuid;

use crate::broker::Broker;
use crate::context::Context;
use crate::publish::{NotSent, Publisher};

/// Sends what is in `file` as it is; `-` is the standard input. `within` bounds connecting and
/// sending together.
pub async fn put(
    context: &Context,
    submodule: &Submodule,
    file: &Path,
    within: Option<Duration>,
) -> Result<()> {
    let body = read(file)?;
    let sending = send(context, submodule, &body);
    match within.filter(|within| !within.is_zero()) {
        None => sending.await,
        Some(within) => match tokio::time::timeout(within, sending).await {
            Ok(result) => result,
            Err(_) => bail!(
                "Timeouted!\nRabbitMQ did not confirm the request within {} s; whether it arrived \
                 is not known.",
                within.as_secs_f32()
            ),
        },
    }
}

async fn send(context: &Context, submodule: &Submodule, body: &[u8]) -> Result<()> {
    let broker = Broker::connect(context, submodule).await?;
    let publisher = Publisher::beside(&broker).await?;
    let sent = publisher
        .publish(
            &submodule.exchange,
            &submodule.in_key,
            body,
            &properties(&Uuid::new_v4().to_string()),
        )
        .await;
    publisher.close().await;
    broker.close().await;
    sent.map_err(|error| explained(context, submodule, &error))
}

/// The properties of a request, as the original's tool sets them.
fn properties(uuid: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("UUID".into(), AMQPValue::LongString(uuid.into()));
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

fn explained(context: &Context, submodule: &Submodule, error: &NotSent) -> anyhow::Error {
    let failed = "Can't send the request";
    match error {
        NotSent::NoQueue { .. } | NotSent::NoExchange(_) => anyhow!(
            "{failed}: {error} in virtual host '{}'; run: {}",
            submodule.vhost,
            context.command(&submodule.name, "--create")
        ),
        _ => anyhow!("{failed}: {error}"),
    }
}

/// A file's content; `-` is the standard input.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut body)
    } else {
        File::open(file).and_then(|mut file| file.read_to_end(&mut body))
    };
    match read {
        Ok(_) => Ok(body),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("Can't open '{}'!", file.display())
        }
        Err(error) => bail!("Can't open '{}'!\n{error}", file.display()),
    }
}
