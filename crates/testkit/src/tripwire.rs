//! Killing a process at an exact point of its work: as it makes some system call for the nth time.
//!
//! A kill that follows what a test has seen comes some moments later, and on a busy machine after the work is done.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{PATIENCE, poll_until};

/// Kills a process (kill -9) at a system call, by `strace`. Dropped before that, it lets the process go on.
#[derive(Debug)]
pub struct Tripwire {
    strace: Child,
}

impl Tripwire {
    /// Kills the process `pid` when it enters the system call `call`, such as `unlinkat`, for the `nth` time from now,
    /// counted from 1. That call does nothing any more.
    ///
    /// # Errors
    /// `strace` is not installed, or may not watch the process.
    pub fn kill_at(pid: i32, call: &str, nth: usize) -> Result<Tripwire> {
        let said = tempfile::NamedTempFile::new()?;
        let mut strace = Command::new("strace")
            .args(["--follow-forks", "--output=/dev/null"])
            .arg(format!("--trace={call}"))
            .arg(format!("--inject={call}:signal=KILL:when={nth}"))
            .arg(format!("--attach={pid}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(said.path())?)
            .spawn()
            .context("running strace: apt-get install strace")?;
        let attached = poll_until("strace watches the process", PATIENCE, || {
            let said = fs::read_to_string(said.path())?;
            if said.contains("attached") {
                return Ok(Some(()));
            }
            if let Some(status) = strace.try_wait()? {
                bail!("strace has ended, {status}: {said}");
            }
            Ok(None)
        });
        let tripwire = Tripwire { strace };
        attached.map(|()| tripwire)
    }
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}
