//! A daemon's real binary, run as an operator would, with a home directory of its own.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, Vhost, bin_dir, poll_until};

/// How long a daemon may take to end at the end of a test before it is killed.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A daemon's binary with a temporary `$HOME`, PID file and log file.
///
/// Whatever it started is ended when it is dropped, and its log is printed: cargo shows what a test printed when the
/// test fails, and only then.
#[derive(Debug)]
pub struct DaemonUnderTest {
    program: PathBuf,
    home: TempDir,
    environment: Vec<(OsString, OsString)>,
    foreground: Option<Child>,
    shows_log: bool,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit code; None if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

impl Outcome {
    /// The outcome itself if the exit code was 0, else an error that shows all.
    pub fn success(self) -> Result<Outcome> {
        match self.code {
            Some(0) => Ok(self),
            _ => bail!(
                "exit code {:?}\nstdout: {}\nstderr: {}",
                self.code,
                self.stdout,
                self.stderr
            ),
        }
    }
}

impl DaemonUnderTest {
    /// Finds `program` beside the running executable, in cargo's directory of binaries.
    pub fn new(program: &str) -> Result<DaemonUnderTest> {
        let path = bin_dir()?.join(program);
        if !path.is_file() {
            bail!("{} is not built: cargo build --workspace", path.display());
        }
        Self::at(&path)
    }

    /// Uses the program at `path`.
    pub fn at(path: &Path) -> Result<DaemonUnderTest> {
        let home = tempfile::Builder::new()
            .prefix("edeposit-home-")
            .tempdir()
            .context("making the daemon's home directory")?;
        fs::create_dir(home.path().join("edeposit"))?;
        Ok(DaemonUnderTest {
            program: path.to_path_buf(),
            home,
            environment: Vec::new(),
            foreground: None,
            shows_log: true,
        })
    }

    /// Does not print the log at the end.
    pub fn without_log(mut self) -> Self {
        self.shows_log = false;
        self
    }

    /// Writes `$HOME/edeposit/FILE`, readable by its owner only.
    pub fn write_settings(&self, file: &str, settings: &Value) -> Result<PathBuf> {
        let path = self.home().join("edeposit").join(file);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut out| out.write_all(settings.to_string().as_bytes()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Writes `amqp.json` that leads to the test's virtual host. `submodule` is the settings' name, as `ALEPH`; `more`
    /// holds further constants, which win over those written here.
    pub fn connect_to(&self, vhost: &Vhost, submodule: &str, more: &Value) -> Result<()> {
        let mut settings = json!({
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": vhost.amqp_port(),
            (format!("RABBITMQ_{submodule}_VIRTUALHOST")): vhost.name(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            settings[name] = value.clone();
        }
        self.write_settings("amqp.json", &settings).map(drop)
    }

    /// Sets an environment variable for all further commands.
    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// The daemon's `$HOME`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The PID file given to every command.
    pub fn pid_file(&self) -> PathBuf {
        self.home().join("daemon.pid")
    }

    /// The log file given to every command. In the foreground the daemon's standard error goes there.
    pub fn log_file(&self) -> PathBuf {
        self.home().join("daemon.log")
    }

    /// All the daemon has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_file())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// The pid the PID file names, if there is one.
    pub fn pid(&self) -> Option<i32> {
        fs::read_to_string(self.pid_file())
            .ok()?
            .lines()
            .next()?
            .trim()
            .parse()
            .ok()
    }

    /// `start`, and its outcome.
    pub fn start(&self) -> Result<Outcome> {
        self.run(&["start"])
    }

    /// `stop`, and its outcome.
    pub fn stop(&self) -> Result<Outcome> {
        self.run(&["stop"])
    }

    /// `restart`, and its outcome.
    pub fn restart(&self) -> Result<Outcome> {
        self.run(&["restart"])
    }

    /// `status`, and its outcome.
    pub fn status(&self) -> Result<Outcome> {
        self.run(&["status"])
    }

    /// Runs `PROGRAM ARGS --pid-file F --log-file F` to its end.
    pub fn run(&self, args: &[&str]) -> Result<Outcome> {
        let mut command = self.command();
        command
            .args(args)
            .arg("--pid-file")
            .arg(self.pid_file())
            .arg("--log-file")
            .arg(self.log_file());
        self.finish(command)
    }

    /// Runs the program with exactly these arguments to its end.
    pub fn run_plain(&self, args: &[&str]) -> Result<Outcome> {
        let mut command = self.command();
        command.args(args);
        self.finish(command)
    }

    /// Runs another program from the same directory, such as the schema tool, with the same home and environment, to its
    /// end.
    pub fn run_other(&self, program: &str, args: &[&str]) -> Result<Outcome> {
        let mut command = self.command_of(&self.program.with_file_name(program));
        command.args(args);
        self.finish(command)
    }

    /// Starts `PROGRAM start --foreground ARGS --pid-file F` as a child. Does not wait until it is ready.
    pub fn start_in_foreground(&mut self, args: &[&str]) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = self.command();
        command
            .args(["start", "--foreground"])
            .args(args)
            .arg("--pid-file")
            .arg(self.pid_file())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.foreground = Some(self.spawn(command)?);
        Ok(())
    }

    /// The foreground child's pid.
    pub fn foreground_pid(&self) -> Option<i32> {
        self.foreground
            .as_ref()
            .and_then(|child| child.id().try_into().ok())
    }

    /// Waits for the foreground child's end and returns its exit code; None if a signal ended it.
    pub fn wait_foreground(&mut self, within: Duration) -> Result<Option<i32>> {
        let child = self
            .foreground
            .as_mut()
            .context("there is no child in the foreground")?;
        poll_until("the daemon in the foreground ends", within, || {
            Ok(child.try_wait()?.map(|status| status.code()))
        })
    }

    /// Sends a signal to the process the PID file names.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().context("the PID file names no process")?;
        send(pid, signal)
    }

    /// The living processes that were started here, daemons too: all whose `$HOME` is ours.
    pub fn processes(&self) -> Vec<i32> {
        let home = [b"HOME=", self.home().as_os_str().as_encoded_bytes()].concat();
        let is_ours = |pid: &i32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|one| one == home))
        };
        fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(is_ours)
            .collect()
    }

