//! Processes that a conversion has left over, found by a variable of their environment: the conversion's directory.
//!
//! If the daemon is killed, the kernel kills the converter with it, and a sandbox with the converter. What may live on are
//! children of a converter without a sandbox, and a sandbox that was just being set up.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::command::DIR_VARIABLE;

/// Kills the processes that belong to the conversion in `work`. Returns their number.
pub(crate) fn kill(work: &Path) -> usize {
    let variable = [
        DIR_VARIABLE.as_bytes(),
        b"=",
        work.as_os_str().as_encoded_bytes(),
    ]
    .concat();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| kill_one(*pid, &variable, work))
        .count()
}

fn kill_one(pid: Pid, variable: &[u8], work: &Path) -> bool {
    // Opened first: so the process that is asked is the one that is killed.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    let proc = |file: &str| fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok();
    let has = |words: Option<Vec<u8>>, word: &[u8]| {
        words.is_some_and(|words| words.split(|byte| *byte == 0).any(|one| one == word))
    };
    // The environment of a sandbox that is being set up is not shown to anybody but root.
    let is_sandbox = || proc("comm").is_some_and(|name| name == b"bwrap\n");
    let is_ours = has(proc("environ"), variable)
        || (is_sandbox() && has(proc("cmdline"), work.as_os_str().as_encoded_bytes()));
    is_ours && pidfd_send_signal(process, Signal::KILL).is_ok()
}
