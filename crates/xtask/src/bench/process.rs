//! A subject's process with its children: memory, computing time, end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Linux counts computing time in hundredths of a second.
const TICKS: f64 = 100.0;

/// How long an orderly end may take.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Ended, with its children, when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it in a process group of its own, with its output in a file.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C in the terminal is for us; what we started follows.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Self { child, log })
    }

    /// Errs, with the end of its log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended by itself ({status}): {}", tail(&self.log));
        }
        Ok(())
    }

    /// What it has written.
    pub fn log(&self) -> String {
        tail(&self.log)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let Some(group) = group else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let end = Instant::now() + END_WITHIN;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Memory of a process and its descendants, in MB.
pub fn resident(pid: u32) -> f64 {
    family(pid)
        .into_iter()
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib * 1024.0 / 1e6)
        })
        .sum()
}

/// Computing time of a process and its descendants until now, in seconds.
pub fn cpu(pid: u32) -> f64 {
    family(pid)
        .into_iter()
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The second field, the name, may hold blanks; user and system time are the 14th and 15th.
            let (_, fields) = stat.rsplit_once(')')?;
            let mut fields = fields.split_whitespace().skip(11);
            let user: f64 = fields.next()?.parse().ok()?;
            let system: f64 = fields.next()?.parse().ok()?;
            Some((user + system) / TICKS)
        })
        .sum()
}

/// Computing time of all the machine's processors until now, in any unit.
#[derive(Clone, Copy)]
pub struct Machine {
    used: f64,
    /// Used or not.
    had: f64,
}

impl Machine {
    /// NaN on a system that does not tell.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let all = stat.lines().next().unwrap_or_default();
        // User, nice, system, idle, waiting for a disk, and more that is used.
        let times: Vec<f64> = all
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|time| time.parse().ok())
            .collect();
        let idle = times.get(3..5).map_or(f64::NAN, |idle| idle.iter().sum());
        let had = times.iter().sum();
        Self {
            used: had - idle,
            had,
        }
    }

    /// The share of it that was used since then; 1 is all.
    pub fn used_since(self, then: Self) -> f64 {
        (self.used - then.used) / (self.had - then.had)
    }
}

fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            all.extend(child.parse().ok().map(family).unwrap_or_default());
        }
    }
    all
}
