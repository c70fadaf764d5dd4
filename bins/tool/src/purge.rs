//! `--purge QUEUE`: deletes all messages of a queue, after asking.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Result, bail};
use edeposit_amqp::options::QueuePurgeOptions;
use edeposit_settings::Submodule;

use crate::broker::{Broker, queue_name};
use crate::context::Context;
use crate::output::{counted, remark, say};
use edeposit_amqp::quoted;

/// Deletes the messages, if the user agrees or has agreed already.
pub async fn purge(
    context: &Context,
    submodule: &Submodule,
    queue: &str,
    agreed: bool,
) -> Result<()> {
    let broker = Broker::connect(context, submodule).await?;
    let purged = run(&broker, queue, agreed).await;
    broker.close().await;
    purged
}

async fn run(broker: &Broker<'_>, queue: &str, agreed: bool) -> Result<()> {
    let depth = broker.depth(queue).await?;
    let there = format!(
        "{} of queue '{queue}' in virtual host '{}'",
        counted(depth.messages, "message"),
        broker.submodule.vhost
    );
    if !agreed && !io::stdin().is_terminal() {
        let again = format!("--purge {} --yes", quoted(queue));
        bail!(
            "Nothing purged: there is no terminal to ask whether to delete {there}. To delete \
             without being asked: {}",
            broker.context.command(&broker.submodule.name, &again)
        );
    }
    if !agreed && !asked(&format!("Delete {there}? [y/N]")) {
        bail!("Nothing purged.");
    }
    let channel = broker.channel().await?;
    let failed = format!("Can't purge queue '{queue}'");
    let purging = channel.queue_purge(queue_name(queue)?, QueuePurgeOptions::default());
    let purged = broker
        .within(&failed, purging)
        .await?
        .map_err(|error| broker.refused(&failed, &error))?;
    say(&format!(
        "Purged {} from queue '{queue}'.",
        counted(purged, "message")
    ));
    Ok(())
}

fn asked(question: &str) -> bool {
    remark(question);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
