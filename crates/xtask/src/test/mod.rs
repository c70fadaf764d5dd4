//! `cargo xtask test`: everything that must hold, step by step, with a summary; or only the tests that are named, with no
//! more built and set up than these need.

mod catalogue;
mod needs;
mod select;
mod steps;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use clap::Args;
use edeposit_testkit::{RabbitNode, SHARED_NODE_VARIABLE};

use crate::cargo::{cargo, run as run_command, workspace};
use crate::setup;
use catalogue::TestFunction;
use needs::Need;
use select::{Run, Selection, select};
use steps::Steps;

/// Environment variable with the Python that has pika, for tests that run a caller written in Python.
const PYTHON_VARIABLE: &str = "EDEPOSIT_TEST_PYTHON";

/// Which tests to run.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                        everything: format, lints, documentation, all tests
  cargo xtask test fault_34               the tests with fault_34 in their names, of whatever package
  cargo xtask test poison::               the tests of a module
  cargo xtask test tool faults            the test executables `tool` and `faults`
  cargo xtask test aleph edeposit-marc    all tests of two packages
  cargo xtask test fault_34 -- --nocapture
Named tests are built and set up alone: only their packages, the programs they run, and the servers they need.
With CI=true in the environment a test that cannot check its matter here fails; otherwise it says SKIPPED.")]
pub struct Options {
    /// Only these: a package, a test executable, or a part of test functions' names with their modules.
    names: Vec<String>,
    /// Lists all names instead: package, executable, function.
    #[arg(long)]
    list: bool,
    /// Only tests, without the other checks: cargo test's arguments behind `--`, such as --nocapture.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs all steps, or those that the named tests need. A failed step does not keep the next ones from running, unless they
/// need it.
///
/// # Errors
/// A step has failed, or there are no tests of a name.
pub fn run(options: &Options) -> Result<()> {
    if options.list {
        return list();
    }
    let mut steps = Steps::default();
    if !options.names.is_empty() {
        let selection = select(&functions()?, &options.names)?;
        steps.step("make", setup::make);
        named(&mut steps, &selection, &options.arguments);
        return steps.finish();
    }
    steps.step("make", setup::make);
    if options.arguments.is_empty() {
        checks(&mut steps);
    }
    let built = steps.step("build", || {
        run_command(&mut cargo(&["build", "--workspace", "--all-targets"]))
    });
    if built.is_some() {
        let mut all = vec!["--workspace"];
        all.extend(behind_dashes(None, &options.arguments));
        tests(&mut steps, &needs::all(), &[all]);
    }
    steps.finish()
}

/// All test functions of the workspace.
fn functions() -> Result<Vec<TestFunction>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version=1"])
        .output()
        .context("running cargo metadata")?;
    let metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    catalogue::read(&workspace(), &metadata)
}

fn list() -> Result<()> {
    for function in functions()? {
        let target = &function.target;
        println!("{} {} {}", target.package, target.name, function.name);
    }
    Ok(())
}

fn checks(steps: &mut Steps) {
    steps.step("toolchain", setup::rust_components);
    steps.step("format", || {
        run_command(&mut cargo(&["fmt", "--all", "--check"]))
    });
    steps.step("clippy", || {
        run_command(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.step("documentation", || {
        run_command(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
}

/// Builds what the tests need, and runs them.
fn named(steps: &mut Steps, selection: &Selection, arguments: &[String]) {
    let (needs, programs) = needs::of(selection.files());
    let built = steps.step("build", || {
        if !programs.is_empty() {
            let mut build = cargo(&["build"]);
            for program in &programs {
                build.args(["--package", program]);
            }
            run_command(&mut build)?;
        }
        for run in &selection.runs {
            run_command(cargo(&["test", "--no-run"]).args(run.cargo_arguments()))?;
        }
        Ok(())
    });
    if built.is_some() {
        let of_run = |run: &'_ Run| {
            let mut all = run.cargo_arguments();
            all.extend(behind_dashes(run.filter.as_deref(), arguments));
            all.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let runs: Vec<Vec<String>> = selection.runs.iter().map(of_run).collect();
        tests(steps, &needs, &runs);
    }
}

/// What stands behind `--`, with it; nothing at all if there is nothing.
fn behind_dashes<'a>(filter: Option<&'a str>, arguments: &'a [String]) -> Vec<&'a str> {
    let all: Vec<&str> = filter
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    match all.is_empty() {
        true => all,
        false => [vec!["--"], all].concat(),
    }
}

/// Sets up what is needed, and runs `cargo test` with each of these arguments.
fn tests<A: AsRef<str>>(steps: &mut Steps, needs: &BTreeSet<Need>, runs: &[Vec<A>]) {
    let mut node = None;
    for need in needs {
        let done = steps.step(need.name(), || {
            need.install()?;
            if *need == Need::RabbitMq {
                let started = RabbitNode::start()?;
                println!("It listens on 127.0.0.1:{}.", started.amqp_port());
                node = Some(started);
            }
            Ok(())
        });
        if done.is_none() && [Need::Python, Need::RabbitMq].contains(need) {
            return;
        }
    }
    steps.step("tests", || {
        let mut failed = Ok(());
        for arguments in runs {
            let mut command = cargo(&["test", "--no-fail-fast"]);
            command.args(arguments.iter().map(AsRef::as_ref));
            if let Some(node) = &node {
                command.env(SHARED_NODE_VARIABLE, serde_json::to_string(node.info())?);
            }
            if needs.contains(&Need::Python) {
                command.env(PYTHON_VARIABLE, setup::python()?);
            }
            failed = failed.and(run_command(&mut command));
        }
        failed
    });
    if let Some(node) = node {
        steps.step("end of the private RabbitMQ", || {
            node.stop();
            Ok(())
        });
    }
}
