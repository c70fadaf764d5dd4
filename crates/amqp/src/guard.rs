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
pub(crate) use room::{Agreed, Room};
pub(crate) use stash::Stash;

mod frames;
#[cfg(test)]
mod fuzz;
mod handshake;
mod room;
mod stash;

/// The broker's connection, plain or TLS.
pub(crate) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// At most so much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// The broker's stream, guarded.
pub(crate) struct Guard {
    stream: Stream,
    frames: Frames,
    handshake: Handshake,
    /// So many bytes of what the library writes are taken, and not on their way yet.
    owed: usize,
}

impl Guard {
    pub(crate) fn new(stream: Stream, room: Room, agreed: Agreed) -> Self {
        Self {
            stream,
            handshake: Handshake::new(agreed.clone()),
            frames: Frames::new(room, agreed),
            owed: 0,
        }
    }

    /// Takes what it can of this; how much.
    fn poll_take(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.handshake.take(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        ready!(self.poll_handshake(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
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
            let room = buf.len().min(CHUNK);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf[..room]))? {
                0 => return Poll::Ready(Ok(0)),
                count => match this.frames.receive(&mut buf[..count]) {
                    0 => {}
                    good => return Poll::Ready(Ok(good)),
                },
            }
        }
    }
}

/// A write is reported as done only when its bytes have been handed to the socket. The client library never flushes again
/// what was reported as written: if it had nothing else to write, it would wait for a socket event that has passed already,
/// and the bytes would stay here.
impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Bytes that were taken but not reported yet: the library passes them again, at the beginning of `buf`.
        if self.owed == 0 {
            self.owed = ready!(self.poll_take(cx, buf))?;
        }
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.owed)))
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;

    use async_compat::CompatExt;
    use futures::AsyncWriteExt;

    use super::*;

    /// The broker's end of a connection, and the guarded one of a socket that nobody has written to yet: whether it can be
    /// written to is not known before the runtime has looked.
    fn connected() -> (std::net::TcpStream, Guard) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(socket).unwrap().compat();
        let guard = Guard::new(
            AsyncTcpStream::Plain(stream),
            Room::Small(None),
            Agreed::default(),
        );
        let (broker, _) = listener.accept().unwrap();
        let long = Duration::from_secs(20);
        broker.set_read_timeout(Some(long)).unwrap();
        (broker, guard)
    }

    #[tokio::test]
    async fn what_counts_as_written_is_on_its_way() {
        let (mut broker, mut guard) = connected();
        let greeting = *b"AMQP\x00\x00\x09\x01";
        let mut polls = 0;
        let written = poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut guard).poll_write(cx, &greeting)
        })
        .await;
        assert_eq!(written.unwrap(), greeting.len());
        assert!(polls > 1, "the socket could be written to at once");
        let mut received = [0; 8];
        broker.read_exact(&mut received).unwrap();
        assert_eq!(received, greeting);
    }

    #[tokio::test]
    async fn a_broker_that_reads_slowly_gets_every_byte_once() {
        let (mut broker, mut guard) = connected();
        let bytes: Vec<u8> = (0..8_000_000_u32).map(|i| (i % 251) as u8).collect();
        // The end of the handshake, with the frames that are agreed anyway.
        let tune_ok =
            b"\x01\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x1f\x07\xff\x00\x02\x00\x00\x00\x3c\xce";
        let greeting = [&b"AMQP\x00\x00\x09\x01"[..], tune_ok].concat();
        let sent = [&greeting[..], &bytes].concat();
        let expected = sent.clone();
        let reading = std::thread::spawn(move || {
            let mut received = Vec::new();
            let mut piece = [0; 10_000];
            while received.len() < expected.len() {
                let count = broker.read(&mut piece).unwrap();
                assert!(count > 0, "too little");
                received.extend_from_slice(&piece[..count]);
            }
            assert!(received == expected);
        });
        guard.write_all(&greeting).await.unwrap();
        guard.write_all(&bytes).await.unwrap();
        reading.join().unwrap();
    }
}
