//! The command line.

use std::path::PathBuf;
use std::process;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use edeposit_settings::Settings;

const AFTER_HELP: &str = "\
Examples:
  edeposit_amqp_tool --list
      the names that --host takes
  edeposit_amqp_tool --host ftp --create
      create the exchange, the queues and the bindings of the FTP daemons
  edeposit_amqp_tool --host all --create
      the same for every name of --list
  RABBITMQ_GREETER_VIRTUALHOST=greeter edeposit_amqp_tool --host greeter --create
      the same for a new submodule 'greeter'

--create may be repeated without harm: what is there already stays as it is. A missing virtual
host is created through RabbitMQ's management API, if the API answers and the user may do that;
otherwise the commands that create it are shown.

The server and the login are taken from --settings FILE, else $HOME/edeposit/amqp.json, else
/etc/edeposit/amqp.json; environment variables such as RABBITMQ_HOST, RABBITMQ_PORT,
RABBITMQ_USER_NAME and RABBITMQ_USER_PASSWORD override the file.

Exit codes:
  0  done
  1  failed; the reason is on standard error
  2  wrong usage";

/// Creates the exchanges and queues of E-deposit's daemons in RabbitMQ.
#[derive(Debug, Parser)]
#[command(name = "edeposit_amqp_tool", version, after_help = AFTER_HELP)]
pub struct Args {
    /// List the names of all submodules and do nothing else
    #[arg(short, long)]
    pub list: bool,

    /// Submodule to work on: a name of --list, or 'all'
    #[arg(short = 's', long)]
    pub host: Option<String>,

    /// Create the virtual host, exchange, queues and bindings of --host
    #[arg(short, long)]
    pub create: bool,

    /// Settings file to read instead of the usual ones
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// What `--host` means.
#[derive(Debug, PartialEq, Eq)]
pub enum Host {
    /// Every submodule.
    All,
    /// The one of this name.
    One(String),
}

/// Two submodules are also known by the names of their virtual hosts.
const ALIASES: [&str; 2] = ["downloader", "marcxml2mods"];

impl Args {
    /// `--host`, checked. The names depend on the settings, so clap cannot check them while it
    /// parses; an unknown one ends the program as clap would, with 2.
    pub fn host(&self, settings: &Settings) -> Option<Host> {
        let host = self.host.as_deref()?;
        let names = settings.submodule_names();
        if host == "all" {
            Some(Host::All)
        } else if names.iter().any(|name| name == host) || ALIASES.contains(&host) {
            Some(Host::One(host.to_owned()))
        } else {
            invalid_host(host, &names)
        }
    }
}

/// The original's words, and how to make a new name known.
fn invalid_host(host: &str, names: &[String]) -> ! {
    let choices: Vec<String> = names
        .iter()
        .map(String::as_str)
        .chain(["all"])
        .map(|name| format!("'{name}'"))
        .collect();
    let mut message = format!(
        "argument -s/--host: invalid choice: '{host}' (choose from {})",
        choices.join(", ")
    );
    let named_well = host.starts_with(|c: char| c.is_ascii_lowercase())
        && host
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if named_well {
        let x = host.to_ascii_uppercase();
        message += &format!(
            "\n\nFor a new submodule '{host}', set RABBITMQ_{x}_VIRTUALHOST in the settings \
             or the environment."
        );
    }
    let error = Args::command().error(ErrorKind::InvalidValue, message);
    let _ = error.print();
    process::exit(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_settings::Sources;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn hosts_are_those_of_the_settings() {
        let settings = Settings::load_sources(&Sources::none()).unwrap();
        let host =
            |name: &str| Args::parse_from(["edeposit_amqp_tool", "-s", name]).host(&settings);
        assert_eq!(host("all"), Some(Host::All));
        assert_eq!(host("ftp"), Some(Host::One("ftp".into())));
        assert_eq!(host("marcxml2mods"), Some(Host::One("marcxml2mods".into())));
    }
}
