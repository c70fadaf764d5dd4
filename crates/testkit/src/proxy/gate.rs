//! The proxy's own thread: takes connections, or turns them away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as blocking;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::ProxiedConnection;
use super::shared::Shared;

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Open,
    Reset,
    Closed,
}

/// A wish, and whom to tell when it is done.
type Order = (Admission, blocking::Sender<io::Result<()>>);

/// The test's side of the proxy's thread.
#[derive(Debug)]
pub(super) struct Gate(Option<mpsc::UnboundedSender<Order>>);

impl Gate {
    /// Returns when it is so.
    pub(super) fn set(&self, admission: Admission) -> Result<()> {
        let (done, wait) = blocking::channel();
        let orders = self.0.as_ref().context("the proxy has ended")?;
        orders
            .send((admission, done))
            .ok()
            .context("the proxy's thread has ended")?;
        let result = wait.recv().context("the proxy's thread has ended")?;
        result.with_context(|| format!("setting the proxy to {admission:?}"))
    }

    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}

/// Starts the thread. It ends, with all connections, when the gate does.
pub(super) fn open(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
) -> Result<(Gate, JoinHandle<()>)> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (orders, received) = mpsc::unbounded_channel();
    let thread = thread::Builder::new()
        .name("fault-proxy".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(keep(listener, received, shared)) {
                eprintln!("a fault proxy has failed: {error}");
            }
        })?;
    Ok((Gate(Some(orders)), thread))
}

async fn keep(
    listener: std::net::TcpListener,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut listener = Some(TcpListener::from_std(listener)?);
    let mut admission = Admission::Open;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some((wish, done)) = order else { return Ok(()) };
                admission = wish;
                let _ = done.send(listen(&mut listener, address, wish).await);
            }
            Some(_) = connections.join_next() => {}
            Ok(client) = accept(listener.as_ref()) => {
                if admission == Admission::Reset {
                    let _ = client.set_zero_linger();
                } else {
                    connections.spawn(serve(client, Arc::clone(&shared)));
                }
            }
        }
    }
}

/// Opens or closes the listener as `admission` wants it.
async fn listen(
    listener: &mut Option<TcpListener>,
    address: SocketAddr,
    admission: Admission,
) -> io::Result<()> {
    if admission == Admission::Closed {
        *listener = None;
    } else if listener.is_none() {
        *listener = Some(TcpListener::bind(address).await?);
    }
    Ok(())
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let connection = {
        let mut state = shared.state();
        let connection = ProxiedConnection::new(state.made, state.starting);
        state.made += 1;
        state.open.retain(ProxiedConnection::is_open);
        state.open.push(connection.clone());
        connection
    };
    let upstream = shared.upstream.load(Ordering::Relaxed);
    connection.serve(client, upstream, &shared.counted).await;
}
