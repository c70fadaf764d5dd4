//! Leaving the terminal: what makes a process a daemon, apart from the forks, which `daemonize` does.

use std::fs;
use std::io::{self, Write};

use daemonize::{Daemonize, Outcome};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::error::Error;

/// Which of the two processes this is after the forks.
pub(crate) enum Side {
    Command,
    Daemon,
}

/// Refuses a process with more than one thread: the others would be missing in the daemon, with their locks held for ever.
pub(crate) fn check_threads() -> Result<(), Error> {
    match fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(threads) if threads > 1 => Err(Error::Detach(format!(
            "the program has {threads} threads already. It must start them in the body of the daemon"
        ))),
        _ => Ok(()),
    }
}

/// Forks; the daemon's side is in a session of its own, in `/`, with umask 027 and its standard streams on `/dev/null`.
///
/// The original set umask 0, which left every file that a submodule wrote open to all.
pub(crate) fn detach() -> (Side, Result<(), Error>) {
    // What is buffered would be written by every one of the processes.
    let _ = io::stdout().flush();
    match Daemonize::new()
        .working_directory("/")
        .umask(0o027)
        .execute()
    {
        Outcome::Parent(result) => (Side::Command, result.map(drop).map_err(reason)),
        Outcome::Child(result) => (Side::Daemon, result.map(drop).map_err(reason)),
    }
}

fn reason(error: daemonize::Error) -> Error {
    Error::Detach(error.to_string())
}

/// No core dumps: one would lay open passwords and the contents of requests. As the original did.
pub(crate) fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    Ok(())
}

/// Closes what was inherited from the caller beyond the standard streams, for example the other end of a pipe that would
/// never see its end.
///
/// Inherited is exactly what has no close-on-exec flag: it has survived an `exec`, and what the program itself has opened since
/// has the flag. So nothing of the program's own is closed under its feet.
pub(crate) fn close_inherited() -> io::Result<()> {
    let descriptors: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&fd| fd > 2 && !closes_on_exec(fd))
        .collect();
    for fd in descriptors {
        nix::unistd::close(fd)?;
    }
    Ok(())
}

/// In doubt, also when the descriptor is gone already, true.
fn closes_on_exec(fd: i32) -> bool {
    const CLOSE_ON_EXEC: u32 = rustix::fs::OFlags::CLOEXEC.bits();
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
        .ok()
        .and_then(|info| {
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            u32::from_str_radix(flags.trim(), 8).ok()
        })
        .is_none_or(|flags| flags & CLOSE_ON_EXEC != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn tells_inherited_descriptors_from_our_own() {
        let own = tempfile::tempfile().unwrap();
        assert!(closes_on_exec(own.as_raw_fd()));
        let inherited = rustix::io::dup(&own).unwrap();
        assert!(!closes_on_exec(inherited.as_raw_fd()));
        assert!(closes_on_exec(100_000));
    }
}
