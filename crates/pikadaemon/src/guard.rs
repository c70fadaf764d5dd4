//! Between the broker's socket and the client library: what would bring the library down is mended on the way, and what
//! would make it large is made small.
//!
//! RabbitMQ passes on what publishers send without looking at it. The client library ends the connection at a header name
//! that is not UTF-8, or the whole process at a table nested a few thousand deep; since the broker then delivers the same
//! message again, one such message would stop a daemon for good. [`Guard`] reads along: names are mended in place, and a
//! message whose properties cannot be read loses them, so that it arrives like any other without a UUID.
//!
//! The library keeps room for 32 frames in each direction of each connection: with RabbitMQ's frames of 128 KiB, 16 MB for a
//! daemon, which go round and are all in use before long. A [`Room::Small`] library is therefore told of smaller frames
//! than are agreed with the broker. Bodies are cut to fit; properties that do not fit wait in a [`Stash`].

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_compat::Compat;
use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures::io::{AsyncRead, AsyncWrite};
use lapin::AsyncTcpStream;
use tokio::net::TcpStream;

use frames::Frames;
use handshake::Handshake;
pub(crate) use stash::Stash;

mod frames;
#[cfg(test)]
mod fuzz;
mod handshake;
mod stash;

/// The broker's connection, plain or TLS.
pub(crate) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// The longest frame we propose to the broker, in bytes: RabbitMQ's default, so that whatever fits into a publisher's frame
/// fits into ours.
const FRAME_MAX: u32 = 131_072;
const SMALL: u32 = 8 * 1024;
/// The least that AMQP has everybody take.
const FRAME_MIN: u32 = 4096;
const CHUNK: usize = 64 * 1024;

/// How much room the client library has.
#[derive(Clone, Debug)]
pub(crate) enum Room {
    /// For whatever frames are agreed with the broker.
    Whole,
    /// For frames of 8 KiB. Properties that do not fit are stashed, or lost if there is no stash.
    Small(Option<Stash>),
}

impl Room {
    /// What the library is to be told of the longest frame. Told beforehand, it takes memory for its buffers only as they
    /// fill.
    pub(crate) fn frame_max(&self) -> u32 {
        match self {
            Self::Whole => FRAME_MAX,
            Self::Small(_) => SMALL,
        }
    }
}

/// The longest frame agreed with the broker, in bytes, as soon as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Agreed(Arc<AtomicU32>);

impl Default for Agreed {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(FRAME_MAX)))
    }
}

impl Agreed {
    pub(crate) fn frame_max(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn tuned(&self, proposal: u32) {
        // None is "no limit".
        if proposal > 0 {
            self.0.fetch_min(proposal.max(FRAME_MIN), Ordering::Relaxed);
        }
    }
}

/// The broker's stream, guarded.
pub(crate) struct Guard {
    stream: Stream,
    frames: Frames,
    /// Reading goes here first.
    chunk: Box<[u8]>,
    handshake: Handshake,
}

impl Guard {
    pub(crate) fn new(stream: Stream, room: Room, agreed: Agreed) -> Self {
        Self {
            stream,
            handshake: Handshake::new(agreed.clone()),
            frames: Frames::new(room, agreed),
            chunk: vec![0; CHUNK].into_boxed_slice(),
        }
    }

    /// Writes what the handshake has ready.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.handshake.ready().is_empty() {
            let ready = self.handshake.ready();
            match ready!(Pin::new(&mut self.stream).poll_write(cx, ready))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.handshake.written(count),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            let given = this.frames.give(buf);
            if given > 0 || buf.is_empty() {
                return Poll::Ready(Ok(given));
            }
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut this.chunk))? {
                0 => return Poll::Ready(Ok(0)),
                count => this.frames.take(&this.chunk[..count]),
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.handshake.take(buf) {
            // What cannot be written yet is written when the library flushes.
            return match self.poll_handshake(cx) {
                Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
                _ => Poll::Ready(Ok(buf.len())),
            };
        }
        ready!(self.poll_handshake(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_handshake(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Runs the client library on tokio, with guarded streams.
pub(crate) type GuardedRuntime = RuntimeParts<Tokio, GuardedReactor>;

/// Tokio's reactor, but for the type of its streams.
#[derive(Clone, Debug)]
pub(crate) struct GuardedReactor(Tokio);

/// The runtime for a guarded connection; to be called inside tokio.
pub(crate) fn guarded_runtime() -> GuardedRuntime {
    RuntimeParts::new(Tokio::current(), GuardedReactor(Tokio::current()))
}

impl Reactor for GuardedReactor {
    type TcpStream = Guard;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        // Connections bring their own stream.
        Err::<Guard, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(
        &self,
        duration: Duration,
    ) -> impl futures::Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Guard>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move {
            let stream = AsyncTcpStream::Plain(connecting.await?);
            Ok(Guard::new(stream, Room::Whole, Agreed::default()))
        }
    }
}
