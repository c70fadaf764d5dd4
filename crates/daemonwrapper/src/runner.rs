//! Carrying out the commands of a daemon, with the settings they need.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::action::Action;
use crate::context::GRACE;
use crate::detach;
use crate::error::{Error, exit};
use crate::log::{Log, LogTarget};
use crate::pid_file::{self, Claim, PidFile};
use crate::process::{Running, words};
use crate::say;
use crate::start::Launch;
use crate::status_file::Standing;
use crate::stop::{self, Bounds, Stopped};
use crate::wrapper::DaemonRunnerWrapper;

/// No time may be longer: more would overflow the clock, and less is enough for any purpose.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Carries out the commands for one daemon.
#[derive(Debug, Clone)]
pub struct Runner {
    name: String,
    pid_file: Option<PathBuf>,
    status_file: Option<PathBuf>,
    log: LogTarget,
    verbosity: u8,
    quiet: Vec<String>,
    drain_time: Duration,
    start_timeout: Duration,
    pidfile_timeout: Duration,
    watch_interval: Duration,
    force: bool,
}

impl Default for Runner {
    fn default() -> Self {
        Self::new(Self::program_name())
    }
}

impl Runner {
    /// A runner for the daemon of that name, the original's `pid_filename`. Two daemons of different names do not know of each other.
    pub fn new(name: impl Into<String>) -> Self {
        Runner {
            name: name.into(),
            pid_file: None,
            status_file: None,
            log: LogTarget::Default,
            verbosity: 0,
            quiet: Vec::new(),
            drain_time: Duration::from_secs(30),
            start_timeout: Duration::from_secs(60),
            pidfile_timeout: Duration::from_secs(5),
            watch_interval: Duration::from_secs(30),
            force: false,
        }
    }

    /// The default name: the file name of the running program, without `.py`, with which the original's scripts end.
    pub fn program_name() -> String {
        let program = std::env::current_exe().ok();
        let name = program
            .as_deref()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        // The kernel says so of a program whose file has been replaced since, as by an update.
        let name = name.unwrap_or_default().replace(" (deleted)", "");
        name.strip_suffix(".py").unwrap_or(&name).to_owned()
    }

