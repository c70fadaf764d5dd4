//! `cargo xtask test`: everything that must hold, step by step, with a summary.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use edeposit_testkit::{RabbitNode, SHARED_NODE_VARIABLE};

use crate::cargo::{cargo, run as run_command};
use crate::setup;

/// Environment variable with the Python that has pika, for tests that run a caller written in Python.
const PYTHON_VARIABLE: &str = "EDEPOSIT_TEST_PYTHON";

/// What was done, and how it went.
#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration, Result<()>)>,
}

impl Steps {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        println!("\n==> {name}");
        let start = Instant::now();
        let (value, result) = match work() {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => {
                eprintln!("{error:#}");
                (None, Err(error))
            }
        };
        self.done.push((name, start.elapsed(), result));
        value
    }

    fn finish(self) -> Result<()> {
        println!("\n==> summary");
        let mut failed = 0;
        for (name, time, result) in self.done {
            let (word, reason) = match result {
                Ok(()) => ("ok    ", String::new()),
                Err(error) => {
                    failed += 1;
                    let text = error.to_string();
                    let reason = text.lines().next().unwrap_or_default();
                    ("FAILED", format!("  ({reason})"))
                }
            };
            println!("{word} {:6.1} s  {name}{reason}", time.as_secs_f64());
        }
        match failed {
            0 => Ok(()),
            1 => bail!("1 step failed"),
            many => bail!("{many} steps failed"),
        }
    }
}

/// Runs all steps; with `arguments` for the tests only the tests. A failed step does not keep the next ones from running,
/// unless they need it.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    steps.step("make", setup::make);
    if arguments.is_empty() {
        checks(&mut steps);
    }
    let built = steps.step("build", || {
        run_command(&mut cargo(&["build", "--workspace", "--all-targets"]))
    });
    if built.is_some() {
        tests(&mut steps, arguments);
    }
    steps.finish()
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

fn tests(steps: &mut Steps, arguments: &[String]) {
    let Some(python) = steps.step("Python caller", setup::python) else {
        return;
    };
    steps.step("converter of e-books", setup::calibre);
    // Without it one test says that it has not checked anything.
    steps.step("library of false time", setup::faketime);
    let Some(node) = steps.step("private RabbitMQ", || {
        setup::rabbitmq()?;
        let node = RabbitNode::start()?;
        println!("It listens on 127.0.0.1:{}.", node.amqp_port());
        Ok(node)
    }) else {
        return;
    };
    steps.step("ClamAV", setup::clamav);
    steps.step("ProFTPD", setup::proftpd);
    steps.step("logrotate", setup::logrotate);
    steps.step("readers of MODS", setup::mods_readers);
    steps.step("SFTP", setup::sftp);
    steps.step("tests", || {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        if !arguments.is_empty() {
            command.arg("--").args(arguments);
        }
        let info = serde_json::to_string(node.info())?;
        run_command(
            command
                .env(SHARED_NODE_VARIABLE, info)
                .env(PYTHON_VARIABLE, python),
        )
    });
    steps.step("end of the private RabbitMQ", || {
        node.stop();
        Ok(())
    });
}
