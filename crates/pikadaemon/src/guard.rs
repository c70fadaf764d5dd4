//! Between the broker's socket and the client library: frames that would bring the library down are mended on the way.
//!
//! RabbitMQ passes on what publishers send without looking at it. The client library ends the connection at a header name
//! that is not UTF-8, or the whole process at a table nested a few thousand deep; since the broker then delivers the same
//! message again, one such message would stop a daemon for good. [`Guard`] reads along: names are mended in place, and a
//! message whose properties cannot be read loses them, so that it arrives like any other without a UUID.

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
use tracing::warn;

use crate::properties::{Unreadable, mend_content_header, mend_method};

/// The broker's connection, plain or TLS.
pub(crate) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// Type, channel and length.
const FRAME_HEAD: usize = 7;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
/// More is no method and no header, whatever the broker allows.
const LONGEST_FRAME: usize = 1 << 20;
/// The longest frame we propose, in bytes: RabbitMQ's default, so that whatever fits into a publisher's frame fits into
/// ours. Told to the client library beforehand, it takes memory for its buffers only as they fill.
pub(crate) const FRAME_MAX: u32 = 131_072;
const CHUNK: usize = 64 * 1024;

/// The broker's stream with its frames mended.
pub(crate) struct Guard {
    stream: Stream,
    frames: Frames,
    /// Reading goes here first.
    chunk: Box<[u8]>,
}

impl Guard {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            chunk: vec![0; CHUNK].into_boxed_slice(),
        }
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
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Takes the broker's bytes and gives them on, frame by frame.
struct Frames {
    /// Received, not looked at yet: less than a frame.
    received: Vec<u8>,
    /// To be given on.
    ready: Vec<u8>,
    given: usize,
    /// What is left of a body frame, which passes as it comes.
    passing: usize,
    /// Not AMQP, or no frame one could read: the library shall say so.
    transparent: bool,
    frame_max: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            received: Vec::new(),
            ready: Vec::new(),
            given: 0,
            passing: 0,
            transparent: false,
            frame_max: FRAME_MAX as usize,
        }
    }
}

impl Frames {
    fn give(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.ready.len() - self.given);
        buf[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
        count
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if self.passing > 0 {
            let count = self.passing.min(bytes.len());
            self.ready.extend_from_slice(&bytes[..count]);
            self.passing -= count;
            bytes = &bytes[count..];
        }
        self.received.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.frame(at) {
            at += length;
        }
        self.received.drain(..at);
    }

    /// Gives on what begins at `at`; its length, or none if there is too little of it yet.
    fn frame(&mut self, at: usize) -> Option<usize> {
        let rest = &mut self.received[at..];
        let head: [u8; FRAME_HEAD] = match rest.first_chunk() {
            Some(head) if !self.transparent => *head,
            None if !self.transparent && rest.first().is_none_or(|kind| is_frame(*kind)) => {
                return None;
            }
            _ => {
                self.transparent = true;
                self.ready.extend_from_slice(rest);
                return (!rest.is_empty()).then_some(rest.len());
            }
        };
        let payload = usize::try_from(u32::from_be_bytes([head[3], head[4], head[5], head[6]]))
            .unwrap_or(usize::MAX);
        let whole = payload.saturating_add(FRAME_HEAD + 1);
        match head[0] {
            METHOD | HEADER if whole <= LONGEST_FRAME => {
                if rest.len() < whole {
                    return None;
                }
                let frame = &mut rest[..whole];
                if head[0] == HEADER {
                    give_header(frame, self.frame_max, &mut self.ready);
                } else {
                    let method = &mut frame[FRAME_HEAD..whole - 1];
                    // The library agrees to no more than we propose.
                    let tuned = tuned_frame_max(method).unwrap_or(self.frame_max);
                    self.frame_max = tuned.min(self.frame_max);
                    // One that cannot be read is no publisher's doing; the library shall say so.
                    let _ = mend_method(method);
                    self.ready.extend_from_slice(frame);
                }
                Some(whole)
            }
            BODY | HEARTBEAT => {
                let here = whole.min(rest.len());
                self.ready.extend_from_slice(&rest[..here]);
                self.passing = whole - here;
                Some(here)
            }
            _ => {
                self.transparent = true;
                self.frame(at)
            }
        }
    }
}

fn is_frame(kind: u8) -> bool {
    matches!(kind, METHOD | HEADER | BODY | HEARTBEAT)
}

