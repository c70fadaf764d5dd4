//! `cargo xtask bench`: how fast the daemon is, against its peers and the practical limit, in the same run on the same
//! private broker.
//!
//! Machines are shared and noisy, so single numbers mean little: every case runs all its subjects in turns, several
//! rounds, and what counts is the median of the rounds' ratios. `docs/performance.md` says what is compared with what.

mod case;
mod goals;
mod load;
mod measure;
mod peers;
mod process;
mod subject;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use edeposit_testkit::{RabbitNode, target_dir};

use crate::cargo::{cargo, run as run_command};
use crate::setup;
use case::Case;
use measure::{Bench, Results};
use subject::Subject;

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// A look in about two minutes: two short rounds.
    #[arg(long)]
    quick: bool,
    /// Only this case; may be repeated. Default: all but the soak.
    #[arg(long, value_enum)]
    case: Vec<Case>,
    /// Only this subject; may be repeated.
    #[arg(long, value_enum)]
    subject: Vec<Subject>,
    /// Rounds of each case [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// Requests of the soak, in thousands
    #[arg(long, default_value_t = 2000)]
    soak_thousands: usize,
    /// Put the tables into docs/performance.md.
    #[arg(long)]
    write: bool,
    /// Only the micro-benchmarks of serializers, MARC and MODS; needs no broker.
    #[arg(long)]
    micro: bool,
}

/// Runs it, or those parts the options name.
pub async fn run(options: &Options) -> Result<()> {
    if options.micro {
        return micro();
    }
    setup::make()?;
    setup::rabbitmq()?;
    run_command(&mut cargo(&[
        "build",
        "--release",
        "--package",
        "edeposit-bench",
    ]))?;
    let subjects = chosen(&options.subject);
    let cases: Vec<Case> = match &options.case[..] {
        [] => chosen(&[])
            .into_iter()
            .filter(|case| *case != Case::Soak)
            .collect(),
        some => some.to_vec(),
    };
    let python = match subjects.iter().any(Subject::is_python) {
        true => peers::python()?,
        false => PathBuf::new(),
    };
    println!("Starting a private RabbitMQ, about five seconds.");
    let node = RabbitNode::start()?;
    let bench = Bench::new(
        &node,
        target_dir()?.join("release"),
        python,
        subjects,
        options.rounds.unwrap_or(if options.quick { 2 } else { 5 }),
        if options.quick { 0.4 } else { 1.0 },
        options.soak_thousands,
    )?;
    let mut results = Results::default();
    for case in cases {
        println!("\n==> {case}: {}", case.about());
        let measured = bench.run(case).await?;
        println!("{}", table::of_case(case, &measured));
        results.insert(case, measured);
    }
    let goals = goals::table(&results);
    println!("==> goals\n{goals}");
    drop(bench);
    node.stop();
    if options.write {
        table::write(&results, &goals)?;
    }
    Ok(())
}

/// The named ones, or all.
fn chosen<T: ValueEnum + Clone>(named: &[T]) -> Vec<T> {
    match named {
        [] => T::value_variants().to_vec(),
        some => some.to_vec(),
    }
}

fn micro() -> Result<()> {
    for package in [
        "edeposit-serializers",
        "edeposit-marc",
        "edeposit-marcxml2mods",
    ] {
        run_command(&mut cargo(&["bench", "--package", package, "--benches"]))?;
    }
    Ok(())
}
