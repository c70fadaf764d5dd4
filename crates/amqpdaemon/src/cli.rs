//! The command line that all daemons share.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser};
use edeposit_daemonwrapper::{Action, LogTarget, Runner, state_dir};

use crate::check::FLAG;
use crate::metrics_server::MetricsAddress;

/// What was typed.
#[derive(Debug, Parser)]
#[command(disable_version_flag = false, version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: CommandLine,

    /// Serve /metrics (for Prometheus) and /healthz over HTTP at this address: PORT (of 127.0.0.1) or HOST:PORT
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<MetricsAddress>,
}

/// What all daemons have on their command line, those that consume no queue too: flatten it into a [`Parser`].
#[derive(Debug, clap::Args)]
pub struct CommandLine {
    /// Start it, stop it, do both in that order, say whether it runs, or whether it could do its work
    #[arg(value_name = "start|stop|restart|status|check", value_parser = action())]
    pub action: Action,

    /// Run in the foreground, not as a Unix daemon: logs to standard error, Ctrl-C ends it
    #[arg(short, long)]
    pub foreground: bool,

    /// Read the settings from this file instead of $HOME/edeposit/amqp.json or /etc/edeposit/amqp.json
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Name of this instance, for its PID and log files; to run several, name them
    #[arg(long)]
    pub name: Option<String>,

    /// PID file [default: NAME.pid in $RUNTIME_DIRECTORY, else in /tmp]
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Log file [default: /var/log/edeposit/NAME.log for root, else ~/.local/state/edeposit/NAME.log]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Directory for which requests are in hand (it outlives the daemon), and for what status tells [default: $STATE_DIRECTORY, else
    /// /var/lib/edeposit for root, else ~/.local/state/edeposit]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Log more; twice for every detail
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// At the start, wait for RabbitMQ if it is away instead of failing
    #[arg(long)]
    pub wait: bool,

    /// With stop and restart: kill a daemon that does not end in time
    #[arg(long)]
    pub force: bool,

    /// With check: print one JSON object, for programs
    #[arg(long)]
    pub json: bool,

    /// Only look at the world that the daemon needs, and tell what was found as JSON, whatever the command is: what `start`
    /// runs in a process of its own. A daemon's `main` answers it with [`Checks::answer_parent`](crate::Checks::answer_parent).
    #[arg(long = FLAG, hide = true)]
    pub look_around: bool,
}

fn action() -> impl TypedValueParser<Value = Action> {
    PossibleValuesParser::new(Action::ALL.map(Action::as_str))
        // The parser has let only these words through.
        .try_map(|word| word.parse::<Action>())
}

impl CommandLine {
    /// The name of this instance: the one given, or the program's.
    #[must_use]
    pub fn instance(&self) -> String {
        self.name.clone().unwrap_or_else(Runner::program_name)
    }

    /// The file for this purpose in the directory that outlives the daemon; none if there is no such directory.
    #[must_use]
    pub fn in_state_dir(&self, purpose: &str) -> Option<PathBuf> {
        let directory = self.state_dir.clone().or_else(state_dir)?;
        Some(absolute(directory).join(format!("{}.{purpose}", self.instance())))
    }

    /// The settings file given. It is absolute: a daemon's working directory is `/`.
    #[must_use]
    pub fn settings_file(&self) -> Option<PathBuf> {
        self.settings.clone().map(absolute)
    }

    /// What carries the command out for a daemon that may take so long to finish what is in hand.
    #[must_use]
    pub fn runner(&self, drain_time: Duration) -> Runner {
        let mut runner = Runner::new(self.instance())
            .verbosity(self.verbose)
            // It logs every failure on its way up; the session's supervisor says it once.
            .quiet("lapin")
            .drain_time(drain_time)
            .force(self.force);
        if let Some(path) = self.in_state_dir("status") {
            runner = runner.status_file(path);
        }
        if let Some(path) = &self.pid_file {
            runner = runner.pid_file(path);
        }
        if let Some(path) = &self.log_file {
            runner = runner.log(LogTarget::File(path.clone()));
        }
        runner
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

impl Cli {
    /// Reads the process's command line; an error is what was typed for the daemon's `own` command. Help, version and
    /// mistakes end the process: exit 0 for the first two, else 2.
    pub(crate) fn parse_args(
        program: &str,
        about: &str,
        own: Option<Command>,
    ) -> Result<Self, ArgMatches> {
        let mut matches = Self::with_own(own)
            .name(program.to_owned())
            .bin_name(program)
            .about(about.to_owned())
            .after_help(after_help(program))
            .get_matches();
        match matches.remove_subcommand() {
            Some((_, own)) => Err(own),
            None => Ok(Self::from_arg_matches(&matches).unwrap_or_else(|e| e.exit())),
        }
    }

    fn with_own(own: Option<Command>) -> Command {
        let command = Self::command();
        match own {
            Some(own) => command
                .subcommand(own)
                .subcommand_negates_reqs(true)
                .args_conflicts_with_subcommands(true)
                .disable_help_subcommand(true),
            None => command,
        }
    }
}

fn after_help(program: &str) -> String {
    format!(
        "Examples:
  {program} start               start as a daemon; returns when it is ready
  {program} start -f            the same in this terminal
  {program} start --name two    a second instance on this machine; stop and status need its name too
  {program} stop                finish the requests in hand, then end
  {program} check               every setting and where it comes from; is all there that the daemon needs?

Exit codes: 0 done; 1 failed, or already running (the reason is on standard error), or check has found
a failure; 2 wrong usage; 3 status: not running; 4 not allowed to stop it. With -f also 70: ended by
itself because handlers block its threads for ever, to be started anew; 75: ended by a signal, with
requests in hand that were not finished in the drain time (they are back in the queue).

start and restart check too: warnings are on standard error. restart leaves a running daemon alone if a
new one could not come up. check changes nothing, and may be run at any time.

Signals: TERM, INT, QUIT end it (again, a second later: at once); HUP reopens the log file."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["daemon", "start", "-f"]);
        assert!(cli.common.foreground && cli.common.action == Action::Start);
        assert!(Cli::try_parse_from(["daemon"]).is_err());
        assert!(Cli::try_parse_from(["daemon", "stat"]).is_err());
    }

    #[test]
    fn a_command_of_the_daemons_own_stands_beside_the_others() {
        let own = || Cli::with_own(Some(Command::new("convert").arg(clap::arg!(<FILE>))));
        own().debug_assert();
        let matches = own().get_matches_from(["daemon", "convert", "x.xml"]);
        let (name, own_matches) = matches.subcommand().unwrap();
        assert_eq!(name, "convert");
        assert_eq!(own_matches.get_one::<String>("FILE").unwrap(), "x.xml");
        let started = own().get_matches_from(["daemon", "start", "-f"]);
        assert!(Cli::from_arg_matches(&started).unwrap().common.foreground);
        for wrong in [
            ["daemon", "stat"].as_slice(),
            &["daemon", "convert"],
            &["daemon"],
        ] {
            assert!(own().try_get_matches_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
