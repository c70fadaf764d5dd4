//! A virtual host for one test.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::ctl::ctl;
use super::info::NodeInfo;
use super::management::{self, Management};

/// A virtual host that one test has for itself; deleted, with all that is in it, when dropped.
#[derive(Debug)]
pub struct Vhost {
    name: String,
    /// False for a virtual host that somebody else made: it stays.
    ours: bool,
    node: NodeInfo,
    management: Management,
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Messages delivered and not acknowledged yet.
    pub unacked: u64,
}

impl Vhost {
    pub(super) fn create(node: &NodeInfo, name: &str) -> Result<Vhost> {
        // The pid too: the test executables of a run share one node.
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut vhost = Self::open(node, &format!("{name}-{}-{number}", process::id()));
        vhost.ours = true;
        vhost.create_again()?;
        Ok(vhost)
    }

    /// Makes a virtual host that was deleted again, empty.
    pub fn create_again(&self) -> Result<()> {
        self.management
            .put(&["vhosts", &self.name], &json!({}))
            .context("creating the test's virtual host")?;
        self.permit(management::USER, ".*", ".*", ".*")
    }

    pub(super) fn open(node: &NodeInfo, name: &str) -> Vhost {
        Vhost {
            name: name.to_owned(),
            ours: false,
            node: node.clone(),
            management: Management::new(node.management_port),
        }
    }

    /// The same virtual host, for somebody who must not delete it when done.
    pub fn share(&self) -> Vhost {
        Self::open(&self.node, &self.name)
    }

    pub(super) fn management(&self) -> &Management {
        &self.management
    }

    /// The virtual host's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Port of plain AMQP on 127.0.0.1.
    pub fn amqp_port(&self) -> u16 {
        self.node.amqp_port
    }

    /// Where to connect: `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    pub fn amqp_url(&self) -> String {
        self.amqp_url_at(self.node.amqp_port)
    }

    /// [`Vhost::amqp_url`] with another port, such as a proxy's.
    pub fn amqp_url_at(&self, port: u16) -> String {
        let (user, password) = (management::USER, management::PASSWORD);
        let name: String = form_urlencoded::byte_serialize(self.name.as_bytes()).collect();
        format!("amqp://{user}:{password}@127.0.0.1:{port}/{name}")
    }

    /// Gives `user` rights in this virtual host: regular expressions of names, as RabbitMQ has them.
    pub fn permit(&self, user: &str, configure: &str, write: &str, read: &str) -> Result<()> {
        self.management
            .permit(&self.name, user, configure, write, read)
    }

    /// What a queue holds now; None if there is no such queue. [`Vhost::depth`] counts its consumers too.
    pub fn queue(&self, queue: &str) -> Result<Option<QueueState>> {
        // Without statistics, which are up to 5 s old, the broker counts when it is asked.
        let query = "?disable_stats=true&enable_queue_totals=true";
        let queues = self.management.find(&["queues", &self.name], query)?;
        let found = queues
            .as_ref()
            .and_then(Value::as_array)
            .and_then(|queues| queues.iter().find(|one| one["name"] == queue));
        Ok(found.map(|queue| {
            let number = |name: &str| queue[name].as_u64().unwrap_or(0);
            QueueState {
                ready: number("messages_ready"),
                unacked: number("messages_unacknowledged"),
            }
        }))
    }

    /// Deletes a queue, with its messages and consumers.
    pub fn delete_queue(&self, queue: &str) -> Result<()> {
        self.management.delete(&["queues", &self.name, queue])
    }

    /// Deletes an exchange.
    pub fn delete_exchange(&self, exchange: &str) -> Result<()> {
        self.management.delete(&["exchanges", &self.name, exchange])
    }

    /// Deletes the virtual host itself, now: connections to it are closed.
    pub fn delete(&self) -> Result<()> {
        self.management.delete(&["vhosts", &self.name])
    }

    /// Names of the connections to this virtual host that are open now.
    pub fn connections(&self) -> Result<Vec<String>> {
        let found = self
            .management
            .find(&["connections"], "?disable_stats=true")?;
        Ok(found
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|connection| connection["vhost"] == *self.name)
            .filter_map(|connection| connection["name"].as_str().map(str::to_owned))
            .collect())
    }

    /// Closes all open connections to this virtual host from the broker's side, and returns how many there were.
    pub fn close_all_connections(&self) -> Result<usize> {
        let count = self.connections()?.len();
        // Not by the management API: it knows a connection by its statistics, up to 5 s late.
        let reason = "closed by the test";
        ctl(
            &self.node,
            &["close_all_connections", "--vhost", &self.name, reason],
        )?;
        Ok(count)
    }

    /// The management API's list of a kind of thing in this virtual host: `exchanges`, `queues`, `bindings`.
    pub fn list(&self, kind: &str) -> Result<Vec<Value>> {
        let found = self.management.find(&[kind, &self.name], "")?;
        Ok(found
            .and_then(|list| list.as_array().cloned())
            .unwrap_or_default())
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        if let Err(error) = self.delete() {
            eprintln!("virtual host {} stays behind: {error:#}", self.name);
        }
    }
}
