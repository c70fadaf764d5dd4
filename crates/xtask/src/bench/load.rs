//! Running the load driver and reading what it prints.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use edeposit_testkit::Vhost;
use serde_json::Value;

use super::case::Load;
use super::subject::Subject;

/// What a run of the driver saw. Times in milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Run {
    pub requests: f64,
    pub rate: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
    /// Requests without an answer, answers too many, answers that tell of an error.
    pub wrong: f64,
}

/// What a start saw.
#[derive(Clone, Copy)]
pub struct Start {
    /// Seconds from exec to the first answer.
    pub first_answer: f64,
    /// MB right after it.
    pub resident: f64,
}

/// The load driver.
pub struct Driver<'a> {
    pub program: &'a Path,
}

impl Driver<'_> {
    fn command(&self, subject: Subject, vhost: &Vhost, load: Load) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["--url", &vhost.amqp_url(), "--protocol", subject.protocol()])
            .args(["--bytes", &load.bytes.to_string()]);
        if load.persistent {
            command.arg("--persistent");
        }
        command
    }

    /// Declares the queues a subject works with.
    pub async fn declare(&self, subject: Subject, vhost: &Vhost, load: Load) -> Result<()> {
        let mut command = self.command(subject, vhost, load);
        command.arg("declare");
        output(command).await.map(drop)
    }

    /// Asks `subject`, which runs; `more` are the driver's arguments.
    pub async fn run(
        &self,
        subject: Subject,
        vhost: &Vhost,
        load: Load,
        more: &[String],
    ) -> Result<Run> {
        let mut command = self.command(subject, vhost, load);
        command.arg("run").args(more);
        let seen = output(command).await?;
        let number = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
        Ok(Run {
            requests: number("requests"),
            rate: number("rate"),
            p50: number("p50"),
            p95: number("p95"),
            p99: number("p99"),
            max: number("max"),
            wrong: number("missing") + number("duplicates") + number("failed"),
        })
    }

    /// Starts `subject` by its command and waits for its first answer.
    pub async fn start(
        &self,
        subject: Subject,
        vhost: &Vhost,
        load: Load,
        process: &Command,
    ) -> Result<Start> {
        let mut command = self.command(subject, vhost, load);
        command
            .args(["start", "--"])
            .arg(process.get_program())
            .args(process.get_args());
        for (name, value) in process.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(dir) = process.get_current_dir() {
            command.current_dir(dir);
        }
        let seen = output(command).await?;
        let number = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
        Ok(Start {
            first_answer: number("first_answer"),
            resident: number("resident") * 1024.0 / 1e6,
        })
    }
}

/// Runs the driver to its end, without keeping the thread: whoever waits may be told to stop.
async fn output(mut command: Command) -> Result<Value> {
    struct Ended(Child);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {:?}", command.get_program()))?;
    let mut child = Ended(child);
    let status = loop {
        match child.0.try_wait()? {
            Some(status) => break status,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let mut text = String::new();
    if let Some(mut stdout) = child.0.stdout.take() {
        stdout.read_to_string(&mut text)?;
    }
    if !status.success() {
        bail!("the load driver failed ({status})");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("the load driver says {text}"))
}
