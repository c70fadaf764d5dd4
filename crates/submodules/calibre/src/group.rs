//! The converter's processes: waiting for their end, or bringing it about.
//!
//! The daemon's child makes itself leader of a process group, see [`command`](crate::command), which is killed before the
//! leader is reaped, so that its number cannot have become another's.
//! A process can leave its group. It cannot leave a sandbox: that is a PID namespace, which the kernel empties before the
//! first process in there counts as ended. Without one, those that left are found by their environment.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::job_dir;
use crate::orphans;
use crate::settings::Settings;

/// How often the directory's size is looked at.
const WATCH: Duration = Duration::from_millis(500);

/// How long what was killed may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// How often processes that left their group are looked for.
const MOST_ROUNDS: u32 = 10;

/// Why the converter runs no more.
pub(crate) enum End {
    Ended(ExitStatus),
    Timeout,
    Space,
    Abandoned,
}

/// Led by the daemon's child. When it is dropped, nothing of it is left.
pub(crate) struct Group {
    leader: Child,
    work: PathBuf,
    is_sandboxed: bool,
    is_over: bool,
}

impl Group {
    /// Of a child that was started as its leader, and works in `work`.
    pub fn new(leader: Child, work: &Path, is_sandboxed: bool) -> Self {
        Self {
            leader,
            work: work.to_path_buf(),
            is_sandboxed,
            is_over: false,
        }
    }

    /// Waits for the converter's end, or brings it about. `dir` is what may not become too large.
    pub fn watch(
        mut self,
        settings: &Settings,
        dir: &Path,
        caller: BorrowedFd<'_>,
    ) -> io::Result<End> {
        let pidfd = pidfd_open(pid(&self.leader)?, PidfdFlags::empty())?;
        let start = Instant::now();
        loop {
            let left = settings.timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(End::Timeout);
            }
            let mut polled = [
                PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(caller, PollFlags::IN),
            ];
            wait(&mut polled, left.min(WATCH))?;
            if !polled[1].revents().is_empty() {
                return Ok(End::Abandoned);
            }
            if !polled[0].revents().is_empty() {
                return Ok(End::Ended(self.end()?));
            }
            if job_dir::exceeds(dir, settings.max_temp_size) {
                return Ok(End::Space);
            }
        }
    }

    /// Kills all, and reaps the leader.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.is_over = true;
        let leader = pid(&self.leader)?;
        let pidfd = pidfd_open(leader, PidfdFlags::empty())?;
        if self.is_sandboxed {
            let _ = end_sandbox(leader, &pidfd);
        }
        // Itself too, as it may not lead a group yet; and first, as it could start another process.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        let _ = until_ended(&pidfd);
        let _ = kill_process_group(leader, Signal::KILL);
        let status = self.leader.wait();
        if !self.is_sandboxed {
            // Again, as one may have started another before it was killed.
            let mut rounds = 0..MOST_ROUNDS;
            while orphans::kill(&self.work) > 0 && rounds.next().is_some() {}
        }
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.end();
        }
    }
}

/// Kills the sandbox's first process, and waits until bubblewrap and with it the leader have seen it end: then no process
/// is left in there. Were they killed themselves, it would end at some time after.
fn end_sandbox(leader: Pid, pidfd: &OwnedFd) -> io::Result<()> {
    for bwrap in children(leader)? {
        for first in children(bwrap)? {
            let process = pidfd_open(first, PidfdFlags::empty())?;
            // It may have ended before it was opened, and its number be another's.
            if children(bwrap)?.contains(&first) {
                pidfd_send_signal(&process, Signal::KILL)?;
                until_ended(pidfd)?;
            }
        }
    }
    Ok(())
}

fn until_ended(process: &OwnedFd) -> io::Result<()> {
    let end = Instant::now() + ENDS_WITHIN;
    let mut polled = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    while polled[0].revents().is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        wait(&mut polled, left)?;
    }
    Ok(())
}

fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero();
    let pids = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let pids = pids.split_whitespace().filter_map(|pid| pid.parse().ok());
    Ok(pids.filter_map(Pid::from_raw).collect())
}

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the converter has no process id"))
}

/// Until one is ready, or so long.
fn wait(polled: &mut [PollFd<'_>], at_most: Duration) -> io::Result<()> {
    let at_most = Timespec::try_from(at_most).map_err(io::Error::other)?;
    match poll(polled, Some(&at_most)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
