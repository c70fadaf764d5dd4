//! The running server: asked whether it would take a configuration, and told to read it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Not always in the search path.
const PROFTPD: &str = "/usr/sbin/proftpd";

const CHECK_WITHIN: Duration = Duration::from_secs(60);

/// Has ProFTPD check its configuration. A running server would end at a reload if this failed.
pub fn check(conf_file: &Path) -> Result<()> {
    let program = match Path::new(PROFTPD).exists() {
        true => PROFTPD,
        false => "proftpd",
    };
    let mut child = Command::new(program)
        .args(["--configtest", "--config"])
        .arg(conf_file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running proftpd, to check its configuration")?;
    let end = Instant::now() + CHECK_WITHIN;
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            bail!(
                "proftpd --configtest did not end within {} s",
                CHECK_WITHIN.as_secs()
            );
        }
        sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "proftpd --configtest: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Tells the server to read its configuration, if it runs; what was done, in words. A pid file may be stale: only a process
/// that is a ProFTPD gets the signal.
pub fn reload(pid_file: &Path) -> Result<String> {
    let not_running = || {
        Ok(format!(
            "ProFTPD does not run ({} names no such process): start it, by systemctl start proftpd.",
            pid_file.display()
        ))
    };
    let Some(pid) = fs::read_to_string(pid_file)
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok())
        .filter(|pid| *pid > 0)
        .and_then(Pid::from_raw)
    else {
        return not_running();
    };
    // From now on the pid cannot become another process's.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return not_running();
    };
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if comm.trim() != "proftpd" {
        return not_running();
    }
    pidfd_send_signal(process, Signal::HUP)
        .with_context(|| format!("telling ProFTPD (pid {pid}) to read its configuration"))?;
    Ok(format!("ProFTPD (pid {pid}) reads its configuration anew."))
}
