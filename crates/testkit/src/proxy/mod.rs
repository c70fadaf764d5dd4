//! A way to the broker that fails when told to.
//!
//! A [`FaultProxy`] listens on a port of its own and passes every connection on to the broker's port. It works on TCP alone
//! and knows nothing of AMQP. What it can spoil is named by [`Way`]: *up* is from the client to the broker, *down* back.
//! A fault set on the proxy holds for all connections, those to come as well; one set on a [`ProxiedConnection`] holds for
//! that one only. Connections are numbered from 0 in the order in which they came.
//!
//! It runs on a thread of its own, so it goes on while the thread of a test is blocked, and in any kind of runtime.

mod carry;
mod connection;
mod fault;
mod gate;
mod shared;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

pub use connection::ProxiedConnection;
use connection::{Counted, Starting};
pub use fault::{End, Hole, Refusal, Way};
use gate::{Admission, Gate};
use shared::Shared;

/// A proxy between a client and the broker; see the module's concept. Dropping it ends all connections.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    gate: Gate,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// A proxy on a free port of 127.0.0.1 to the broker's port there.
    ///
    /// # Errors
    /// No port can be opened.
    pub fn to(upstream: u16) -> Result<FaultProxy> {
        Self::on(0, upstream)
    }

    /// A proxy on this port of 127.0.0.1 to the broker's port there.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub fn on(port: u16, upstream: u16) -> Result<FaultProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("opening port {port} for a proxy"))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream: AtomicU16::new(upstream),
            state: Mutex::default(),
            counted: Counted::default(),
        });
        let (gate, thread) = gate::open(listener, Arc::clone(&shared))?;
        Ok(FaultProxy {
            port,
            shared,
            gate,
            thread: Some(thread),
        })
    }

    /// The port to connect to instead of the broker's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends connections to come to another port, such as that of another node.
    pub fn set_upstream(&self, port: u16) {
        self.shared.upstream.store(port, Ordering::Relaxed);
    }

    /// Turns new connections away, from when this returns until [`FaultProxy::accept`]. Open ones go on.
    ///
    /// # Errors
    /// The proxy's thread has ended.
    pub fn refuse(&self, how: Refusal) -> Result<()> {
        self.gate.set(match how {
            Refusal::Closed => Admission::Closed,
            Refusal::Reset => Admission::Reset,
        })
    }

    /// Takes new connections again, from when this returns.
    ///
    /// # Errors
    /// Another program has taken the port meanwhile.
    pub fn accept(&self) -> Result<()> {
        self.gate.set(Admission::Open)
    }

    /// Ends all connections that are open now and returns how many there were. New ones pass.
    pub fn cut(&self, how: End) -> usize {
        let open = std::mem::take(&mut self.shared.state().open);
        open.iter().filter(|connection| connection.cut(how)).count()
    }

    /// Ends what is sent in one direction of all open connections: the receiver reads an end of file, the other direction
    /// goes on.
    pub fn half_close(&self, way: Way) {
        for connection in self.open() {
            connection.half_close(way);
        }
    }

    /// Lets nothing pass any more; connections stay open, and new ones are accepted and as dead.
    pub fn blackhole(&self, way: Way, hole: Hole) {
        self.change(|starting| starting.change(way, |rules| rules.hole = Some(hole)));
        for connection in self.open() {
            connection.blackhole(way, hole);
        }
    }

    /// Has every byte arrive later by this time; zero: no delay.
    pub fn delay(&self, way: Way, delay: Duration) {
        self.change(|starting| starting.change(way, |rules| rules.delay = delay));
        for connection in self.open() {
            connection.delay(way, delay);
        }
    }

    /// Lets so many bytes a second pass on each connection; None: as many as can.
    pub fn throttle(&self, way: Way, bytes_per_second: Option<u32>) {
        self.change(|starting| starting.change(way, |rules| rules.rate = bytes_per_second));
        for connection in self.open() {
            connection.throttle(way, bytes_per_second);
        }
    }

    /// Ends every connection to come when exactly so many bytes have passed in one direction ([`Way::Both`]: in either),
    /// until [`FaultProxy::heal`].
    pub fn cut_after(&self, way: Way, bytes: u64, how: End) {
        self.change(|starting| starting.cut_after(way, bytes, how));
    }

    /// Takes back every fault but a refusal: black holes, delays, throttles, and cuts to come.
    pub fn heal(&self) {
        self.change(|starting| *starting = Starting::default());
        for connection in self.open() {
            connection.heal();
        }
    }

    /// The connections that are open now, oldest first.
    pub fn open(&self) -> Vec<ProxiedConnection> {
        let mut state = self.shared.state();
        state.open.retain(ProxiedConnection::is_open);
        state.open.clone()
    }

    /// How many connections have come so far, those turned away not counted.
    pub fn made(&self) -> usize {
        self.shared.state().made
    }

    /// How many bytes have arrived at the other end, over all connections.
    pub fn bytes(&self, way: Way) -> u64 {
        self.shared.counted.bytes(way)
    }

    fn change(&self, change: impl FnOnce(&mut Starting)) {
        change(&mut self.shared.state().starting);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.gate.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
