//! The project's commands, run as `cargo xtask COMMAND`:
//!
//! - `demo` shows the main job: a daemon is started, asked, and stopped, all on this machine;
//! - `test` runs everything that must hold: format, lints, documentation, tests against a real RabbitMQ;
//! - `faults` injects random faults for minutes, and accounts for every request;
//! - `bench` measures speed and memory against peers and the practical limit;
//! - `broker` keeps a private RabbitMQ for one's own experiments;
//! - `new` makes a submodule.
//!
//! Each does all set-up by itself and says what it does, and leaves nothing running.

mod bench;
mod broker;
mod cargo;
mod demo;
mod faults;
mod new;
mod setup;
mod test;
mod view;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The project's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the main job: starts alephdaemon on a private RabbitMQ, asks it five things, stops it.
    Demo,
    /// Runs format check, clippy, documentation and all tests against a private RabbitMQ; or only the tests that are named.
    Test(test::Options),
    /// Injects random faults into a private RabbitMQ, a daemon and the network between them, under load, and accounts for
    /// every request.
    Faults(faults::Arguments),
    /// Runs a private RabbitMQ until Ctrl-C, for `cargo test` and experiments.
    Broker,
    /// Measures the daemon against bare lapin and Python's frameworks, about 15 minutes.
    Bench(bench::Options),
    /// Makes a submodule that works: crate, program, page of the documentation, tests.
    New(new::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo => until_finished(demo::run()),
        Command::Faults(arguments) => until_finished(faults::run(&arguments)),
        Command::Bench(options) => until_finished(bench::run(&options)),
        Command::New(options) => new::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Broker => until_interrupted(broker::run()).map(drop),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` to its end; to be interrupted is an error.
fn until_finished(work: impl Future<Output = Result<()>>) -> Result<()> {
    match until_interrupted(work)? {
        true => Ok(()),
        false => bail!("interrupted; all that was started is ended"),
    }
}

/// Runs `work` to its end, or drops it, and thereby all it started, when a signal asks us to end. Says whether it was
/// finished.
fn until_interrupted(work: impl Future<Output = Result<()>>) -> Result<bool> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            result = work => result.map(|()| true),
            _ = terminate.recv() => Ok(false),
            _ = interrupt.recv() => Ok(false),
            _ = hangup.recv() => Ok(false),
        }
    })
}
