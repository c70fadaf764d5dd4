//! What every action needs: the settings, and where they came from.

use std::path::PathBuf;

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
        let settings = match &self.file {
            Some(file) => format!(" --settings {}", quoted(&file.display().to_string())),
            None => String::new(),
        };
        format!("edeposit_amqp_tool{settings} --host {host} {rest}")
    }
}

/// An argument for a shell command.
pub fn quoted(argument: &str) -> String {
    // A NUL cannot be part of an argument; here it is only shown.
    match shlex::Quoter::new().allow_nul(true).quote(argument) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("ftp"), "ftp");
        assert_eq!(quoted("my thing"), "'my thing'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted(""), "''");
    }
}
