//! A daemon as a Unix process: its command line, and what the commands do for it.

use std::process::ExitCode;
use std::time::Duration;

use edeposit_daemonwrapper::{Context, DaemonRunnerWrapper, Runner};
use edeposit_settings::Settings;

use crate::cli::Cli;
use crate::{AmqpDaemon, Checks, CommandLine};

impl AmqpDaemon {
    /// Does what the process's command line says; the shared command line is described by `--help`. Meant to be all of
    /// `main`, before any thread is started.
    #[must_use]
    pub fn run_from_args(mut self) -> ExitCode {
        let (command, run_own) = self.own_command.take().unzip();
        let cli = Cli::parse_args(&Runner::program_name(), &self.about, command);
        let Cli { common, metrics } = match (cli, run_own) {
            (Ok(cli), _) => cli,
            (Err(own), Some(run_own)) => return run_own(&own),
            (Err(_), None) => return ExitCode::FAILURE,
        };
        let mut checks = Checks::consuming(&self.submodule)
            .wired(self.wiring.clone())
            .metrics(metrics.clone());
        if let Some(frame) = &self.frame {
            checks = checks.of_frame(frame);
        }
        if common.look_around {
            return checks.answer_parent(&common);
        }
        // Only for the time limits here: what is wrong with the settings is said when the daemon runs, and must not keep
        // one from being stopped.
        let drain_time = Settings::load_from(common.settings.as_deref())
            .and_then(|settings| settings.submodule(&self.submodule))
            .map_or(Duration::from_secs(30), |submodule| submodule.drain_timeout);

        self.name = common.instance();
        self.metrics = metrics;
        self.settings_file = common.settings_file();
        self.state_file = common.in_state_dir("in-hand");
        self.wait_for_broker = common.wait;
        let runner = common.runner(drain_time);
        let (action, foreground) = (common.action, common.foreground);
        let mut process = Process {
            daemon: self,
            checks,
            command: common,
        };
        runner.run(action, foreground, &mut process)
    }
}

/// A daemon, and how it was called.
struct Process {
    daemon: AmqpDaemon,
    checks: Checks,
    command: CommandLine,
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
