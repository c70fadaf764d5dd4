//! A RabbitMQ node of our own, tied to the life of its owner.
//!
//! The node has its own ports, all on 127.0.0.1, its own data, logs, cookie and port mapper (epmd) in a directory under
//! cargo's target directory, and reads none of the machine's RabbitMQ configuration. A small shell script, the *guardian*,
//! keeps it: it reads a pipe from the owner, and when the pipe closes, in whatever way the owner ended, it ends node and
//! epmd and removes the directory.
//!
//! `cargo xtask test` starts one node for all test executables of a run and names it in [`SHARED_NODE_VARIABLE`]; a
//! test run by hand starts its own. Either way [`RabbitNode::shared`] gives it.

mod cluster;
mod configuration;
mod control;
mod ctl;
mod guardian;
mod info;
mod management;
mod ports;
mod seat;
mod tls;
mod vhost;

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::{poll_until, target_dir};
pub use cluster::Cluster;
pub use control::Alarm;
use ctl::ctl;
use guardian::{Guardian, SERVER};
pub use info::NodeInfo;
use management::Management;
use seat::Seat;
pub use tls::{ClientIdentity, TlsFiles};
pub use vhost::{QueueState, Vhost};

/// Environment variable that describes the node to use: [`NodeInfo`] as JSON, or the path of a file that holds it.
pub const SHARED_NODE_VARIABLE: &str = "EDEPOSIT_TEST_NODE";

/// How long a node may take to answer. It takes about five seconds on two idle cores.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How often a start is tried when somebody took one of the chosen ports in the meantime.
const START_TRIES: u32 = 3;

/// A running private RabbitMQ node; see the module's concept. Ends when dropped, if this process started it.
#[derive(Debug)]
pub struct RabbitNode {
    info: NodeInfo,
    /// None for a node that another process owns.
    guardian: Option<Guardian>,
}

impl RabbitNode {
    /// Whether Debian's package `rabbitmq-server` is on this machine.
    pub fn is_installed() -> bool {
        Path::new(SERVER).exists()
    }

