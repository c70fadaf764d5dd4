//! A client of clamd: files go to it over a socket, piece by piece, and are never on disk on our side.
//!
//! A clamd that is down, restarting or still loading its database is waited for. Each scan has a connection of its own. A
//! clamd that refuses a stream says so and hangs up while the rest is still being sent: its reply counts, not the broken
//! pipe.

use std::io::{Error, ErrorKind, Result as IoResult};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::address::Address;
use crate::{AntivirusError, Verdict};

/// Bytes sent at once.
const CHUNK: usize = 256 * 1024;

/// A reply is one line with the malware's name; more than this is none.
const LONGEST_REPLY: u64 = 16 * 1024;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a clamd may take to show that it is there.
const LOOK: Duration = Duration::from_secs(5);

/// Waiting between rounds of tries: doubled from the first to the second, and then somewhat varied.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The clamds to ask, and how long.
#[derive(Debug)]
pub(crate) struct Clamd {
    /// In the order in which they are tried.
    pub addresses: Vec<Address>,
    /// For one file, with all tries.
    pub timeout: Duration,
}

impl Clamd {
    /// Has a file scanned.
    pub async fn scan(&self, data: &[u8]) -> Result<Verdict, AntivirusError> {
        let deadline = Instant::now() + self.timeout;
        let mut pause = PAUSES.0;
        loop {
            let mut tried = Vec::with_capacity(self.addresses.len());
            for address in &self.addresses {
                let error = match connect(address, deadline).await {
                    Ok(stream) => match timeout_at(deadline, instream(stream, data)).await {
                        Ok(Ok(reply)) => return verdict(&reply),
                        Ok(Err(error)) => error,
                        Err(_) => return Err(self.no_verdict(address)),
                    },
                    Err(error) => error,
                };
                tracing::debug!(%address, %error, "clamd cannot be asked");
                tried.push(format!("{address} ({error})"));
            }
            let next = Instant::now() + pause.mul_f64(0.75 + fastrand::f64() / 2.0);
            if next >= deadline {
                return Err(AntivirusError::Unreachable {
                    seconds: self.timeout.as_secs(),
                    tried: tried.join(", "),
                });
            }
            if pause == PAUSES.0 {
                tracing::warn!(tried = tried.join(", "), "no clamd answers, trying again");
            }
            sleep(next - Instant::now()).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Tells every clamd to load the database anew. One that is not there reads it when it starts.
    pub async fn reload(&self) {
        for address in &self.addresses {
            let deadline = Instant::now() + CONNECT;
            let reloading = async {
                let mut stream = connect(address, deadline).await?;
                stream.write_all(b"zRELOAD\0").await?;
                receive(&mut stream).await
            };
            match timeout_at(deadline, reloading).await {
                Ok(Ok(reply)) => tracing::info!(%address, reply, "clamd was told of the update"),
                Ok(Err(error)) => tracing::debug!(%address, %error, "clamd was not told"),
                Err(_) => tracing::warn!(%address, "clamd takes no command"),
            }
        }
    }

    /// The version that the clamd at this address says it is.
    pub async fn version(address: &Address) -> IoResult<String> {
        let deadline = Instant::now() + LOOK;
        let asking = async {
            let mut stream = connect(address, deadline).await?;
            stream.write_all(b"zVERSION\0").await?;
            receive(&mut stream).await
        };
        let late = || Error::new(ErrorKind::TimedOut, "it takes too long");
        timeout_at(deadline, asking)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    fn no_verdict(&self, address: &Address) -> AntivirusError {
        AntivirusError::Undecided(format!(
            "clamd at {address} gave no verdict within {} s (TIMEOUT)",
            self.timeout.as_secs_f64()
        ))
    }
}

async fn connect(address: &Address, deadline: Instant) -> IoResult<Box<dyn Stream>> {
    let connecting = async {
        Ok(match address {
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>,
            Address::Tcp(address) => Box::new(TcpStream::connect(address.as_str()).await?),
        })
    };
    let left = deadline.saturating_duration_since(Instant::now());
    timeout(left.min(CONNECT), connecting)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "connecting takes too long")))
}

/// Sends a file and returns the reply.
async fn instream(stream: Box<dyn Stream>, data: &[u8]) -> IoResult<String> {
    let (mut reader, mut writer) = split(stream);
    let receiving = receive(&mut reader);
    let sending = send(&mut writer, data);
    tokio::pin!(receiving, sending);
    tokio::select! {
        biased;
        reply = &mut receiving => reply,
        sent = &mut sending => match (receiving.await, sent) {
            (Err(_), Err(broken)) => Err(broken),
            (reply, _) => reply,
        },
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> IoResult<()> {
    writer.write_all(b"zINSTREAM\0").await?;
    for chunk in data.chunks(CHUNK) {
        let length = u32::try_from(chunk.len()).map_err(Error::other)?;
        writer.write_all(&length.to_be_bytes()).await?;
        writer.write_all(chunk).await?;
    }
    writer.write_all(&0_u32.to_be_bytes()).await?;
    writer.flush().await
}

/// One reply. It ends with NUL, with a line feed where clamd forgets what it was asked, or with the connection.
async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> IoResult<String> {
    let mut reader = reader.take(LONGEST_REPLY);
    let mut reply = Vec::new();
    while !reply.ends_with(b"\0") && !reply.ends_with(b"\n") {
        match reader.read_buf(&mut reply).await {
            Ok(0) if reply.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(_) => {}
            // what it said before it hung up
            Err(_) if !reply.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let reply = String::from_utf8_lossy(&reply);
    Ok(reply.trim_end_matches(['\0', '\n']).to_owned())
}

/// What a reply says of the file. Only `OK` says that it is clean.
fn verdict(reply: &str) -> Result<Verdict, AntivirusError> {
    let undecided = |text: &str| Err(AntivirusError::Undecided(format!("clamd: {text}")));
    let result = reply.strip_prefix("stream: ").unwrap_or(reply);
    if result == "OK" {
        return Ok(Verdict::Clean);
    }
    match result.strip_suffix(" FOUND") {
        Some(name) => Verdict::found(name),
        None if result.starts_with("INSTREAM size limit exceeded") => {
            undecided("the file is larger than its StreamMaxLength, it was not scanned")
        }
        None => undecided(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply() {
        assert_eq!(verdict("stream: OK").unwrap(), Verdict::Clean);
        assert_eq!(
            verdict("stream: Eicar-Test-Signature.UNOFFICIAL FOUND").unwrap(),
            Verdict::Found("Eicar-Test-Signature.UNOFFICIAL".to_owned())
        );
        for (reply, told) in [
            ("INSTREAM size limit exceeded. ERROR", "StreamMaxLength"),
            ("COMMAND READ TIMED OUT", "COMMAND READ TIMED OUT"),
            (
                "stream: Can't allocate memory ERROR",
                "Can't allocate memory ERROR",
            ),
            (
                "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
                "Heuristics.Limits.Exceeded.MaxFileSize",
            ),
            ("UNKNOWN COMMAND", "UNKNOWN COMMAND"),
            ("", "clamd"),
        ] {
            match verdict(reply) {
                Err(AntivirusError::Undecided(text)) => assert!(text.contains(told), "{text}"),
                other => panic!("{reply}: {other:?}"),
            }
        }
    }
}
