//! Who is measured, and how each is started.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use edeposit_testkit::Vhost;

use super::case::Load;
use crate::cargo::workspace;

/// An echo daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Subject {
    /// Ours: `AmqpDaemon` with a handler of a few lines.
    Daemon,
    /// Bare lapin with the same guarantees: the practical limit.
    Lapin,
    /// Bare lapin without confirms.
    LapinUnconfirmed,
    /// A loop on pika's BlockingConnection.
    Pika,
    /// aio-pika.
    AioPika,
    /// FastStream on RabbitMQ.
    Faststream,
    /// nameko.
    Nameko,
    /// Celery.
    Celery,
}

/// What a subject needs to be started.
pub struct Place<'a> {
    /// Where cargo has put the release binaries.
    pub programs: &'a Path,
    /// The Python with the peers.
    pub python: &'a Path,
    /// The subject's own virtual host.
    pub vhost: &'a Vhost,
    /// For files of the run.
    pub dir: &'a Path,
}

impl Subject {
    /// Those that other people's frameworks are.
    pub const FRAMEWORKS: [Subject; 4] = [
        Subject::AioPika,
        Subject::Faststream,
        Subject::Nameko,
        Subject::Celery,
    ];

    pub fn is_python(&self) -> bool {
        self.script().is_some()
    }

    fn script(self) -> Option<&'static str> {
        match self {
            Subject::Daemon | Subject::Lapin | Subject::LapinUnconfirmed => None,
            Subject::Pika => Some("pika_echo.py"),
            Subject::AioPika => Some("aio_pika_echo.py"),
            Subject::Faststream => Some("faststream_echo.py"),
            Subject::Nameko => Some("nameko_echo.py"),
            Subject::Celery => Some("celery_echo.py"),
        }
    }

    /// The driver's word for how it is asked.
    pub fn protocol(self) -> &'static str {
        match self {
            Subject::Celery => "celery",
            Subject::Nameko => "nameko",
            Subject::Faststream => "reply-to",
            _ => "uuid",
        }
    }

    /// Deals with requests strictly one by one.
    pub fn is_serial(self) -> bool {
        self == Subject::Pika
    }

    /// The command that runs it in the foreground. `instance` tells several of one kind apart.
    pub fn command(
        self,
        place: &Place<'_>,
        load: Load,
        prefetch: usize,
        instance: usize,
    ) -> Command {
        let url = place.vhost.amqp_url();
        let prefetch = prefetch.to_string();
        let mut command = match self.script() {
            Some(script) => {
                let mut command = Command::new(place.python);
                command
                    .arg(scripts().join(script))
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .env("BENCH_URL", &url)
                    .env("BENCH_PREFETCH", &prefetch);
                command
            }
            None if self == Subject::Daemon => {
                let name = format!("{}-{instance}", place.vhost.name());
                let mut command = Command::new(place.programs.join("bench-echo"));
                command
                    .args(["start", "-f", "--name", &name, "--pid-file"])
                    .arg(place.dir.join(format!("{name}.pid")))
                    .env("HOME", place.dir)
                    .env("RABBITMQ_HOST", "127.0.0.1")
                    .env("RABBITMQ_PORT", place.vhost.amqp_port().to_string())
                    .env("RABBITMQ_ECHO_VIRTUALHOST", place.vhost.name())
                    .env("RABBITMQ_ECHO_EXCHANGE", "echo")
                    .env("RABBITMQ_ECHO_PREFETCH", &prefetch);
                command
            }
            None => {
                let mut command = Command::new(place.programs.join("bench-lapin"));
                command.args(["--url", &url, "--prefetch", &prefetch]);
                if self == Subject::Lapin {
                    command.arg("--confirms");
                }
                command
            }
        };
        command
            .env("BENCH_PAUSE_MS", load.pause.to_string())
            .current_dir(place.dir);
        command
    }

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Subject::Daemon => "**AmqpDaemon**",
            Subject::Lapin => "bare lapin, same guarantees",
            Subject::LapinUnconfirmed => "bare lapin, no confirms",
            Subject::Pika => "pika loop",
            Subject::AioPika => "aio-pika",
            Subject::Faststream => "FastStream",
            Subject::Nameko => "nameko",
            Subject::Celery => "Celery",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Where the peers' programs are.
pub fn scripts() -> PathBuf {
    workspace().join("crates/bench/python")
}
