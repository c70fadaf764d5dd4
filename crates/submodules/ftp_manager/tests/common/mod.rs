//! A tree of configuration and homes in a temporary directory.

use edeposit_ftp::Settings;
use edeposit_settings::{Declared, Sources};
use tempfile::TempDir;

pub struct Tree {
    _directory: TempDir,
    pub settings: Settings,
}

impl Tree {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.data_path = directory.path().join("home");
        settings.state_path = directory.path().join("state");
        settings.conf_path = directory.path().join("conf");
        settings.login_file = settings.conf_path.join("ftpd.passwd");
        for path in [&settings.data_path, &settings.conf_path] {
            std::fs::create_dir(path).unwrap();
        }
        Self {
            _directory: directory,
            settings,
        }
    }
}