/// What `connection.tune` says of the longest frame; none for other methods, and if it has no limit.
fn tuned_frame_max(payload: &[u8]) -> Option<usize> {
    match payload {
        [0, 10, 0, 30, _, _, a, b, c, d, ..] => {
            usize::try_from(u32::from_be_bytes([*a, *b, *c, *d]))
                .ok()
                .filter(|max| *max > 0)
        }
        _ => None,
    }
}

/// Gives on a content header, without its properties if they cannot be read or do not fit.
fn give_header(frame: &mut [u8], frame_max: usize, ready: &mut Vec<u8>) {
    // Class, weight, body size; then the flags that say which properties follow.
    const FIXED: usize = 12;
    let end = frame.len() - 1;
    let mended = if frame.len() > frame_max {
        Err(Unreadable)
    } else {
        mend_content_header(&mut frame[FRAME_HEAD..end])
    };
    if mended.is_ok() || end < FRAME_HEAD + FIXED {
        ready.extend_from_slice(frame);
        return;
    }
    warn!(
        bytes = frame.len(),
        "a message's properties cannot be read (nested too deep, too long or malformed); it is taken without them"
    );
    ready.extend_from_slice(&frame[..3]);
    ready.extend_from_slice(&14_u32.to_be_bytes());
    ready.extend_from_slice(&frame[FRAME_HEAD..FRAME_HEAD + FIXED]);
    ready.extend_from_slice(&[0, 0, frame[end]]);
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
        async move { Ok(Guard::new(AsyncTcpStream::Plain(connecting.await?))) }
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 1];
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        frame.push(0xce);
        frame
    }

    /// What comes out, fed in pieces of this size.
    fn through(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        let mut buf = [0; 100];
        for piece in bytes.chunks(piece) {
            frames.take(piece);
            loop {
                let count = frames.give(&mut buf);
                if count == 0 {
                    break;
                }
                out.extend_from_slice(&buf[..count]);
            }
        }
        out
    }

    fn session() -> Vec<u8> {
        let header = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x80\x00\x03txt";
        [
            frame(METHOD, b"\x00\x0a\x00\x0a\x00\x09whatever"),
            frame(
                METHOD,
                b"\x00\x3c\x00\x3c\x03tag\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01e\x01k",
            ),
            frame(HEADER, header),
            frame(BODY, &[b'b'; 3000]),
            frame(HEARTBEAT, b""),
        ]
        .concat()
    }

    /// The library would end the connection over a frame longer than it agreed to.
    #[test]
    fn a_header_longer_than_we_propose_loses_its_properties_whatever_the_broker_allows() {
        let tune = b"\x00\x0a\x00\x1e\x07\xff\x00\x10\x00\x00\x00\x3c";
        for (length, passes) in [(100_000_u32, true), (140_000, false)] {
            let mut header = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00".to_vec();
            header.extend((length + 7).to_be_bytes());
            header.extend(b"\x01kS");
            header.extend(length.to_be_bytes());
            header.extend(vec![b'x'; length as usize]);
            let header = frame(HEADER, &header);
            let out = through(&[frame(METHOD, tune), header.clone()].concat(), 5000);
            assert_eq!(out.ends_with(&header), passes, "{length}");
        }
    }

    #[test]
    fn good_frames_pass_unchanged_however_they_are_cut() {
        let session = session();
        for piece in [1, 2, 7, 8, 13, 100, 5000] {
            assert_eq!(through(&session, piece), session, "{piece}");
        }
    }

    #[test]
    fn unreadable_properties_are_taken_away() {
        let bad = frame(
            HEADER,
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x00\x03\x01a?",
        );
        let bare = frame(
            HEADER,
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00",
        );
        let stream = [session(), bad, session()].concat();
        let expected = [session(), bare.clone(), session()].concat();
        for piece in [1, 9, 4096] {
            assert_eq!(through(&stream, piece), expected, "{piece}");
        }
        // Readable, but longer than the broker said frames would be.
        let tune = frame(METHOD, b"\x00\x0a\x00\x1e\x00\x00\x00\x00\x10\x00\x00\x00");
        let mut long =
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x10\x00\x01aS"
                .to_vec();
        long.extend(4089_u32.to_be_bytes());
        long.extend([b'x'; 4089]);
        let stream = [tune.clone(), frame(HEADER, &long)].concat();
        assert_eq!(through(&stream, 4096), [tune, bare].concat());
    }

    #[test]
    fn what_is_not_amqp_passes_as_it_is() {
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"AMQP\x00\x00\x09\x01",
            b"\x02\xff",
        ] {
            for piece in [1, 3, 100] {
                let out = through(other, piece);
                assert!(
                    other.starts_with(&out) && (out == other || is_frame(other[0])),
                    "{out:?}"
                );
            }
        }
    }
}
