//! `start`: becoming the daemon, in the background or in the foreground.
//!
//! Whatever can be refused is refused before the fork, so that the caller sees it: the PID file, another instance, the log
//! file. What fails after the fork, the daemon reports through a pipe.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::{Context, GRACE};
use crate::detach::{self, Side};
use crate::error::{Error, exit};
use crate::life::{self, Ending};
use crate::log::Log;
use crate::pid_file::PidFile;
use crate::report::{self, Listener, Outcome, Reporter};
use crate::say;
use crate::signals;
use crate::status_file::StatusFile;
use crate::watch;
use crate::wrapper::DaemonRunnerWrapper;

/// How long a daemon that has reported its failure may take to vanish before the command returns without it.
const VANISHING: Duration = Duration::from_secs(2);

/// What is settled before the fork.
pub(crate) struct Launch {
    pub(crate) pid_file: PidFile,
    pub(crate) log: Log,
    pub(crate) status_file: Option<PathBuf>,
    pub(crate) drain_time: Duration,
    pub(crate) start_timeout: Duration,
    pub(crate) watch_interval: Duration,
    /// What was found before the fork and does not keep the daemon from starting.
    pub(crate) warnings: Vec<String>,
}

impl Launch {
    pub(crate) fn foreground(
        self,
        daemon: &mut dyn DaemonRunnerWrapper,
    ) -> Result<ExitCode, Error> {
        say::warnings(&self.warnings);
        let status_file = self.status_file.as_deref().map(StatusFile::new);
        let context = Context::build(self.drain_time, None, status_file);
        let pid_file = Arc::new(self.pid_file);
        let ending = set_up(self.log, &context, &pid_file, self.watch_interval).map(|()| {
            tracing::info!(
                "running in the foreground with pid {}, Ctrl-C ends it",
                std::process::id()
            );
            life::live(daemon, &context)
        });
        context.remove_status();
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
                let ended = wait(listener, forked, self.start_timeout, self.drain_time, hint);
                say::warnings(&self.warnings);
                ended
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
        if let Err(error) = detached.and_then(|()| close_inherited()) {
            remove(&self.pid_file);
            reporter.failed(&error.to_string());
            return ExitCode::from(exit::FAILURE);
        }
        let pid_file = Arc::new(self.pid_file);
        reporter.pid();
        let status_file = self.status_file.as_deref().map(StatusFile::new);
        let context = Context::build(self.drain_time, Some(reporter), status_file);
        let ending = match set_up(self.log, &context, &pid_file, self.watch_interval) {
            Ok(()) => life::live(daemon, &context),
            Err(error) => Ending::Failed {
                code: exit::FAILURE,
                reason: error.to_string(),
            },
        };
        context.remove_status();
        remove(&pid_file);
        // Told last of all, so that the next command finds nothing of this daemon any more.
        if let Some(reporter) = context.take_reporter() {
            reporter.failed(ending.reason());
        }
        ExitCode::from(ending.exit_code())
    }
}

fn close_inherited() -> Result<(), Error> {
    detach::close_inherited().map_err(|error| Error::Detach(error.to_string()))
}

/// What both ways of running have in common. The number is written last: who can find the daemon can also stop it cleanly.
fn set_up(
    log: Log,
    context: &Context,
    pid_file: &Arc<PidFile>,
    watch_interval: Duration,
) -> Result<(), Error> {
    detach::forbid_core_dumps()
        .map_err(|error| Error::Detach(format!("core dumps cannot be switched off: {error}")))?;
    let log_file = log.file().cloned();
    log.install();
    life::log_panics();
    signals::watch(context, pid_file, log_file)
        .map_err(|error| Error::Detach(format!("no signals can be had: {error}")))?;
    pid_file.write_pid()?;
    watch::watch(context, pid_file, watch_interval)
        .map_err(|error| Error::Detach(format!("the PID file cannot be looked after: {error}")))
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
            let told = heard
                .process
                .as_ref()
                .is_some_and(|process| process.send(Signal::TERM).is_ok());
            let outcome = match heard.pid {
                Some(_) if told && ended_within(drain_time + GRACE + GRACE) => {
                    "has been ended".to_owned()
                }
                Some(pid) if told => {
                    format!("was told to end, but its process {pid} is still there")
                }
                Some(pid) => format!("could not be told to end, look for its process {pid}"),
                None => "has not told its process number, so it may still be there".to_owned(),
            };
            Err(Error::NotReady {
                waited: start_timeout,
                outcome,
                hint,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_was_not_told_to_end_is_not_said_to_have_ended() {
        let (listener, reporter) = report::channel().unwrap();
        let time = Duration::from_millis(20);
        let error = wait(listener, Ok(()), time, time, String::new()).unwrap_err();
        drop(reporter);
        assert_eq!(
            error.to_string(),
            "the daemon was not ready within 0.02 s and has not told its process number, so it may still be there"
        );
    }
}
