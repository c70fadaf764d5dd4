//! What the system knows of another process.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};

/// A daemon that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Running {
    /// Its process id.
    pub pid: u32,
    /// How long it has been running, if the system tells.
    pub uptime: Option<Duration>,
    /// Its command line, if the system tells: whose PID file it is.
    pub command: Option<String>,
    /// The PID file that it holds.
    pub pid_file: PathBuf,
}

impl Running {
    pub(crate) fn new(pid: u32, pid_file: &Path) -> Self {
        Running {
            pid,
            uptime: uptime(pid),
            command: command_line(pid),
            pid_file: pid_file.to_owned(),
        }
    }
}

impl fmt::Display for Running {
    /// `pid 4711 (edeposit_amqp_alephdaemon start), up 3 h 12 min` without the parts that are not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        if let Some(command) = &self.command {
            write!(f, " ({command})")?;
        }
        if let Some(uptime) = self.uptime {
            write!(f, ", up {}", words(uptime))?;
        }
        Ok(())
    }
}

/// A duration in its two largest units: `42 s`, `3 min 5 s`, `3 h 12 min`, `2 d 4 h`.
pub(crate) fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// Whether the process has the file `dev`/`ino` open; `None` if there is such a process but we may not look.
pub(crate) fn has_open(pid: u32, dev: u64, ino: u64) -> Option<bool> {
    let descriptors = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(descriptors) => descriptors,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        // With /proc mounted so (hidepid=2), other users' processes seem not to be there.
        Err(_) if is_anothers(pid) => return None,
        Err(_) => return Some(false),
    };
    Some(
        descriptors
            .flatten()
            .filter_map(|descriptor| fs::metadata(descriptor.path()).ok())
            .any(|meta| meta.dev() == dev && meta.ino() == ino),
    )
}

/// Whether there is such a process and we may not signal it: one of another user.
fn is_anothers(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::PERM))
}

/// The user that the process runs as; `None` if there is no such process, or it is hidden from us.
pub(crate) fn owner(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}"))
        .ok()
        .map(|meta| meta.uid())
}

/// Whether the process is a daemon of the Python original, one that already ran when its number was written down.
pub(crate) fn is_original(pid: u32, written: SystemTime) -> bool {
    // A process that began later has been given the number of one that is gone. Two seconds, for clocks are coarse.
    let began_before = |uptime| {
        let written_ago = SystemTime::now()
            .duration_since(written)
            .unwrap_or_default();
        uptime + Duration::from_secs(2) >= written_ago
    };
    command_line(pid).is_some_and(|line| is_original_command(&line))
        && uptime(pid).is_some_and(began_before)
}

fn is_original_command(line: &str) -> bool {
    line.contains("edeposit_amqp_") && line.contains("python")
}

fn command_line(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    // It is shown on a terminal, and any process may call itself what it likes.
    let line: String = line
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    (!line.is_empty()).then_some(line)
}

fn uptime(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the program's name in parentheses, may itself hold spaces and parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let ticks: u64 = after_name.split_whitespace().nth(19)?.parse().ok()?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let started = Duration::from_millis(ticks.saturating_mul(1000) / per_second);
    Some(since_boot().saturating_sub(started))
}

/// The time since the machine was started, the same for all processes; no change of the time of day moves it.
pub(crate) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

/// A hold on one process that stays with it: if its number is given to another one, this does not follow.
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// `None` if there is no such process.
    pub(crate) fn open(pid: u32) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Handle(fd))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal; a process that has ended already is no error.
    pub(crate) fn send(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the process has ended, at most so long; true if it has.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        wait_readable(self.0.as_fd(), Instant::now() + at_most)
    }
}

/// Waits until something can be read or the deadline has passed; true if something can be read.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_words() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (185, "3 min 5 s"),
            (11_520, "3 h 12 min"),
            (2 * 86_400 + 4 * 3600 + 59, "2 d 4 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn facts_of_this_process() {
        let me = std::process::id();
        assert!(uptime(me).unwrap() < Duration::from_secs(3600));
        assert!(command_line(me).unwrap().contains("edeposit_daemonwrapper"));
        let file = tempfile::tempfile().unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(has_open(me, meta.dev(), meta.ino()), Some(true));
        drop(file);
        assert_eq!(has_open(me, meta.dev(), meta.ino()), Some(false));
    }

    #[test]
    fn tells_the_original_by_its_command_line() {
        assert!(is_original_command(
            "/usr/bin/python /usr/bin/edeposit_amqp_alephdaemon.py start"
        ));
        assert!(!is_original_command(
            "/usr/bin/edeposit_amqp_alephdaemon start"
        ));
        assert!(!is_original_command("python -m http.server"));
    }

    #[test]
    fn a_handle_sees_the_end_and_no_impossible_pid() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let handle = Handle::open(child.id()).unwrap().unwrap();
        assert!(!handle.wait(Duration::from_millis(10)).unwrap());
        handle.send(Signal::TERM).unwrap();
        assert!(handle.wait(Duration::from_secs(5)).unwrap());
        child.wait().unwrap();
        handle.send(Signal::TERM).unwrap();
        assert!(Handle::open(0).unwrap().is_none());
        assert!(Handle::open(u32::MAX).unwrap().is_none());
    }
}
