//! A catalogue that misbehaves on demand: a bare TCP server, for most faults are below what an HTTP server would do.

#![allow(dead_code, reason = "each test uses its own part")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edeposit_aleph::{Aleph, Settings};
use edeposit_settings::{Declared, Sources};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request.
pub enum Reply {
    /// 200 with this body.
    Xml(String),
    /// This status line, headers (each ending in CRLF) and body.
    Http(&'static str, String, Vec<u8>),
    /// These bytes as they are, then the connection is closed.
    Raw(Vec<u8>),
    /// 200, then this many blanks.
    Blanks(usize),
    /// The connection is reset.
    Reset,
    /// Nothing, for longer than any client waits.
    Silence,
}

/// A running server. It lives as long as the test's runtime.
pub struct Server {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server that answers each request's path (with query) by `respond`.
    pub async fn start(respond: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            heads: Arc::default(),
            connections: Arc::default(),
        };
        let (heads, connections, respond) = (
            server.heads.clone(),
            server.connections.clone(),
            Arc::new(respond),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (heads, respond) = (heads.clone(), respond.clone());
                tokio::spawn(async move {
                    // a client that hangs up is no concern of the server's
                    let _ = serve(stream, &heads, &*respond).await;
                });
            }
        });
        server
    }

    /// The requests so far: path and query.
    pub fn paths(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let path = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        heads.iter().map(path).collect()
    }

    /// The heads of the requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A client of this server; no request waits for its turn unless the test says so.
    pub fn aleph(&self, change: impl FnOnce(&mut Settings)) -> Aleph {
        Aleph::new(self.settings(change)).unwrap()
    }

    pub fn settings(&self, change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.url.clone_from(&self.url);
        settings.max_requests_per_second = 10_000.try_into().unwrap();
        settings.timeout = Duration::from_secs(20);
        change(&mut settings);
        settings
    }
}

async fn serve(
    mut stream: TcpStream,
    heads: &Mutex<Vec<String>>,
    respond: &(dyn Fn(&str) -> Reply + Send + Sync),
) -> std::io::Result<()> {
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
        let head = String::from_utf8(received.drain(..end).collect()).unwrap();
        let reply = respond(head.split(' ').nth(1).unwrap());
        heads.lock().unwrap().push(head);
        match reply {
            Reply::Xml(xml) => {
                write(
                    &mut stream,
                    "200 OK",
                    "Content-Type: text/xml\r\n",
                    xml.as_bytes(),
                )
                .await?
            }
            Reply::Http(status, headers, body) => {
                write(&mut stream, status, &headers, &body).await?
            }
            Reply::Blanks(count) => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                    .await?;
                let block = [b' '; 1 << 16];
                for _ in 0..count / block.len() {
                    stream.write_all(&block).await?;
                }
                return Ok(());
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
            Reply::Silence => tokio::time::sleep(Duration::from_secs(600)).await,
        }
    }
}

async fn write(
    stream: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

const SESSION: &str = "<session-id>QET4N45YJ2GGB7C6RRY27XRPXMJPQJVA2N6DDS1MN6IB8AM141</session-id>";

pub fn find_reply(set: u64, records: u64, entries: u64) -> String {
    format!(
        "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<find>\n<set_number>{set:06}</set_number>\n\
         <no_records>{records:09}</no_records>\n<no_entries>{entries:09}</no_entries>\n{SESSION}\n</find>\n"
    )
}

pub fn error_reply(root: &str, error: &str) -> String {
    format!(
        "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<{root}>\n<error>{error}</error>\n{SESSION}\n</{root}>\n"
    )
}

/// A reply to `present` with a small record; `more` are further fields.
pub fn present_reply(entry: u64, title: &str, more: &str) -> String {
    format!(
        "<?xml version = \"1.0\" encoding = \"UTF-8\"?>\n<present>\n<record>\n<record_header>\n\
         <set_entry>{entry:09}</set_entry>\n</record_header>\n<doc_number>{:09}</doc_number>\n<metadata>\n<oai_marc>\n\
         <fixfield id=\"LDR\">-----nam-a22------a-4500</fixfield>\n<fixfield id=\"FMT\">BK</fixfield>\n\
         <varfield id=\"245\" i1=\"1\" i2=\"0\">\n<subfield label=\"a\">{title} /</subfield>\n</varfield>\n{more}\
         </oai_marc>\n</metadata>\n</record>\n{SESSION}\n</present>\n",
        1000 + entry
    )
}

/// The number after `name=` in a query.
pub fn parameter(path: &str, name: &str) -> u64 {
    let (_, value) = path.split_once(&format!("{name}=")).unwrap();
    value.split('&').next().unwrap().parse().unwrap()
}
