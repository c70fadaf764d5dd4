//! `stop`: ending the daemon that holds the PID file, and no other process.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::Error;
use crate::pid_file::{self, Owner, Seen, check_directory};
use crate::process::{Handle, Running};
use crate::say;

/// After this time of waiting the user is told what is being waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// How long to wait between two looks at a PID file.
const PAUSE: Duration = Duration::from_millis(20);

/// How a stop went that did not fail.
#[derive(Debug, PartialEq)]
pub(crate) enum Stopped {
    NothingRan,
    Ended,
}

/// How long to wait for what, and whether to use force then.
pub(crate) struct Bounds {
    /// For a state in between (starting, ending) to become clear, and for the lock to be released.
    pub(crate) settle: Duration,
    /// For the daemon to end.
    pub(crate) ending: Duration,
    /// Whether it is then killed.
    pub(crate) force: bool,
}

/// Asks the daemon to end, unless it has been asked before, and waits until it has done so.
pub(crate) fn stop(path: &Path, bounds: &Bounds) -> Result<Stopped, Error> {
    match check_directory(path) {
        Err(Error::PidFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Stopped::NothingRan);
        }
        checked => checked?,
    }
    let begin = Instant::now();
    loop {
        match pid_file::look(path, Owner::Us)? {
            Seen::Nothing => return Ok(Stopped::NothingRan),
            Seen::Stale(left_behind) => {
                left_behind.remove()?;
                return Ok(Stopped::NothingRan);
            }
            // At the second look, for the first one may have met a daemon that was just starting.
            Seen::Free(_) if begin.elapsed() >= PAUSE => return Ok(Stopped::NothingRan),
            Seen::Free(_) => {}
            Seen::Held(file, running) => {
                // Between reading the number and opening the process, the number may have gone to another process. A handle
                // (pidfd) stays with its process: if, once it is open, the file still names this number and the process
                // with this number has the file open, the handle is the daemon's.
                if let Some(handle) = open(running.pid)?
                    && pid_file::still_names(&file, running.pid)
                {
                    let asked = pid_file::is_stopping(&file);
                    end(&handle, &running, asked, bounds)?;
                    return clear_up(file, path, bounds);
                }
            }
            Seen::Original(file, running) => {
                if let Some(handle) = open(running.pid)?
                    && pid_file::names_original(&file, running.pid)
                {
                    end(&handle, &running, false, bounds)?;
                    return clear_up(file, path, bounds);
                }
            }
            Seen::Unclear if begin.elapsed() >= bounds.settle => {
                return Err(Error::Busy {
                    path: path.to_owned(),
                });
            }
            Seen::Unclear => {}
        }
        thread::sleep(PAUSE);
    }
}

fn open(pid: u32) -> Result<Option<Handle>, Error> {
    Handle::open(pid).map_err(|source| Error::Stop { pid, source })
}

fn end(process: &Handle, running: &Running, asked: bool, bounds: &Bounds) -> Result<(), Error> {
    let pid = running.pid;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => Error::NotPermitted { pid },
        _ => Error::Stop { pid, source },
    };
    // A second signal would break off what the daemon is just finishing.
    if !asked {
        process.send(Signal::TERM).map_err(failed)?;
    }
    if process.wait(bounds.ending.min(SILENCE)).map_err(failed)? {
        return Ok(());
    }
    let left = bounds.ending.saturating_sub(SILENCE);
    say::note(format_args!(
        "waiting for pid {pid} to end, at most {} s more",
        left.as_secs()
    ));
    if process.wait(left).map_err(failed)? {
        return Ok(());
    }
    if bounds.force {
        say::note(format_args!("killing pid {pid}"));
        process.send(Signal::KILL).map_err(failed)?;
        if process.wait(bounds.settle).map_err(failed)? {
            return Ok(());
        }
    }
    Err(Error::StillRunning {
        pid,
        waited: bounds.ending,
    })
}

/// The daemon removes its file by itself, unless it was killed. It has ended in any case: if the lock is not to be had,
/// somebody else has got it, and the file is theirs to deal with.
fn clear_up(file: File, path: &Path, bounds: &Bounds) -> Result<Stopped, Error> {
    if pid_file::wait_for_lock(&file, bounds.settle) {
        pid_file::remove_left_behind(file, path)?;
    }
    Ok(Stopped::Ended)
}
