//! Doing harm to a node: ending it, freezing it, alarms, policies, and undoing it.
//!
//! Not for the node that all tests share, except where a method says that it touches one virtual host or user only: the
//! others are using it. What ends or freezes a node errs if another process owns it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{RabbitNode, guardian};
use crate::poll_until;

/// A killed process is gone in no time.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// What makes a node take no more messages from publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Too little memory.
    Memory,
    /// Too little free disk.
    Disk,
}

/// RabbitMQ's own defaults, or what `configuration.rs` says.
const MEMORY_LIMIT: &str = "0.4";
const DISK_LIMIT: &str = "10MB";

impl RabbitNode {
    /// The pid of its Erlang machine.
    ///
    /// # Errors
    /// Another process owns the node.
    pub fn pid(&self) -> Result<i32> {
        self.guardian()?;
        guardian::server_pid(&self.info.dir)
    }

    /// Has the node write to disk what has been declared in it. A kill loses declarations of the last seconds otherwise,
    /// confirmed as they are: RabbitMQ keeps its schema in Mnesia, which writes late.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn flush_schema(&self) -> Result<()> {
        match self.eval("mnesia:sync_log().")?.as_str() {
            "ok" => Ok(()),
            other => bail!("flushing the schema: {other}"),
        }
    }

    /// Ends the node's Erlang machine on the spot (kill -9), and returns when it is gone. [`RabbitNode::start_again`] brings
    /// it back; the data stay as the disk has them.
    ///
    /// # Errors
    /// Another process owns the node, or it does not end.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        poll_until("the killed node is gone", GONE_WITHIN, || {
            Ok(guardian::server_has_ended(&self.info.dir).then_some(()))
        })
    }

    /// Starts a node that was killed, on the same ports and with the same data, and returns when it answers.
    ///
    /// # Errors
    /// It does not come up; the error has the end of its log.
    pub fn start_again(&self) -> Result<()> {
        self.start_again_unwaited()?;
        self.await_ready()
    }

    /// [`RabbitNode::start_again`], but returns at once.
    ///
    /// # Errors
    /// Another process owns the node, or it has not ended.
    pub fn start_again_unwaited(&self) -> Result<()> {
        if !guardian::server_has_ended(&self.info.dir) {
            bail!("node {} has not ended", self.info.node_name);
        }
        let before = self.pid()?;
        self.guardian()?.start_again()?;
        poll_until("the node is started again", GONE_WITHIN, || {
            Ok((self.pid()? != before).then_some(()))
        })
    }

    /// Returns when the node answers.
    ///
    /// # Errors
    /// It does not, in time; the error has the end of its log.
    pub fn await_ready(&self) -> Result<()> {
        self.wait_until_ready().with_context(|| self.log_tail())
    }

    /// Has the Erlang machine do nothing at all (SIGSTOP): the kernel still accepts connections, nobody answers on them.
    ///
    /// # Errors
    /// Another process owns the node.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen node go on (SIGCONT).
    ///
    /// # Errors
    /// Another process owns the node.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Stops RabbitMQ; the Erlang machine stays and can start it again.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn stop_app(&self) -> Result<()> {
        self.ctl(&["stop_app"]).map(drop)
    }

    /// Starts RabbitMQ in its Erlang machine, and returns when it is up.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn start_app(&self) -> Result<()> {
        self.ctl(&["start_app"])?;
        self.ctl(&["await_startup"]).map(drop)
    }

    /// Raises an alarm: connections that publish are blocked.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn raise(&self, alarm: Alarm) -> Result<()> {
        match alarm {
            Alarm::Memory => self.memory_limit("0.000001"),
            Alarm::Disk => self.disk_limit("9999GB"),
        }
    }

    /// Takes an alarm back.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn clear(&self, alarm: Alarm) -> Result<()> {
        match alarm {
            Alarm::Memory => self.memory_limit(MEMORY_LIMIT),
            Alarm::Disk => self.disk_limit(DISK_LIMIT),
        }
    }

    fn memory_limit(&self, share: &str) -> Result<()> {
        self.ctl(&["set_vm_memory_high_watermark", share]).map(drop)
    }

    fn disk_limit(&self, limit: &str) -> Result<()> {
        self.ctl(&["set_disk_free_limit", limit]).map(drop)
    }

    /// Takes no new connections; the open ones stay (maintenance).
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn suspend_listeners(&self) -> Result<()> {
        self.ctl(&["suspend_listeners"]).map(drop)
    }

    /// Takes new connections again.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn resume_listeners(&self) -> Result<()> {
        self.ctl(&["resume_listeners"]).map(drop)
    }

    /// Runs an Erlang expression in the node and returns its value as Erlang writes it.
    ///
    /// # Errors
    /// It fails.
    pub fn eval(&self, expression: &str) -> Result<String> {
        Ok(self.ctl(&["eval", expression])?.trim().to_owned())
    }

    /// How long a delivery may stay unacknowledged before its channel is closed (30 min by default). The broker looks once
    /// a minute.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn set_consumer_timeout(&self, limit: Duration) -> Result<()> {
        self.set_env("consumer_timeout", limit.as_millis())
    }

    /// The longest frame the broker negotiates on connections to come, in bytes.
    ///
    /// # Errors
    /// rabbitmqctl fails.
    pub fn set_frame_max(&self, bytes: u32) -> Result<()> {
        self.set_env("frame_max", u128::from(bytes))
    }

    fn set_env(&self, name: &str, value: u128) -> Result<()> {
        let expression = format!("application:set_env(rabbit, {name}, {value}).");
        match self.eval(&expression)?.as_str() {
            "ok" => Ok(()),
            other => bail!("{expression} {other}"),
        }
    }

    /// Changes a user's password. Open connections stay. Touches this user only.
    ///
    /// # Errors
    /// There is no such user.
    pub fn change_password(&self, user: &str, password: &str) -> Result<()> {
        self.ctl(&["change_password", user, password]).map(drop)
    }

    fn guardian(&self) -> Result<&guardian::Guardian> {
        self.guardian
            .as_ref()
            .context("this node belongs to another process")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid()?).context("the node's pid")?;
        kill_process(pid, signal).with_context(|| format!("sending {signal:?} to the node"))
    }
}

impl super::Vhost {
    /// Takes all rights in this virtual host from `user`. Open connections stay, and may go on with what their channels
    /// have been allowed before.
    ///
    /// # Errors
    /// The management API fails.
    pub fn revoke(&self, user: &str) -> Result<()> {
        self.management()
            .delete(&["permissions", self.name(), user])
    }

    /// Lays a policy over queues whose names fit the regular expression, e.g. `json!({"max-length": 10})`.
    ///
    /// # Errors
    /// The broker does not take it.
    pub fn set_policy(&self, name: &str, pattern: &str, definition: &Value) -> Result<()> {
        let policy = json!({ "pattern": pattern, "definition": definition, "apply-to": "queues" });
        self.management()
            .put(&["policies", self.name(), name], &policy)
    }

    /// Takes a policy back.
    ///
    /// # Errors
    /// The management API fails.
    pub fn clear_policy(&self, name: &str) -> Result<()> {
        self.management().delete(&["policies", self.name(), name])
    }
}
