//! The hooks by which a program says what kind of daemon it is.

use std::process::ExitCode;

use crate::context::Context;
use crate::error::{Error, exit};
use crate::process::Running;
use crate::say;

/// A daemon: the work it does, and what happens around it.
///
/// Only [`body`](Self::body) has to be written; the other hooks have the original's behaviour.
pub trait DaemonRunnerWrapper {
    /// Looks whether the daemon can start at all, for example whether its settings can be read. `start` calls it before the
    /// fork, so it must not start threads; `restart` before it stops a daemon that could not come back. Returned are warnings:
    /// the command prints them, and what is to be in the log, the body logs. By default nothing is looked at.
    ///
    /// # Errors
    ///
    /// The command ends with the error's text and exit code 1, and nothing has been changed.
    fn check(&mut self) -> anyhow::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Answers the command `check`; gives its exit code.
    ///
    /// By default it prints what [`check`](Self::check) has found. Exit code 0 if the daemon can start, else 1.
    fn on_check(&mut self) -> ExitCode {
        match self.check() {
            Ok(warnings) => {
                say::warnings(&warnings);
                say::answer("the daemon can start");
                ExitCode::SUCCESS
            }
            Err(error) => {
                say::note(Error::Check(format!("{error:#}")));
                ExitCode::from(exit::FAILURE)
            }
        }
    }

    /// The work of the daemon. It runs in the daemon's own process, after the fork.
    ///
    /// It should call [`Context::ready`] as soon as it can do its work, for `start` waits for that, and return when it
    /// has finished or soon after [`Context::stop`] was cancelled.
    ///
    /// # Errors
    ///
    /// An error ends the daemon with exit code 1, or with that of an [`ExitWith`](crate::ExitWith). It is logged, and printed by `start` if it still waits.
    fn body(&mut self, context: &Context) -> anyhow::Result<()>;

    /// Called once at every end of [`body`](Self::body): return, error or panic. By default it logs the original's sentence.
    ///
    /// Not called when the process is ended by force: at a second signal or when the drain time is over.
    fn on_exit(&mut self) {
        tracing::info!("DaemonRunnerWrapper is shutting down.");
    }

    /// Answers `start` (also in the foreground) while another instance runs; gives the exit code of the command.
    ///
    /// By default it prints the original's sentence on standard output and, on standard error, who runs and how to
    /// run another one beside it. Exit code 1.
    fn on_is_running(&self, running: &Running) -> ExitCode {
        say::answer("It looks like a daemon is already running!");
        say::note(format_args!(
            "{running}, holds the PID file {}. To run another one beside it, give it its own --name or --pid-file",
            running.pid_file.display()
        ));
        ExitCode::from(exit::FAILURE)
    }

    /// Answers `stop` when nothing runs; gives the exit code of the command.
    ///
    /// By default it prints the original's sentence on standard output. Exit code 0, for the state asked for is there.
    fn on_stop_fail(&self) -> ExitCode {
        say::answer("There is no running instance to be stopped.");
        ExitCode::SUCCESS
    }
}
