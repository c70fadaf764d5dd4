//! Whether accounts and homes can be made.

use std::path::Path;

use edeposit_amqpdaemon::Finding;
use edeposit_ftp::Settings;

/// All of it is looked at anew for each request: rights that are given later help a daemon that runs.
pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    // The password file is replaced as a whole at each change, and made by the first one.
    let passwords = settings.login_file.parent().unwrap_or(Path::new("/"));
    let mut findings = vec![
        directory("DATA_PATH", &settings.data_path),
        directory("LOGIN_FILE", passwords),
    ];
    if settings.login_file.exists() {
        findings.push(Finding::of_file("LOGIN_FILE", &settings.login_file).for_now());
    }
    if !settings.conf_file.exists() {
        let file = settings.conf_file.display();
        findings.push(
            Finding::warning(format!("ProFTPD's configuration {file} is not there"))
                .next("run edeposit_proftpd_init, or correct CONF_FILE"),
        );
    }
    let state = Finding::of_directory_to_be("STATE_PATH", &settings.state_path);
    findings.push(state.for_now());
    findings
}

fn directory(setting: &str, path: &Path) -> Finding {
    let finding = Finding::of_directory(setting, path);
    match path.is_dir() {
        true => finding.for_now(),
        false => finding,
    }
}
