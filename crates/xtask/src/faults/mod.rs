//! `cargo xtask faults`: a daemon under load while random faults are injected, one after the other, with an account of
//! every request at the end.
//!
//! What is injected is in [`harm`]. Everything is this run's own: the RabbitMQ node, the test daemon, the proxy between
//! them. The seed decides which faults come in which order and for how long; what the machine does meanwhile, it cannot
//! decide.

mod harm;
mod pulse;
mod world;

use std::time::{Duration, Instant};

use crate::cargo::{cargo, run as run_command};
use crate::setup;
use anyhow::{Context, Result, bail};
use pulse::Pulse;
use world::{TOOL, World, rest};

/// What is to be done.
#[derive(clap::Args)]
pub struct Arguments {
    /// How long faults are injected
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,

    /// The seed of the faults; printed, to be given again [default: a random one]
    #[arg(long)]
    seed: Option<u64>,

    /// Leave out faults whose name begins with this, e.g. Daemon; may be repeated
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,

    /// Requests a second
    #[arg(long, default_value_t = 250.0)]
    rate: f64,

    /// Requests at once. With 1 it answers about 100 a second
    #[arg(long, default_value_t = 16)]
    prefetch: u16,
}

/// Runs it; errs if a request is missing.
pub async fn run(arguments: &Arguments) -> Result<()> {
    setup::make()?;
    setup::rabbitmq()?;
    run_command(&mut cargo(&[
        "build",
        "--package",
        "edeposit-tests",
        "--bins",
        "--package",
        TOOL,
    ]))?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    println!(
        "Faults for {} minutes with --seed {seed}.",
        arguments.minutes
    );

    let faults = harm::all(&arguments.without);

    let world = World::new(arguments.rate, arguments.prefetch).await?;
    let mut pulse = Pulse::default();
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(arguments.minutes * 60.0);
    while Instant::now() < end {
        let harm = random
            .choice(&faults)
            .copied()
            .context("no fault is left")?;
        println!("{:6.1} s  {harm}", begun.elapsed().as_secs_f64());
        harm.inflict(&world, &mut random)
            .await
            .with_context(|| format!("{harm} (--seed {seed})"))?;
        pulse.take(&world.daemon, begun.elapsed());
        rest(Duration::from_millis(random.u64(500..3000))).await;
        pulse.take(&world.daemon, begun.elapsed());
    }
    println!(
        "{:6.1} s  all faults are over",
        begun.elapsed().as_secs_f64()
    );
    let account = world.finish(&mut pulse).await?;
    println!("\n{account}\n{pulse}");
    match account.missing + account.unconfirmed {
        0 => Ok(()),
        _ => bail!("requests are missing (--seed {seed})"),
    }
}
