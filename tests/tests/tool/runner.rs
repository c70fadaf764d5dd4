//! Runs the tool as an operator does, and looks into RabbitMQ afterwards.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use anyhow::{Context, Result};
use edeposit_testkit::{RabbitNode, Vhost, bin_dir};
use edeposit_tests::PATIENCE;
use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::{BasicProperties, Channel, Connection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What the documentation shows for `--create --host ftp`.
pub const FTP: &str = "\
Created exchange 'ftp'.
Creating queues:
  Created durable queue 'daemon'.
  Created durable queue 'plone'.

Routing exchanges using routing key to queues:
  Routing exchange ftp['request'] -> 'daemon'.
  Routing exchange ftp['result'] -> 'plone'.
";

pub const NAMES: [&str; 11] = [
    "aleph",
    "calibre",
    "ftp",
    "antivirus",
    "harvester",
    "ltp",
    "pdfgen",
    "downer",
    "storage",
    "mx2mods",
    "aleph_link_export",
];

/// The tool, with a home of its own and nothing else in its environment.
pub struct Tool {
    pub home: TempDir,
    pub env: Vec<(String, String)>,
}

pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Tool {
    pub fn new() -> Result<Self> {
        Ok(Tool {
            home: tempfile::tempdir()?,
            env: Vec::new(),
        })
    }

    /// The tool for a node, the FTP daemons' schema to be in this virtual host.
    pub fn of(node: &RabbitNode, vhost: &str) -> Result<Self> {
        Ok(Tool::new()?
            .set("RABBITMQ_PORT", node.amqp_port())
            .set("RABBITMQ_MANAGEMENT_URL", node.management_url())
            .set("RABBITMQ_FTP_VIRTUALHOST", vhost))
    }

    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let program = bin_dir()?.join("edeposit_amqp_tool");
        anyhow::ensure!(
            program.is_file(),
            "{} is not built: cargo build --workspace",
            program.display()
        );
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        Ok(command)
    }

    pub fn run(&self, args: &[&str]) -> Result<Outcome> {
        self.run_with(args, b"")
    }

    /// Runs the tool with this standard input.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Result<Outcome> {
        finish(self.command(args)?, input)
    }

    /// Runs the tool for the FTP daemons.
    pub fn ftp(&self, args: &[&str]) -> Result<Outcome> {
        self.ftp_with(args, b"")
    }

    /// [`Tool::ftp`] with this standard input.
    pub fn ftp_with(&self, args: &[&str], input: &[u8]) -> Result<Outcome> {
        self.run_with(&[&["--host", "ftp"], args].concat(), input)
    }

    pub fn create_ftp(&self) -> Result<Outcome> {
        self.run(&["--host", "ftp", "--create"])
    }
}

impl Outcome {
    /// Standard output, if it went well and said nothing else.
    pub fn success(self) -> Result<String> {
        anyhow::ensure!(
            (self.code, self.stderr.as_str()) == (Some(0), ""),
            "exit code {:?}, standard error: {}",
            self.code,
            self.stderr
        );
        Ok(self.stdout)
    }
}

/// Runs a command to its end, or kills it when it takes too long.
pub fn finish(mut command: Command, input: &[u8]) -> Result<Outcome> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running the tool")?;
    let pid = Pid::from_child(&child);
    let (done, is_done) = mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    // Whether it reads its input is its own affair.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output()?;
    drop(done);
    let _ = guard.join();
    Ok(Outcome {
        code: status.code(),
        stdout: String::from_utf8(stdout)?,
        stderr: String::from_utf8(stderr)?,
    })
}

/// Exchanges, queues and bindings made by hand, as one text.
pub fn schema(vhost: &Vhost) -> Result<String> {
    let mut lines = Vec::new();
    for exchange in vhost.list("exchanges")? {
        let name = exchange["name"].as_str().unwrap_or_default();
        if !name.is_empty() && !name.starts_with("amq.") {
            lines.push(format!(
                "{name} {} durable={} auto_delete={}",
                exchange["type"], exchange["durable"], exchange["auto_delete"]
            ));
        }
    }
    for queue in vhost.list("queues")? {
        lines.push(format!(
            "{} durable={} auto_delete={} exclusive={}",
            queue["name"], queue["durable"], queue["auto_delete"], queue["exclusive"]
        ));
    }
    for binding in vhost.list("bindings")? {
        if binding["source"] != "" {
            lines.push(format!(
                "{} {} -> {}",
                binding["source"], binding["routing_key"], binding["destination"]
            ));
        }
    }
    lines.sort();
    Ok(lines.join("\n"))
}

pub const FTP_SCHEMA: &str = r#""daemon" durable=true auto_delete=false exclusive=false
"ftp" "request" -> "daemon"
"ftp" "result" -> "plone"
"plone" durable=true auto_delete=false exclusive=false
ftp "topic" durable=true auto_delete=false"#;

/// A virtual host with the FTP daemons' schema, the tool for it, and a channel into it.
pub struct Ftp {
    pub tool: Tool,
    pub channel: Channel,
    _connection: Connection,
    // Last: it is deleted when dropped.
    pub vhost: Vhost,
}

impl Ftp {
    pub async fn new() -> Result<Ftp> {
        Self::with(&[]).await
    }

    /// With these further options of `--create`.
    pub async fn with(options: &[&str]) -> Result<Ftp> {
        let node = RabbitNode::shared()?;
        let vhost = node.vhost("tool")?;
        let tool = Tool::of(node, vhost.name())?;
        let created = tool.ftp(&[&["--create"], options].concat())?;
        anyhow::ensure!(created.code == Some(0), "{}", created.stderr);
        let (connection, channel) = vhost.connect().await?;
        Ok(Ftp {
            tool,
            channel,
            _connection: connection,
            vhost,
        })
    }

    pub async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: impl AsRef<[u8]>,
        properties: BasicProperties,
    ) -> Result<()> {
        let options = BasicPublishOptions::default();
        self.channel
            .basic_publish(
                exchange.into(),
                key.into(),
                options,
                body.as_ref(),
                properties,
            )
            .await?;
        Ok(())
    }

    /// Puts a message straight into a queue, and waits until it is there.
    pub async fn put(&self, queue: &str, body: &str, properties: BasicProperties) -> Result<()> {
        let before = self.messages(queue).await?;
        self.publish("", queue, body, properties).await?;
        edeposit_testkit::wait_until("the message is in the queue", PATIENCE, async || {
            self.messages(queue).await.ok() == Some(before + 1)
        })
        .await
    }

    /// The next message of a queue, which must have one.
    pub async fn take(&self, queue: &str) -> Result<Delivery> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await?;
        Ok(got
            .with_context(|| format!("queue {queue} is empty"))?
            .delivery)
    }

    pub async fn messages(&self, queue: &str) -> Result<u32> {
        Ok(self.vhost.depth(queue).await?.0)
    }
}
