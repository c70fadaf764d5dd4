//! A web server that misbehaves on demand: a bare TCP server, for most faults are below what an HTTP server would do.

use std::io::Result;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status (`200 OK`), headers (each ending in CRLF) and body, with its length.
    Http(&'static str, String, Vec<u8>),
    /// These bytes as they are, then the connection is closed.
    Raw(Vec<u8>),
    /// 200 and a length of a million, then a byte every 50 ms.
    Drip,
    /// Nothing, for longer than any client waits.
    Silence,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
        Reply::Http("200 OK", String::new(), body.into())
    }

    /// 302 to somewhere.
    pub fn redirect(location: &str) -> Reply {
        Reply::Http("302 Found", format!("Location: {location}\r\n"), Vec::new())
    }
}

type Respond = dyn Fn(&str) -> Reply + Send + Sync;

/// A running server, which ends with this value.
pub struct WebServer {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl WebServer {
    /// Starts a server that answers each request by `respond`, which is given its head: `GET /path HTTP/1.1` and headers.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(respond: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Result<Self> {
        Self::start_on("127.0.0.1", respond).await
    }

    /// The same on another address of this machine, such as 127.0.0.5.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start_on(
        ip: &str,
        respond: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let requests = Arc::default();
        let respond: Arc<Respond> = Arc::new(respond);
        let kept = Arc::clone(&requests);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, respond) = (Arc::clone(&kept), Arc::clone(&respond));
                tokio::spawn(async move {
                    // a client that hangs up is no concern of the server's
                    let _ = serve(stream, &requests, &*respond).await;
                });
            }
        });
        Ok(Self {
            address,
            requests,
            serving,
        })
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves one connection, which may be one over TLS.
///
/// # Errors
/// The client hangs up.
pub async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    requests: &Mutex<Vec<String>>,
    respond: &Respond,
) -> Result<()> {
    let mut received = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        let head: Vec<u8> = received.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let reply = respond(&head);
        let is_head = head.starts_with("HEAD ");
        requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head);
        match reply {
            Reply::Http(status, headers, body) => {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                if !is_head {
                    stream.write_all(&body).await?;
                }
                stream.flush().await?;
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Drip => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    .await?;
                for _ in 0..1_000_000 {
                    stream.write_all(b"x").await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Reply::Silence => tokio::time::sleep(Duration::from_secs(600)).await,
        }
    }
}
