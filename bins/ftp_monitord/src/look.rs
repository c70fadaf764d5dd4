//! Whether there is something to watch, and room for what is known of it.

use std::path::PathBuf;

use edeposit_amqpdaemon::Finding;
use edeposit_ftp::Settings;

/// `log`: instead of `LOG_FILE`.
pub async fn look_around(settings: Settings, log: Option<PathBuf>) -> Vec<Finding> {
    let (setting, log) = match &log {
        Some(log) => ("--filename", log),
        None => ("LOG_FILE", &settings.log_file),
    };
    let log = match log.try_exists() {
        // It is waited for.
        Ok(false) => Finding::warning(format!("{setting} {} is not there yet", log.display()))
            .next("is ProFTPD running, with ExtendedLog set by edeposit_proftpd_init?"),
        _ => Finding::of_file(setting, log),
    };
    vec![
        log,
        Finding::of_directory("DATA_PATH", &settings.data_path),
        Finding::of_directory_to_be("STATE_PATH", &settings.state_path),
    ]
}