    /// The PID file. By default `NAME.pid` in `$RUNTIME_DIRECTORY` (set by systemd), else in `/tmp` as in the original.
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pid_file = Some(path.into());
        self
    }

    /// Where the daemon keeps its last [`Context::status`](crate::Context::status) for the command `status`; none by
    /// default. The directory is made if it is not there; nobody but the daemon's user should be able to write to it.
    pub fn status_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.status_file = Some(path.into());
        self
    }

    /// The log file; see [`LogTarget`] for the default.
    pub fn log(mut self, target: LogTarget) -> Self {
        self.log = target;
        self
    }

    /// How much is logged: 0 (default) information, 1 details of our own crates, 2 and more every detail of them.
    /// The environment variable [`LOG_FILTER_VARIABLE`](crate::LOG_FILTER_VARIABLE) goes before.
    pub fn verbosity(mut self, verbosity: u8) -> Self {
        self.verbosity = verbosity;
        self
    }

    /// Leaves out what this crate logs, unless the verbosity is raised: a library whose failures the daemon tells in
    /// words of its own.
    pub fn quiet(mut self, crate_name: &str) -> Self {
        self.quiet.push(crate_name.to_owned());
        self
    }

    /// How long the daemon may take to finish what is in hand after the first signal; 30 s by default. 5 s later
    /// it ends in any case, with exit code 75. `stop` waits 10 s longer than this.
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = time.min(LONGEST);
        self
    }

    /// How long `start` waits until the daemon is ready; 60 s by default. A daemon that takes longer is ended.
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time.min(LONGEST);
        self
    }

    /// How long a command waits for the lock of a daemon that is just starting or ending; 5 s by default, as in the original.
    pub fn pidfile_timeout(mut self, time: Duration) -> Self {
        self.pidfile_timeout = time.min(LONGEST);
        self
    }

    /// How often the running daemon looks whether its PID file is still in place; 30 s by default. A file that is gone is made
    /// anew. If another daemon has put its own there meanwhile, this one ends.
    pub fn watch_interval(mut self, time: Duration) -> Self {
        self.watch_interval = time.clamp(Duration::from_millis(1), LONGEST);
        self
    }

    /// Whether `stop` and `restart` kill a daemon that has not ended in time; false by default.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Whether the daemon runs, and as which process. A daemon that is just starting is waited for.
    ///
    /// # Errors
    ///
    /// If the PID file cannot be read or trusted, or is locked by a process that it does not name.
    pub fn is_running(&self) -> Result<Option<Running>, Error> {
        pid_file::running(&self.pid_file_path()?, self.pidfile_timeout)
    }

    /// Carries out one command and gives its exit code. What has to be said goes to standard output (answers) and
    /// standard error (everything else).
    ///
    /// A `start` in the background returns twice: in the command as soon as the daemon is ready or has failed, and in
    /// the daemon at its end. So let it be the last thing that `main` does, and call it before any thread is started.
    pub fn run(
        &self,
        action: Action,
        foreground: bool,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> ExitCode {
        let done = match action {
            Action::Start => self.start(foreground, daemon),
            Action::Stop => self.stop(daemon),
            Action::Restart => self.restart(foreground, daemon),
            Action::Status => self.status(),
            Action::Check => Ok(daemon.on_check()),
        };
        done.unwrap_or_else(|error| {
            say::note(&error);
            // For `start` the original's callers know 0 and 1 only.
            ExitCode::from(if action == Action::Start {
                exit::FAILURE
            } else {
                error.exit_code()
            })
        })
    }

    fn start(
        &self,
        foreground: bool,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        let path = self.pid_file_path()?;
        let pid_file = match PidFile::claim(&path, self.pidfile_timeout, None)? {
            Claim::Ours(pid_file) => pid_file,
            Claim::Taken(running) => return Ok(daemon.on_is_running(&running)),
        };
        match self.prepare(foreground, daemon) {
            Ok(warnings) => self.launch(pid_file, warnings, foreground, daemon),
            Err(error) => {
                pid_file.remove()?;
                Err(error)
            }
        }
    }

    /// Refuses whatever can be refused, the PID file apart; gives warnings.
    fn prepare(
        &self,
        foreground: bool,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<Vec<String>, Error> {
        let warnings = match daemon.check() {
            Ok(warnings) => warnings,
            Err(error) => {
                let error = Error::Check(format!("{error:#}"));
                self.log_refusal(foreground, &error);
                return Err(error);
            }
        };
        if !foreground {
            detach::check_threads()?;
        }
        drop(self.open_log(foreground)?);
        Ok(warnings)
    }

    /// Whoever typed the command may have been a program that reads nothing.
    fn log_refusal(&self, foreground: bool, error: &Error) {
        if !foreground && let Ok(log) = self.open_log(foreground) {
            log.install();
            tracing::error!("{error}");
        }
    }

    fn launch(
        &self,
        pid_file: PidFile,
        warnings: Vec<String>,
        foreground: bool,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        let log = match self.open_log(foreground) {
            Ok(log) => log,
            Err(error) => {
                pid_file.remove()?;
                return Err(error);
            }
        };
        let launch = Launch {
            pid_file,
            log,
            warnings,
            // The daemon will work in `/`.
            status_file: self
                .status_file
                .as_deref()
                .and_then(|path| std::path::absolute(path).ok()),
            drain_time: self.drain_time,
            start_timeout: self.start_timeout,
            watch_interval: self.watch_interval,
        };
        if foreground {
            launch.foreground(daemon)
        } else {
            launch.background(daemon)
        }
    }

    fn stop(&self, daemon: &mut dyn DaemonRunnerWrapper) -> Result<ExitCode, Error> {
        Ok(match stop::stop(&self.pid_file_path()?, &self.bounds())? {
            Stopped::Ended => ExitCode::SUCCESS,
            Stopped::NothingRan => daemon.on_stop_fail(),
        })
    }

    fn restart(
        &self,
        foreground: bool,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        // A daemon that could not come back is not taken down. The PID file is checked by `stop` itself.
        let warnings = self
            .prepare(foreground, daemon)
            .map_err(|error| self.left_alone(error))?;
        let path = self.pid_file_path()?;
        stop::stop(&path, &self.bounds())?;
        match PidFile::claim(&path, self.pidfile_timeout, Some(self.pidfile_timeout))? {
            Claim::Ours(pid_file) => self.launch(pid_file, warnings, foreground, daemon),
            Claim::Taken(running) => Ok(daemon.on_is_running(&running)),
        }
    }

    fn left_alone(&self, error: Error) -> Error {
        match self.is_running() {
            Ok(Some(running)) => Error::LeftAlone {
                source: Box::new(error),
                pid: running.pid,
            },
            _ => error,
        }
    }

    fn status(&self) -> Result<ExitCode, Error> {
        Ok(match self.is_running()? {
            Some(running) => {
                let up = running
                    .uptime
                    .map(|uptime| format!(", up {}", words(uptime)));
                say::answer(format_args!(
                    "running with pid {}{}",
                    running.pid,
                    up.unwrap_or_default()
                ));
                let status_file = self.status_file.as_deref();
                if let Some(standing) =
                    status_file.and_then(|path| Standing::read(path, running.pid))
                {
                    say::answer(standing);
                }
                ExitCode::SUCCESS
            }
            None => {
                say::answer("not running");
                ExitCode::from(exit::NOT_RUNNING)
            }
        })
    }

    fn open_log(&self, foreground: bool) -> Result<Log, Error> {
        Log::open(
            &self.name,
            &self.log,
            self.verbosity,
            &self.quiet,
            foreground,
        )
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            settle: self.pidfile_timeout,
            ending: self.drain_time + GRACE + GRACE,
            force: self.force,
        }
    }

    fn pid_file_path(&self) -> Result<PathBuf, Error> {
        if let Some(path) = &self.pid_file {
            let failed = |source| Error::PidFile {
                doing: "find",
                path: path.clone(),
                source,
            };
            return std::path::absolute(path).map_err(failed);
        }
        if self.name.is_empty() || self.name.starts_with('.') || self.name.contains(['/', '\0']) {
            return Err(Error::Name(self.name.clone()));
        }
        // systemd gives all the directories of a unit, the first one being the unit's own choice.
        let runtime = std::env::var("RUNTIME_DIRECTORY").unwrap_or_default();
        let directory = runtime
            .split(':')
            .next()
            .filter(|first| !first.is_empty())
            .unwrap_or("/tmp");
        Ok(Path::new(directory).join(format!("{}.pid", self.name)))
    }
}
