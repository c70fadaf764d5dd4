//! A virtual host for one test.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::management::{self, Management};

/// A virtual host that one test has for itself; deleted, with all that is in it, when dropped.
#[derive(Debug)]
pub struct Vhost {
    name: String,
    /// False for a virtual host that somebody else made: it stays.
    ours: bool,
    amqp_port: u16,
    management: Management,
}

/// What a queue holds, by the management API. The numbers are up to 0.2 s old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Messages delivered and not acknowledged yet.
    pub unacked: u64,
    /// Consumers of the queue.
    pub consumers: u64,
}

impl Vhost {
    pub(super) fn create(amqp_port: u16, management: Management, name: &str) -> Result<Vhost> {
        // The pid too: the test executables of a run share one node.
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let vhost = Vhost {
            name: format!("{name}-{}-{number}", process::id()),
            ours: true,
            amqp_port,
            management,
        };
        vhost
            .management
            .put(&["vhosts", &vhost.name], &json!({}))
            .context("creating the test's virtual host")?;
        vhost.permit(management::USER, ".*", ".*", ".*")?;
        Ok(vhost)
    }

    pub(super) fn open(amqp_port: u16, management: Management, name: &str) -> Vhost {
        Vhost {
            name: name.to_owned(),
            ours: false,
            amqp_port,
            management,
        }
    }

    /// The virtual host's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Port of plain AMQP on 127.0.0.1.
    pub fn amqp_port(&self) -> u16 {
        self.amqp_port
    }

    /// Where to connect: `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    pub fn amqp_url(&self) -> String {
        let (user, password) = (management::USER, management::PASSWORD);
        let name: String = form_urlencoded::byte_serialize(self.name.as_bytes()).collect();
        format!(
            "amqp://{user}:{password}@127.0.0.1:{}/{name}",
            self.amqp_port
        )
    }

    /// Gives `user` rights in this virtual host: regular expressions of names, as RabbitMQ has them.
    pub fn permit(&self, user: &str, configure: &str, write: &str, read: &str) -> Result<()> {
        self.management
            .permit(&self.name, user, configure, write, read)
    }

    /// What a queue holds, up to 0.2 s ago; None if there is no such queue. [`Vhost::depth`](Vhost::depth) is exact.
    pub fn queue(&self, queue: &str) -> Result<Option<QueueState>> {
        let found = self.management.find(&["queues", &self.name, queue])?;
        Ok(found.map(|queue| {
            let number = |name: &str| queue[name].as_u64().unwrap_or(0);
            QueueState {
                ready: number("messages_ready"),
                unacked: number("messages_unacknowledged"),
                consumers: number("consumers"),
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

    /// Names of the open connections to this virtual host.
    pub fn connections(&self) -> Result<Vec<String>> {
        let found = self
            .management
            .find(&["vhosts", &self.name, "connections"])?;
        Ok(found
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|connection| connection["name"].as_str().map(str::to_owned))
            .collect())
    }

    /// Closes all open connections to this virtual host from the broker's side, and returns how many there were.
    pub fn close_all_connections(&self) -> Result<usize> {
        let connections = self.connections()?;
        for connection in &connections {
            self.management.delete(&["connections", connection])?;
        }
        Ok(connections.len())
    }

    /// The management API's list of a kind of thing in this virtual host: `exchanges`, `queues`, `bindings`.
    pub fn list(&self, kind: &str) -> Result<Vec<Value>> {
        let found = self.management.find(&[kind, &self.name])?;
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
