//! The guardian: a shell script that ends the node when the pipe from its owner closes.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::info::NodeInfo;

/// Where Debian's package has the server itself; the wrapper in /usr/sbin insists on its own user.
pub(super) const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

const SCRIPT: &str = include_str!("guardian.sh");

/// The guardian's process; its standard input is the pipe that keeps the node.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
}

impl Guardian {
    /// Starts the node, and its epmd if no other node's guardian keeps that.
    pub(super) fn start(info: &NodeInfo, dist_port: u16, keeps_epmd: bool) -> Result<Guardian> {
        let script = info.dir.join("guardian.sh");
        fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        let child = Command::new("/bin/sh")
            .arg(&script)
            .arg(&info.dir)
            .arg(SERVER)
            .arg(if keeps_epmd { "epmd" } else { "" })
            .env_clear()
            .envs(environment(info))
            // Where a dump would be written if Erlang crashed.
            .current_dir(&info.dir)
            .env("RABBITMQ_DIST_PORT", dist_port.to_string())
            .env("RABBITMQ_NODE_PORT", info.amqp_port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is meant for the owner; the node follows in its own time.
            .process_group(0)
            .spawn()
            .context("starting the guardian of the private RabbitMQ node")?;
        Ok(Guardian { child })
    }

    /// Starts the node again, on the same ports and data; it must have ended.
    pub(super) fn start_again(&self) -> Result<()> {
        let mut orders = self
            .child
            .stdin
            .as_ref()
            .context("the guardian has ended")?;
        orders
            .write_all(b"again\n")
            .context("telling the guardian to start the node again")
    }

    /// Closes the pipe and waits for the end of node and epmd.
    pub(super) fn stop(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The node's whole environment: nothing of ours leaks in, and no configuration of the machine is read.
pub(super) fn environment(info: &NodeInfo) -> Vec<(&'static str, OsString)> {
    let in_dir = |name: &str| info.dir.join(name).into_os_string();
    vec![
        ("PATH", search_path()),
        ("LANG", "C.UTF-8".into()),
        // Erlang keeps its cookie here, so that only we can talk to the node.
        ("HOME", info.dir.clone().into_os_string()),
        ("ERL_EPMD_PORT", info.epmd_port.to_string().into()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("RABBITMQ_NODENAME", info.node_name.clone().into()),
        ("RABBITMQ_CONF_ENV_FILE", in_dir("rabbitmq-env.conf")),
        ("RABBITMQ_CONFIG_FILE", in_dir("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", in_dir("advanced.config")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", in_dir("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", in_dir("data")),
        ("RABBITMQ_LOG_BASE", in_dir("log")),
        ("RABBITMQ_ALLOW_INPUT", "1".into()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}".into(),
        ),
    ]
}

/// The caller's search path, with the places of `erl` and `epmd` for those whose path is short.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    path
}

/// The pid of the node's Erlang machine, running or ended.
pub(super) fn server_pid(dir: &Path) -> Result<i32> {
    let path = dir.join("server.pid");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.trim().parse().context("reading the node's pid")
}

/// Whether the node was started and has ended since. It may be a zombie then, which the guardian has not buried yet.
pub(super) fn server_has_ended(dir: &Path) -> bool {
    let Ok(pid) = server_pid(dir) else {
        return false;
    };
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The state follows the program's name, which stands in parentheses.
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z')),
        Err(_) => true,
    }
}
