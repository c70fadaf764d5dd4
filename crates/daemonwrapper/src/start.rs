//! `start`: becoming the daemon, in the background or in the foreground.
//!
//! Whatever can be refused is refused before the fork, so that the caller sees it: the PID file, another instance, the log
//! file. What comes after it, the daemon reports through a pipe.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::Context;
use crate::detach::{self, Side};
use crate::error::{Error, exit};
use crate::life::{self, Ending};
use crate::log::Log;
use crate::pid_file::PidFile;
use crate::report::{self, Listener, Outcome, Reporter};
use crate::say;
use crate::signals::{self, GRACE};
use crate::wrapper::DaemonRunnerWrapper;

/// How long a daemon that has reported its failure may take to vanish before the command returns without it.
const VANISHING: Duration = Duration::from_secs(2);

/// What is settled before the fork.
pub(crate) struct Launch {
    pub(crate) pid_file: PidFile,
    pub(crate) log: Log,
    pub(crate) drain_time: Duration,
    pub(crate) start_timeout: Duration,
}

impl Launch {
    pub(crate) fn foreground(
        self,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        let context = Context::build(self.drain_time, None);
        let pid_file = Arc::new(self.pid_file);
        let ending = set_up(self.log, &context, &pid_file).map(|()| {
            tracing::info!(
                "running in the foreground with pid {}, Ctrl-C ends it",
                std::process::id()
            );
            life::live(daemon, &context)
        });
        remove(&pid_file);
        Ok(ExitCode::from(ending?.exit_code()))
    }

    /// Returns in both processes: in the command when the daemon is ready or not to be had, in the daemon at its end.
    pub(crate) fn background(
        self,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        let hint = self
            .log
            .file()
            .map(|log| format!("; the log file is {}", log.path().display()))
            .unwrap_or_default();
        let (listener, reporter) =
            report::channel().map_err(|error| Error::Detach(error.to_string()))?;
        match detach::detach() {
            (Side::Command, forked) => {
                // Both must be the daemon's alone now: the lock is to end with it, and so is the pipe.
                drop((self.pid_file, self.log, reporter));
                wait(listener, forked, self.start_timeout, self.drain_time, hint)
            }
            (Side::Daemon, detached) => {
                drop(listener);
                Ok(self.daemon(daemon, detached, reporter))
            }
        }
    }

    fn daemon(
        self,
        daemon: &mut dyn DaemonRunnerWrapper,
        detached: Result<(), Error>,
        mut reporter: Reporter,
    ) -> ExitCode {
        if let Err(error) = detached.and_then(|()| shed()) {
            remove(&self.pid_file);
            reporter.failed(&error.to_string());
            return ExitCode::from(exit::FAILURE);
        }
        let pid_file = Arc::new(self.pid_file);
        reporter.pid();
        let context = Context::build(self.drain_time, Some(reporter));
        let ending = match set_up(self.log, &context, &pid_file) {
            Ok(()) => life::live(daemon, &context),
            Err(error) => Ending::Failed(error.to_string()),
        };
        remove(&pid_file);
        // Told last of all, so that the next command finds nothing of this daemon any more.
        if let Some(reporter) = context.take_reporter() {
            reporter.failed(ending.reason());
        }
        ExitCode::from(ending.exit_code())
    }
}

fn shed() -> Result<(), Error> {
    detach::close_inherited()
        .and_then(|()| detach::forbid_core_dumps())
        .map_err(|error| Error::Detach(error.to_string()))
}

/// What both ways of running have in common. The number is written last: who can find the daemon can also stop it cleanly.
fn set_up(log: Log, context: &Context, pid_file: &Arc<PidFile>) -> Result<(), Error> {
    let log_file = log.file().cloned();
    log.install();
    life::log_panics();
    signals::watch(context, pid_file, log_file)
        .map_err(|error| Error::Detach(format!("no signals can be had: {error}")))?;
    pid_file.write_pid()
}

fn remove(pid_file: &PidFile) {
    if let Err(error) = pid_file.remove() {
        tracing::warn!("{error}");
    }
}

fn wait(
    listener: Listener,
    forked: Result<(), Error>,
    start_timeout: Duration,
    drain_time: Duration,
    hint: String,
) -> Result<ExitCode, Error> {
    let heard = listener.listen(start_timeout);
    let ended_within = |time| {
        heard
            .process
            .as_ref()
            .is_some_and(|process| process.wait(time).unwrap_or(false))
    };
    match heard.outcome {
        Outcome::Ready { status } => {
            say::note(format_args!(
                "started with pid {}",
                heard.pid.unwrap_or_default()
            ));
            if !status.is_empty() {
                say::note(status);
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Failed { reason } => {
            ended_within(VANISHING);
            Err(Error::NotStarted { reason, hint })
        }
        // Nothing was ever there to speak if the fork failed. Otherwise a failure on this side says nothing about the daemon.
        Outcome::Died => forked.and(Err(Error::NotStarted {
            reason: "it died without a word".into(),
            hint,
        })),
        Outcome::Silent => {
            if let Some(process) = &heard.process {
                let _ = process.send(Signal::TERM);
            }
            let outcome = match heard.pid {
                Some(pid) if !ended_within(drain_time + GRACE + GRACE) => {
                    format!("was told to end, but its process {pid} is still there")
                }
                _ => "has been ended".to_owned(),
            };
            Err(Error::NotReady {
                waited: start_timeout,
                outcome,
                hint,
            })
        }
    }
}
