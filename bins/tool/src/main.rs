//! Lists E-deposit's submodules and creates their exchanges and queues in RabbitMQ.
//!
//! `cli` is the command line, `create` the schema and what is told about it, `vhost` the
//! connection to a virtual host that may have to be created first, `management` the HTTP API
//! that can do so.

mod cli;
mod create;
mod management;
mod vhost;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use edeposit_settings::{Settings, Submodule};

use cli::{Args, Host};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            remark(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Lists, and then does nothing else; or creates.
async fn run(args: &Args) -> Result<()> {
    let settings = Settings::load_from(args.settings.as_deref())?;
    for warning in settings.warnings() {
        remark(&format!("warning: {warning}"));
    }
    let host = args.host(&settings);
    if args.list {
        for name in settings.submodule_names() {
            say(&name);
        }
        return Ok(());
    }
    if !args.create {
        return Ok(());
    }
    match host {
        Some(host) => create::create(&settings, &chosen(&settings, host)?).await,
        None => bail!("--host is required parameter to --create"),
    }
}

fn chosen(settings: &Settings, host: Host) -> Result<Vec<Submodule>> {
    let names = match host {
        Host::All => settings.submodule_names(),
        Host::One(name) => vec![name],
    };
    let submodules = names.iter().map(|name| settings.submodule(name));
    Ok(submodules.collect::<Result<_, _>>()?)
}

/// Prints a line on standard output. A reader that has gone away must not stop the work half-way.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line that is not part of the documented output, on standard error.
fn remark(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
