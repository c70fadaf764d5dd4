//! Whether accounts and homes can be made.

use std::path::Path;

use edeposit_amqpdaemon::Finding;
use edeposit_ftp::Settings;

pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::of_directory("DATA_PATH", &settings.data_path)];
    // It is replaced as a whole at each change, and made by the first one.
    let directory = settings.login_file.parent().unwrap_or(Path::new("/"));
    findings.push(Finding::of_directory("directory of LOGIN_FILE", directory));
    if settings.login_file.exists() {
        findings.push(Finding::of_file("LOGIN_FILE", &settings.login_file));
    }
    if !settings.conf_file.exists() {
        let file = settings.conf_file.display();
        findings.push(
            Finding::warning(format!("ProFTPD's configuration {file} is not there"))
                .next("run edeposit_proftpd_init, or correct CONF_FILE"),
        );
    }
    findings.push(Finding::of_directory_to_be(
        "STATE_PATH",
        &settings.state_path,
    ));
    findings
}
