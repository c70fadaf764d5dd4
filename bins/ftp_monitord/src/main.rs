//! The monitor of the submodule ftp: imports what was uploaded over FTP. It consumes no queue, it publishes.

mod daemon;
mod look;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon::FtpMonitord;
use edeposit_amqpdaemon::{Checks, CommandLine};
use edeposit_settings::Settings;

/// ProFTPD log monitor: publishes what users have uploaded, when they delete the lock file.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    common: CommandLine,

    /// ProFTPD's extended log [default: LOG_FILE of ftp.json]; it is waited for if it is not there
    #[arg(short = 'n', long, value_name = "LOG")]
    filename: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Cli { common, filename } = Cli::parse();
    // What is wrong with the settings is said when the daemon runs.
    let drain_time = Settings::load_from(common.settings.as_deref())
        .and_then(|settings| settings.submodule(daemon::SUBMODULE))
        .map_or(Duration::from_secs(30), |submodule| submodule.drain_timeout);
    let log = filename.map(|path| std::path::absolute(&path).unwrap_or(path));
    let log_to_look_at = log.clone();
    let checks = Checks::publishing(daemon::SUBMODULE, move |settings| {
        look::look_around(settings, log_to_look_at.clone())
    });
    if common.look_around {
        return checks.answer_parent(&common);
    }
    let runner = common.runner(drain_time);
    let (action, foreground) = (common.action, common.foreground);
    let mut daemon = FtpMonitord {
        command: common,
        log,
        checks,
    };
    runner.run(action, foreground, &mut daemon)
}
