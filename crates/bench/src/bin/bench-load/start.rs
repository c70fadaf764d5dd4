//! A process from its start to its first answer.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::StreamExt;
use lapin::options::BasicPublishOptions;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use std::os::unix::process::CommandExt;
use tokio::time::timeout;

use crate::run::answers;
use crate::tally::Tally;
use crate::target::Target;

/// What to start.
#[derive(Args)]
pub struct StartArguments {
    /// Program and arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// What a start took.
#[derive(Serialize)]
pub struct Started {
    /// From the start to the first answer, in seconds.
    first_answer: f64,
    /// Memory of all its processes then, in KiB.
    resident: u64,
}

pub async fn run(target: &Target, arguments: &StartArguments) -> Result<Started> {
    let (_asking, output) = target.channel().await?;
    let (_listening, input) = target.channel().await?;
    let mut answers = answers(&input).await?;
    let question = target.protocol.question(target.bytes);
    let mut tally = Tally::new();
    let properties = target.protocol.properties(tally.send(), target.persistent);
    output
        .basic_publish(
            question.exchange.into(),
            question.key.into(),
            BasicPublishOptions::default(),
            &question.body,
            properties,
        )
        .await?;
    let [program, words @ ..] = &arguments.command[..] else {
        bail!("no command");
    };
    let start = Instant::now();
    let process = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let process = Process(process);
    loop {
        let answer = timeout(target.patience(), answers.next()).await;
        let answer = answer.context("no answer")?.context("no queue")??;
        let (uuid, good) = target.protocol.read(&answer);
        if tally.answer(uuid, good) {
            break;
        }
    }
    let first_answer = start.elapsed().as_secs_f64();
    // What it does at its first answer shall be over.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(Started {
        first_answer,
        resident: resident(process.0.id())?,
    })
}

/// Memory of a process and its descendants, in KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let own: u64 = line
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .context("a process without memory")?;
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children
        .split_whitespace()
        .map(|child| resident(child.parse()?))
        .sum::<Result<u64>>()
        .map(|children| own + children)
}

/// Ended, with its children, when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let Some(group) = group else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}
