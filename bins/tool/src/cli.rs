//! The command line.

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser};
use clap_complete::Shell;
use edeposit_settings::Settings;

use crate::get::Reading;
use crate::schema::{QueueType, Shape};

/// Schema, messages, calls and checks of E-deposit's daemons in RabbitMQ.
#[derive(Debug, Parser)]
#[command(name = "edeposit_amqp_tool", version, after_help = include_str!("help.txt"))]
pub struct Args {
    /// List the names of all submodules and do nothing else
    #[arg(short, long)]
    pub list: bool,

    /// Submodule to work on: a name of --list or of a new submodule, or 'all'
    #[arg(short = 's', long)]
    pub host: Option<String>,

    /// Create the virtual host, exchange, queues and bindings of --host
    #[arg(short, long)]
    pub create: bool,

    /// Send a file's content as a request; '-' is the standard input
    #[arg(short, long, value_name = "FILE")]
    pub put: Option<PathBuf>,

    /// Print the messages of the output queue and take them off it
    #[arg(short, long)]
    pub get: bool,

    /// Seconds: --get waits so long for each message, --call for the answer, --put for the server
    #[arg(short, long, value_name = "N", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// Settings file to read instead of the usual ones
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Queues of this kind [default: without any argument, as the original]
    #[arg(long, value_name = "TYPE", help_heading = "Schema")]
    pub queue_type: Option<QueueType>,

    /// With quorum: after how many deliveries a request is taken out of its queue
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Schema")]
    pub delivery_limit: Option<u32>,

    /// Keep requests that are rejected or taken out in the queue '<input queue>.dead'
    #[arg(long, help_heading = "Schema")]
    pub dead_letter: bool,

    /// Print the schema as RabbitMQ's definitions and do nothing else
    #[arg(long, help_heading = "Schema")]
    pub export_definitions: bool,

    /// Report what is there, what is missing, and how to mend it
    #[arg(long, help_heading = "Schema")]
    pub check: bool,

    /// Send a request, print its progress and its answer
    #[arg(long, value_name = "FILE", help_heading = "Messages")]
    pub call: Option<PathBuf>,

    /// Print the messages that are there and leave them there
    #[arg(long, help_heading = "Messages")]
    pub peek: bool,

    /// --get and --peek: read this queue instead of the output queue
    #[arg(long, value_name = "QUEUE", help_heading = "Messages")]
    pub queue: Option<String>,

    /// --get, --peek and --replay: at most so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Messages")]
    pub count: Option<u32>,

    /// --get, --peek and --check: print one JSON object a line, for programs
    #[arg(long, help_heading = "Messages")]
    pub json: bool,

    /// --get: end with 1 at every time-out, also when messages came, as the Python tool did
    #[arg(
        long,
        env = "EDEPOSIT_TOOL_TIMEOUT_FAILS",
        action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new(),
        help_heading = "Messages"
    )]
    pub timeout_fails: bool,

    /// Move parked or dead-lettered messages of a queue back to where they belong
    #[arg(long, value_name = "QUEUE", help_heading = "Messages")]
    pub replay: Option<String>,

    /// Delete all messages of a queue
    #[arg(long, value_name = "QUEUE", help_heading = "Messages")]
    pub purge: Option<String>,

    /// --purge: do not ask
    #[arg(long, help_heading = "Messages")]
    pub yes: bool,

    /// Print a shell's completions and do nothing else
    #[arg(long, value_name = "SHELL")]
    pub completions: Option<Shell>,
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
    /// parses. A new submodule need not be known: its names follow the convention. What cannot be
    /// a name, or is so near to a known one that it may be misspelt, ends the program as clap
    /// would, with 2.
    pub fn host(&self, settings: &Settings) -> Option<Host> {
        let host = self.host.as_deref()?;
        let names = settings.submodule_names();
        if host == "all" {
            return Some(Host::All);
        }
        let known = names.iter().any(|name| name == host) || ALIASES.contains(&host);
        let near = settings.near_submodule(host);
        if known || named_well(host) && near.is_none() {
            Some(Host::One(host.to_owned()))
        } else {
            invalid_host(host, &names, near.as_deref())
        }
    }

    /// Options that say nothing without another one end the program as clap would.
    pub fn check(&self) {
        let reads = self.get || self.peek;
        let schema = self.create || self.export_definitions;
        let quorum = self.queue_type == Some(QueueType::Quorum);
        let rules = [
            (
                self.queue_type.is_some(),
                schema,
                "--queue-type",
                "--create or --export-definitions",
            ),
            (
                self.delivery_limit.is_some(),
                schema && quorum,
                "--delivery-limit",
                "--queue-type quorum",
            ),
            (
                self.dead_letter,
                schema || self.check,
                "--dead-letter",
                "--create, --export-definitions or --check",
            ),
            (self.queue.is_some(), reads, "--queue", "--get or --peek"),
            (
                self.count.is_some(),
                reads || self.replay.is_some(),
                "--count",
                "--get, --peek or --replay",
            ),
            (
                self.json,
                reads || self.check,
                "--json",
                "--get, --peek or --check",
            ),
            (self.yes, self.purge.is_some(), "--yes", "--purge QUEUE"),
        ];
        for (given, makes_sense, option, other) in rules {
            if given && !makes_sense {
                usage(
                    ErrorKind::MissingRequiredArgument,
                    &format!("{option} needs {other}"),
                );
            }
        }
    }

    /// The shape of the schema.
    pub fn shape(&self) -> Shape {
        Shape {
            queue_type: self.queue_type,
            delivery_limit: self.delivery_limit,
            dead_letter: self.dead_letter,
        }
    }

    /// What `--get` or `--peek` is to do; None if neither is given.
    pub fn reading(&self) -> Option<Reading> {
        (self.get || self.peek).then(|| Reading {
            queue: self.queue.clone(),
            timeout: self.timeout,
            count: self.count,
            peek: self.peek,
            json: self.json,
        })
    }

    /// The options that need `--host`, in the order in which they are carried out, as they stand
    /// in messages.
    pub fn wants_host(&self) -> Option<&'static str> {
        [
            (self.export_definitions, "--export-definitions"),
            (self.create, "--create"),
            (self.put.is_some(), "--put"),
            (self.call.is_some(), "--call"),
            (self.get, "--get"),
            (self.peek, "--peek"),
            (self.replay.is_some(), "--replay"),
            (self.purge.is_some(), "--purge"),
            (self.check, "--check"),
        ]
        .into_iter()
        .find_map(|(given, option)| given.then_some(option))
    }
}

/// Whether a submodule can have this name.
fn named_well(host: &str) -> bool {
    host.starts_with(|c: char| c.is_ascii_lowercase())
        && host
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The original's words, what may have been meant, and how to make a new name known.
fn invalid_host(host: &str, names: &[String], near: Option<&str>) -> ! {
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
    if let Some(near) = near {
        message += &format!("\n\nDid you mean '{near}'?");
    }
    if named_well(host) {
        let x = host.to_ascii_uppercase();
        message += &format!(
            " For a new submodule '{host}', set RABBITMQ_{x}_VIRTUALHOST in the settings \
             or the environment."
        );
    }
    usage(ErrorKind::InvalidValue, &message)
}

/// Ends the program as clap does it.
fn usage(kind: ErrorKind, message: &str) -> ! {
    let error = Args::command().error(kind, message);
    let _ = error.print();
    process::exit(2)
}

/// Seconds, fractions too.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "no number of seconds".to_owned())
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
        assert_eq!(host("greeter"), Some(Host::One("greeter".into())));
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("2"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "nan", "inf", "1e30", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
