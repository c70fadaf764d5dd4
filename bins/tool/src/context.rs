//! What every action needs: the settings, and where they came from.

use std::path::PathBuf;

use edeposit_amqp::tool_command;
use edeposit_settings::Settings;

/// The settings of this run.
pub struct Context {
    /// The settings.
    pub settings: Settings,
    /// The file named by `--settings`.
    pub file: Option<PathBuf>,
}

impl Context {
    /// A command of this tool, for a submodule, with these settings; for texts that say what to
    /// run.
    pub fn command(&self, host: &str, rest: &str) -> String {
        tool_command(self.file.as_deref(), host, rest)
    }
}
