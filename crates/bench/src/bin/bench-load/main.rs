//! The load driver: keeps a number of requests in flight, pairs every answer with its request, and prints what it saw as
//! one line of JSON.
//!
//! It shares the machine with the broker and the daemon it measures, and therefore does as little as it can: a connection
//! for each direction, no confirms, no acknowledgements, answers are not parsed.

mod protocol;
mod run;
mod start;
mod tally;
mod target;

use anyhow::Result;
use clap::{Parser, Subcommand};

use target::Target;

/// Asks an echo daemon and measures its answers.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Declares what the protocol needs in the virtual host.
    Declare,
    /// Measures throughput and latency of a daemon that runs.
    Run(run::RunArguments),
    /// Measures a process from its start to its first answer, with the request waiting in the queue; then ends it.
    Start(start::StartArguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { target, command } = Arguments::parse();
    let (connection, channel) = target.channel().await?;
    target.protocol.declare(&channel).await?;
    connection.close(200, "declared".into()).await?;
    let result = match command {
        Command::Declare => return Ok(()),
        Command::Run(arguments) => serde_json::to_string(&run::run(&target, &arguments).await?)?,
        Command::Start(arguments) => {
            serde_json::to_string(&start::run(&target, &arguments).await?)?
        }
    };
    println!("{result}");
    Ok(())
}
