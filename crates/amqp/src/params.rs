//! Where the broker is and how to log in.

use std::path::{Path, PathBuf};

use edeposit_settings::{Connection, Settings};

/// All that is needed to connect: the addresses of the broker's nodes, login, and the virtual host.
#[derive(Clone, Debug)]
pub struct ConnectionParams {
    /// Addresses, login, TLS and time-outs, from the settings.
    pub connection: Connection,
    /// The virtual host, e.g. `aleph`.
    pub virtualhost: String,
    /// What `edeposit_amqp_tool` calls the submodule, for messages that say what to run.
    pub submodule: String,
    /// The settings file that the command line names, if it does, for the same messages.
    pub settings_file: Option<PathBuf>,
}

/// Connection parameters for a virtual host (the original's `getConParams`).
///
/// # Errors
/// A setting has a value that cannot be used; the error names file and key.
pub fn get_con_params(
    settings: &Settings,
    virtualhost: &str,
) -> Result<ConnectionParams, edeposit_settings::Error> {
    Ok(ConnectionParams {
        connection: settings.connection()?,
        virtualhost: virtualhost.to_owned(),
        submodule: virtualhost.to_owned(),
        settings_file: settings.named_file().map(Path::to_path_buf),
    })
}

/// A command line of `edeposit_amqp_tool` for a submodule, for messages that say what to run. `settings_file` is the one that
/// the command line names, if it does; `action` is what comes after the host, such as `--create`.
#[must_use]
pub fn tool_command(settings_file: Option<&Path>, submodule: &str, action: &str) -> String {
    let settings = match settings_file {
        Some(file) => format!(" --settings {}", quoted(&file.display().to_string())),
        None => String::new(),
    };
    format!(
        "edeposit_amqp_tool{settings} --host {} {action}",
        quoted(submodule)
    )
}

/// An argument for a shell command.
#[must_use]
pub fn quoted(argument: &str) -> String {
    // A NUL cannot be part of an argument; here it is only shown.
    match shlex::Quoter::new().allow_nul(true).quote(argument) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => argument.to_owned(),
    }
}

impl ConnectionParams {
    /// The same for a submodule that is not called as its virtual host is.
    #[must_use]
    pub fn for_submodule(mut self, submodule: &str) -> Self {
        self.submodule = submodule.to_owned();
        self
    }

    /// The command that makes what is missing in the virtual host.
    #[must_use]
    pub fn create_command(&self) -> String {
        tool_command(self.settings_file.as_deref(), &self.submodule, "--create")
    }

    /// The name of this client in the broker's list of connections. With the machine's name: several may run the same
    /// daemon, and in containers all may have the same pid.
    pub(crate) fn client_name(&self) -> String {
        let machine = rustix::system::uname();
        format!(
            "edeposit {}, pid {} on {}",
            self.submodule,
            std::process::id(),
            machine.nodename().to_string_lossy()
        )
    }

    /// `host:port` of every node, for messages that concern no single one; [`Link::node`](crate::Link::node) is the one in use.
    #[must_use]
    pub fn address(&self) -> String {
        self.connection.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_as_they_stand() {
        let create = |file: Option<&str>| tool_command(file.map(Path::new), "ftp", "--create");
        assert_eq!(create(None), "edeposit_amqp_tool --host ftp --create");
        assert_eq!(
            create(Some("/etc/my site/amqp.json")),
            "edeposit_amqp_tool --settings '/etc/my site/amqp.json' --host ftp --create"
        );
        assert_eq!(quoted("my thing"), "'my thing'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted(""), "''");
    }
}
