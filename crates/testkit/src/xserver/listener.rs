//! Connections that can be reset on demand, and counted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener that counts what it accepts.
pub(super) struct CountingListener {
    pub(super) inner: TcpListener,
    pub(super) accepted: Arc<AtomicUsize>,
}

impl Listener for CountingListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (inner, address) = Listener::accept(&mut self.inner).await;
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let handle = ConnectionHandle {
            number,
            reset: Arc::default(),
        };
        (Stream { inner, handle }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// What a request handler knows of its connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionHandle {
    /// Connections are counted from 1.
    pub(super) number: usize,
    reset: Arc<AtomicBool>,
}

impl ConnectionHandle {
    /// From now on nothing is written any more: the next write resets the connection.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, CountingListener>> for ConnectionHandle {
    fn connect_info(stream: IncomingStream<'_, CountingListener>) -> Self {
        stream.io().handle.clone()
    }
}

/// One connection.
pub(super) struct Stream {
    inner: TcpStream,
    handle: ConnectionHandle,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.handle.reset.load(Ordering::Relaxed) {
            // With no time to linger the close that follows the error is a reset.
            self.inner.set_zero_linger()?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
