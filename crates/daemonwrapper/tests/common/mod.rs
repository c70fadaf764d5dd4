//! A place of its own for a test, in which it runs the example `probe` and from which nothing is left behind.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use edeposit_testkit::{PATIENCE, poll_until};
use tempfile::TempDir;

/// What `start` says beside a daemon that runs.
pub const ALREADY: &str = "It looks like a daemon is already running!\n";
/// What `stop` says without one.
pub const NOTHING: &str = "There is no running instance to be stopped.\n";

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn pid_file(&self) -> PathBuf {
        self.path("probe.pid")
    }

    pub fn command(&self, action: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg(action).arg(self.directory.path()).args(options);
        command
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        for variable in [
            "EDEPOSIT_LOG",
            "RUNTIME_DIRECTORY",
            "NOTIFY_SOCKET",
            "XDG_STATE_HOME",
            "RUST_BACKTRACE",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs a command to its end. Its output ends only when no daemon holds the pipes any more.
    pub fn run(&self, action: &str, options: &[&str]) -> Said {
        finish(self.command(action, options))
    }

    #[track_caller]
    pub fn start(&self, options: &[&str]) -> u32 {
        let said = self.run("start", options).expect(0);
        assert_eq!(said.out, "");
        let pid = self.pid();
        assert_eq!(
            said.err,
            format!("started with pid {pid}\nat your service\n")
        );
        pid
    }

    /// Runs the probe in the foreground and waits until it is ready.
    pub fn foreground(&self, options: &[&str]) -> Foreground {
        let options = [options, &["-f"]].concat();
        let mut command = self.command("start", &options);
        let stderr = fs::File::create(self.path("stderr")).unwrap();
        let child = command
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let running = Foreground {
            child,
            stderr: self.path("stderr"),
        };
        wait_until("the foreground probe to be ready", || {
            running.log().contains("started with pid")
        });
        running
    }

    pub fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.pid_file()).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    pub fn events(&self) -> String {
        fs::read_to_string(self.path("events"))
            .unwrap_or_default()
            .replace('\n', " ")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("probe.log")).unwrap_or_default()
    }
}

/// Ends every daemon that a test has started here, also if it failed: those that have a file of this place open.
impl Drop for Place {
    fn drop(&mut self) {
        let here = self.directory.path();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
                continue;
            };
            let is_probe =
                fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program());
            let mut targets = open
                .flatten()
                .filter_map(|fd| fs::read_link(fd.path()).ok());
            if is_probe && targets.any(|target| target.starts_with(here)) {
                signal(pid, "KILL");
            }
        }
        if thread::panicking() {
            eprintln!("log of the probe:\n{}", self.log());
        }
    }
}

pub struct Foreground {
    pub child: Child,
    stderr: PathBuf,
}

impl Foreground {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    pub fn code(&mut self) -> i32 {
        let child = &mut self.child;
        wait_until("the foreground probe to end", || {
            child.try_wait().unwrap().is_some()
        });
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn finish(mut command: Command) -> Said {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A program that was just copied is busy as long as a process that another test has forked meanwhile holds the copy open
    // for writing: until that one executes its own program.
    let mut spawned = command.spawn();
    wait_until("the program to be no longer busy", || {
        let busy = matches!(&spawned, Err(e) if e.kind() == ErrorKind::ExecutableFileBusy);
        if busy {
            spawned = command.spawn();
        }
        !busy
    });
    let mut child = spawned.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || stdout.read_to_string(&mut out).map(|_| out).unwrap());
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Said {
        code,
        out: reader.join().unwrap(),
        err,
    }
}

/// `cargo test` builds the examples beside the tests.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples/probe");
    assert!(
        program.exists(),
        "{} is missing: cargo build -p edeposit-daemonwrapper --examples",
        program.display()
    );
    program
}

pub fn signal(pid: u32, name: &str) {
    // It may have ended by itself.
    let _ = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .stderr(Stdio::null())
        .status();
}

pub fn alive(pid: u32) -> bool {
    // A zombie waits only for its parent to take notice.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    poll_until(what, PATIENCE, || Ok(condition().then_some(()))).unwrap();
}