    fn command(&self) -> Command {
        self.command_of(&self.program)
    }

    fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"RABBITMQ_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.home())
            .env_remove("NOTIFY_SOCKET")
            // Root's own is the same for all.
            .env("STATE_DIRECTORY", self.home().join("state"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home());
        command
    }

    fn spawn(&self, mut command: Command) -> Result<Child> {
        command
            .spawn()
            .with_context(|| format!("running {}", command.get_program().display()))
    }

    /// Output goes through files: a pipe would stay open as long as a daemon that kept it.
    fn finish(&self, mut command: Command) -> Result<Outcome> {
        let dir = tempfile::tempdir_in(self.home())?;
        let (out, err) = (dir.path().join("out"), dir.path().join("err"));
        command
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        let what = format!("{} ends", command.get_program().display());
        let mut child = self.spawn(command)?;
        let status = poll_until(&what, PATIENCE, || Ok(child.try_wait()?));
        if status.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let read =
            |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (stdout, stderr) = (read(&out)?, read(&err)?);
        let status = status.with_context(|| format!("stdout: {stdout}\nstderr: {stderr}"))?;
        Ok(Outcome {
            code: status.code(),
            stdout,
            stderr,
        })
    }

    /// Ends everything that was started here: politely first, then not.
    fn end_all(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            for pid in self.processes() {
                let _ = send(pid, signal);
            }
            let end = Instant::now() + END_WITHIN;
            while Instant::now() < end {
                if let Some(child) = &mut self.foreground {
                    let _ = child.try_wait();
                }
                if self.processes().is_empty() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for DaemonUnderTest {
    fn drop(&mut self) {
        self.end_all();
        if self.shows_log {
            eprintln!(
                "--- log of {}\n{}--- end of log",
                self.program.display(),
                self.log()
            );
        }
    }
}

fn send(pid: i32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(pid)
        .filter(|pid| pid.as_raw_nonzero().get() > 0)
        .context("not a pid")?;
    kill_process(pid, signal).with_context(|| format!("sending {signal:?} to {pid}"))
}
