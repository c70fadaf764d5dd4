//! What is started is ended, whoever started it, and the commands' outcomes are seen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use edeposit_testkit::{DaemonUnderTest, PATIENCE, poll_until};
use serde_json::json;

/// A program that leaves a child behind in a session of its own, as a daemon does, which will not listen to reason.
const STUBBORN: &str = "#!/bin/sh
echo \"$1 in $HOME\"
echo \"host ${RABBITMQ_HOST-unset}\" >&2
if [ \"$1\" = start ]; then
  setsid sh -c 'trap \"\" TERM; echo $$ >\"$HOME/daemon.pid\"; while :; do read line; done <\"$HOME/fifo\"' &
  exit 0
fi
exit 3
";

#[test]
fn nothing_that_was_started_stays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let program = dir.path().join("stubborn");
    fs::write(&program, STUBBORN)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let daemon = DaemonUnderTest::at(&program)?;
    let fifo = daemon.home().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()?
            .success()
    );
    // Opened for reading and writing, so that the child's read blocks instead of ending.
    let _fifo = fs::File::options().read(true).write(true).open(&fifo)?;

    let started = daemon.start()?.success()?;
    assert_eq!(
        started.stdout,
        format!("start in {}\n", daemon.home().display())
    );
    assert_eq!(started.stderr, "host unset\n");
    assert_eq!(daemon.status()?.code, Some(3));

    let pid = poll_until("the child writes its pid", PATIENCE, || Ok(daemon.pid()))?;
    assert_eq!(daemon.processes(), [pid]);
    drop(daemon);
    let left = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(left.is_empty(), "process {pid} is still there");
    Ok(())
}

#[test]
fn settings_are_for_the_owner_only() -> Result<()> {
    let daemon = DaemonUnderTest::at(Path::new("/bin/true"))?;
    let path = daemon.write_settings("amqp.json", &json!({"RABBITMQ_PORT": 1}))?;
    assert_eq!(path, daemon.home().join("edeposit/amqp.json"));
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(path)?, "{\"RABBITMQ_PORT\":1}");
    Ok(())
}
