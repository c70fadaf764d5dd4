//! A daemon as a Unix process: what its commands do for it.

use std::process::ExitCode;

use edeposit_daemonwrapper::{Context, DaemonRunnerWrapper};

use crate::{AmqpDaemon, Checks, CommandLine};

/// A daemon, and how it was called.
pub(crate) struct Process {
    pub(crate) daemon: AmqpDaemon,
    pub(crate) checks: Checks,
    pub(crate) command: CommandLine,
}

impl DaemonRunnerWrapper for Process {
    fn check(&mut self) -> anyhow::Result<Vec<String>> {
        self.checks.before_start(&self.command)
    }

    fn on_check(&mut self) -> ExitCode {
        self.checks.report(&self.command)
    }

    fn body(&mut self, context: &Context) -> anyhow::Result<()> {
        self.checks.at_start(&self.command, context)?;
        self.daemon.run(context)
    }
}
