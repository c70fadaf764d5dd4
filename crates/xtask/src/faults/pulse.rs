//! How the daemon's process fares: memory, threads, descriptors.

use std::fmt;
use std::fs;
use std::time::Duration;

use edeposit_testkit::DaemonUnderTest;

/// What was seen, in order.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Duration,
    pid: i32,
    resident_kib: u64,
    threads: u64,
    descriptors: u64,
}

impl Pulse {
    /// Looks, if there is a process now.
    pub(super) fn take(&mut self, daemon: &DaemonUnderTest, at: Duration) {
        if let Some(pid) = daemon.pid()
            && let Some(seen) = look(pid, at)
        {
            self.seen.push(seen);
        }
    }
}

fn look(pid: i32, at: Duration) -> Option<Seen> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(Seen {
        at,
        pid,
        resident_kib: field("VmRSS:")?,
        threads: field("Threads:")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64,
    })
}

/// One line for each process that lived: they are killed and started again.
impl fmt::Display for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the daemon's processes (first look, most, last look):")?;
        for life in self.seen.chunk_by(|one, next| one.pid == next.pid) {
            let (Some(first), Some(last)) = (life.first(), life.last()) else {
                continue;
            };
            let range = |value: fn(&Seen) -> u64| {
                let most = life.iter().map(value).max().unwrap_or_default();
                format!("{:>5} {most:>5} {:>5}", value(first), value(last))
            };
            writeln!(
                f,
                "{:6.0} s to {:6.0} s: resident KiB {}, threads {}, descriptors {}",
                first.at.as_secs_f64(),
                last.at.as_secs_f64(),
                range(|seen| seen.resident_kib),
                range(|seen| seen.threads),
                range(|seen| seen.descriptors)
            )?;
        }
        Ok(())
    }
}