    /// The node all tests of this run use: the one [`SHARED_NODE_VARIABLE`] describes, else one started for this process,
    /// at the first call. A start that failed is not tried again: every further call gives the same error.
    pub fn shared() -> Result<&'static RabbitNode> {
        static SHARED: OnceLock<Result<RabbitNode, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::shared_or_new().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow!("no RabbitMQ for the tests: {error}"))
    }

    fn shared_or_new() -> Result<RabbitNode> {
        match env::var(SHARED_NODE_VARIABLE) {
            Ok(description) if !description.is_empty() => Self::attach(&description),
            _ => Self::start(),
        }
    }

    /// Uses a node that another process started and owns. `description` is [`NodeInfo`] as JSON or the path of such a file.
    pub fn attach(description: &str) -> Result<RabbitNode> {
        let json = if description.trim_start().starts_with('{') {
            description.to_owned()
        } else {
            fs::read_to_string(description)
                .with_context(|| format!("reading the node's description {description}"))?
        };
        let info = serde_json::from_str(&json)
            .with_context(|| format!("understanding the node's description {json}"))?;
        let node = RabbitNode {
            info,
            guardian: None,
        };
        if !node.is_ready() {
            bail!("the node of {SHARED_NODE_VARIABLE} does not answer: {json}");
        }
        Ok(node)
    }

    /// Starts a node with plain AMQP only, and returns when it answers. Errs with the end of the node's log.
    pub fn start() -> Result<RabbitNode> {
        Self::start_node(None)
    }

    /// Starts a node that speaks AMQP over TLS as well, on [`RabbitNode::amqps_port`]. It demands a client certificate
    /// signed by the authority of `files`.
    pub fn start_with_tls(files: &TlsFiles) -> Result<RabbitNode> {
        Self::start_node(Some(files))
    }

    fn start_node(tls: Option<&TlsFiles>) -> Result<RabbitNode> {
        if !Self::is_installed() {
            bail!("{SERVER} is missing: install RabbitMQ (apt-get install rabbitmq-server)");
        }
        let mut tries = 1;
        loop {
            let node = Self::launch(tls, None)?;
            match node.wait_until_ready() {
                Ok(()) => return Ok(node),
                Err(_) if tries < START_TRIES && node.lost_a_port() => tries += 1,
                Err(error) => bail!("{error:#}\n{}", node.log_tail()),
            }
        }
    }

    /// Starts a node and does not wait for it; one of several that belong together has a `seat` among them.
    fn launch(tls: Option<&TlsFiles>, seat: Option<&Seat>) -> Result<RabbitNode> {
        let target = target_dir()?;
        let dir = tempfile::Builder::new()
            .prefix("rabbitmq-")
            .tempdir_in(&target)
            .with_context(|| format!("making the node's directory in {}", target.display()))?;
        let [amqp_port, management_port, dist_port, free, amqps_port] = ports::free()?;
        let epmd_port = seat.map_or(free, |seat| seat.epmd_port);
        let number = seat.map_or(String::new(), |seat| format!("-{}", seat.number));
        let info = NodeInfo {
            amqp_port,
            amqps_port: tls.map(|_| amqps_port),
            management_port,
            epmd_port,
            node_name: format!("edeposit-{epmd_port}{number}@localhost"),
            dir: dir.path().to_path_buf(),
        };
        configuration::write(&info, tls)?;
        if let Some(seat) = seat {
            seat.write_cookie(&info.dir)?;
        }
        let keeps_epmd = seat.is_none_or(|seat| seat.number == 0);
        let guardian = Guardian::start(&info, dist_port, keeps_epmd)?;
        // From here on the guardian removes the directory, even if this process is killed.
        let _ = dir.keep();
        Ok(RabbitNode {
            info,
            guardian: Some(guardian),
        })
    }

    fn wait_until_ready(&self) -> Result<()> {
        poll_until("the private RabbitMQ node answers", START_WITHIN, || {
            if self.is_ready() {
                return Ok(Some(()));
            }
            if guardian::server_has_ended(&self.info.dir) {
                bail!("the private RabbitMQ node ended while starting");
            }
            Ok(None)
        })
    }

    fn is_ready(&self) -> bool {
        let amqp = SocketAddr::from((Ipv4Addr::LOCALHOST, self.info.amqp_port));
        TcpStream::connect_timeout(&amqp, Duration::from_secs(1)).is_ok()
            && matches!(self.management().find(&["vhosts"], ""), Ok(Some(_)))
    }

    fn lost_a_port(&self) -> bool {
        self.log_tail().contains("eaddrinuse")
    }

    fn log_tail(&self) -> String {
        let log = self
            .info
            .dir
            .join("log")
            .join(format!("{}.log", self.info.node_name));
        let mut text = String::new();
        for file in [self.info.dir.join("server.out"), log] {
            let content = fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = content.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            text += &format!("--- end of {}\n{}\n", file.display(), tail.join("\n"));
        }
        text
    }

    /// What another process has to know to use this node.
    pub fn info(&self) -> &NodeInfo {
        &self.info
    }

    /// Port of plain AMQP on 127.0.0.1.
    pub fn amqp_port(&self) -> u16 {
        self.info.amqp_port
    }

    /// Port of AMQP over TLS on 127.0.0.1, if the node was started with it.
    pub fn amqps_port(&self) -> Option<u16> {
        self.info.amqps_port
    }

    /// Address of the management API and its web pages.
    pub fn management_url(&self) -> String {
        self.management().url().to_owned()
    }

    /// Name of the user that may do everything.
    pub fn user(&self) -> &'static str {
        management::USER
    }

    /// Password of [`RabbitNode::user`].
    pub fn password(&self) -> &'static str {
        management::PASSWORD
    }

    /// A new virtual host that no other test has: `name` with a number. Deleted when dropped.
    pub fn vhost(&self, name: &str) -> Result<Vhost> {
        Vhost::create(&self.info, name)
    }

    /// A virtual host of exactly this name that somebody else makes, such as the schema tool. Not deleted when dropped.
    pub fn open_vhost(&self, name: &str) -> Vhost {
        Vhost::open(&self.info, name)
    }

    /// Makes (or changes) a user without any permission; [`Vhost::permit`] gives some.
    pub fn create_user(&self, name: &str, password: &str) -> Result<()> {
        self.management().create_user(name, password)
    }

    /// Deletes a user made by [`RabbitNode::create_user`].
    pub fn delete_user(&self, name: &str) -> Result<()> {
        self.management().delete(&["users", name])
    }

    /// Runs `rabbitmqctl` against this node and returns what it printed.
    ///
    /// `&["stop_app"]` and `&["start_app"]` make a broker restart; not for the shared node, others are using it.
    pub fn ctl(&self, args: &[&str]) -> Result<String> {
        ctl(&self.info, args)
    }

    /// Ends the node now and waits until it is gone, directory included. Dropping does the same.
    pub fn stop(self) {}

    fn management(&self) -> Management {
        Management::new(self.info.management_port)
    }
}

impl Drop for RabbitNode {
    fn drop(&mut self) {
        if let Some(guardian) = self.guardian.take() {
            guardian.stop();
        }
    }
}
