//! Looking at the world in a process of its own.
//!
//! `start` is going to fork, so it must have no second thread; but the library that talks to RabbitMQ starts threads. So this
//! program is run once more, with the same arguments and environment and [`FLAG`] before them. It looks around, writes what it
//! has found as JSON to its standard output, and ends.

use std::env;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::finding::Finding;

/// What tells the program that it is to look around only; with two dashes before it.
pub(crate) const FLAG: &str = "look-around";

/// Longer than the limits of each step together, unless RabbitMQ has many nodes that are silent.
const LIMIT: Duration = Duration::from_secs(60);

/// What another process of this program finds.
///
/// # Errors
/// It could not be run, or did not do what it is for; in words.
pub(crate) fn look_around() -> Result<Vec<Finding>, String> {
    let said = run().map_err(|error| format!("a process for it could not be run: {error}"))?;
    let (output, status) = said;
    match status {
        None => Err(format!("it took more than {} s", LIMIT.as_secs())),
        Some(status) => serde_json::from_slice(&output)
            .map_err(|_| format!("the process for it failed ({status})")),
    }
}

/// Runs this program again. No exit status: it took too long, and was ended.
fn run() -> std::io::Result<(Vec<u8>, Option<ExitStatus>)> {
    // Not its path: its file may have been replaced.
    let mut child = Command::new("/proc/self/exe")
        .arg(format!("--{FLAG}"))
        .args(env::args_os().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let read = read_all(&mut child, Instant::now() + LIMIT);
    if !matches!(read, Ok(Some(_))) {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok(match read? {
        Some(output) => (output, Some(status)),
        None => (Vec::new(), None),
    })
}

/// All that the child writes; `None` if that does not end in time.
fn read_all(child: &mut Child, end: Instant) -> std::io::Result<Option<Vec<u8>>> {
    let mut output = Vec::new();
    let Some(mut pipe) = child.stdout.take() else {
        return Ok(Some(output));
    };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 8192];
        match pipe.read(&mut bytes)? {
            0 => return Ok(Some(output)),
            length => output.extend_from_slice(&bytes[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program is this test's own, which does not know the flag.
    #[test]
    fn a_program_that_does_not_answer_is_told_of() {
        let reason = look_around().unwrap_err();
        assert!(
            reason.starts_with("the process for it failed (exit status: "),
            "{reason}"
        );
    }
}
