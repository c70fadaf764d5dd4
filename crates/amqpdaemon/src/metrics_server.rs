//! `GET /metrics` and `GET /healthz` over HTTP, for Prometheus and for supervisors.
//!
//! It has a thread of its own: however busy the daemon is, and whatever is wrong with RabbitMQ, an answer comes at once.
//! In turn, nothing a client does can take more than a few connections and a few seconds: at the limit the oldest
//! connection is closed for the newest, so that slow clients keep nobody out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::Builder;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::metrics::Metrics;

/// A connection has so long in all.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// So many connections at once.
const MOST_CONNECTIONS: usize = 64;
/// The head of a request may be so long, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Pause when the system has no descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OLDER_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Where to listen: `host:port`, or a port alone, which means 127.0.0.1. Port 0 means any that is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsAddress {
    host: String,
    port: u16,
}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no address: use PORT, HOST:PORT or [IPv6]:PORT; port 0 is any free one"
            )
        };
        let (host, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        // Without brackets, the end of an IPv6 address would look like a port.
        let fits = match bare {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains([':', '/', '@', '[', ']', ' ']),
        };
        if !fits || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl MetricsAddress {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn listen(&self) -> std::io::Result<TcpListener> {
        TcpListener::bind((self.host.as_str(), self.port))
    }

    /// What to say if that fails.
    pub(crate) fn cannot_listen(&self) -> String {
        format!("cannot listen at {self} (--metrics; every instance needs an address of its own)")
    }
}

/// The server, until it is dropped.
pub(crate) struct MetricsServer {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Listens at the address and serves in a thread of its own.
    ///
    /// # Errors
    /// The address cannot be listened at; another program may.
    pub(crate) fn start(address: &MetricsAddress, metrics: Metrics) -> anyhow::Result<Self> {
        let listen = || {
            let listener = address.listen()?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>((listener.local_addr()?, listener))
        };
        let (bound, listener) = listen().with_context(|| address.cannot_listen())?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime of the metrics")?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = serve(listener, Arc::new(metrics)) => {}
            }
        };
        let thread = thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || runtime.block_on(serving))
            .context("starting the thread of the metrics")?;
        info!(
            "metrics at http://{bound}/metrics, health at http://{bound}/healthz{}",
            warning(bound)
        );
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

/// Whoever reaches the address may read.
fn warning(bound: SocketAddr) -> &'static str {
    if bound.ip().is_loopback() {
        ""
    } else {
        " (open to the network, without a login)"
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been logged.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "no metrics are served"),
    };
    let mut connections: VecDeque<AbortHandle> = VecDeque::with_capacity(MOST_CONNECTIONS);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if connections.len() == MOST_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let metrics = Arc::clone(&metrics);
        let answering = service_fn(move |request| {
            let metrics = Arc::clone(&metrics);
            async move { Ok::<_, Infallible>(answer(&request, &metrics)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CONNECTION_LIMIT)
            .max_buf_size(LONGEST_HEAD)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answering);
        let task = tokio::spawn(async {
            // What goes wrong here is the client's own affair.
            let _ = timeout(CONNECTION_LIMIT, connection).await;
        });
        connections.push_back(task.abort_handle());
    }
}

fn answer(request: &Request<Incoming>, metrics: &Arc<Metrics>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/metrics" | "/healthz") {
        let text = "there are /metrics and /healthz\n";
        return response(StatusCode::NOT_FOUND, PLAIN, text.to_owned());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = "only GET and HEAD\n".to_owned();
        let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, text);
        let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    if path == "/metrics" {
        return match metrics.page() {
            Ok(page) => response(StatusCode::OK, text_format(request.headers()), page),
            Err(error) => response(
                StatusCode::INTERNAL_SERVER_ERROR,
                PLAIN,
                format!("{error}\n"),
            ),
        };
    }
    match metrics.health.verdict() {
        Ok(()) => {
            let stuck = metrics.stuck.to_string();
            let separator = if stuck.is_empty() { "" } else { ": " };
            let text = format!("consuming{separator}{stuck}\n");
            response(StatusCode::OK, PLAIN, text)
        }
        Err(why) => response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{why}\n")),
    }
}

/// Those who ask for OpenMetrics get it; to others the same page is Prometheus's older text format.
fn text_format(headers: &HeaderMap) -> &'static str {
    let accepts = |value: &hyper::header::HeaderValue| {
        value
            .to_str()
            .is_ok_and(|value| value.contains("application/openmetrics-text"))
    };
    if headers.get_all(ACCEPT).iter().any(accepts) {
        OPEN_METRICS
    } else {
        OLDER_TEXT
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, full) in [
            ("9101", "127.0.0.1:9101"),
            ("0", "127.0.0.1:0"),
            ("localhost:80", "localhost:80"),
            ("0.0.0.0:9101", "0.0.0.0:9101"),
            ("[::1]:9101", "[::1]:9101"),
        ] {
            let address: MetricsAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), full);
        }
        for text in [
            "",
            ":",
            ":80",
            "x",
            "x:",
            "x:y",
            "::1",
            "::1:80",
            "[::1]",
            "[x]:80",
            "1.2.3.4",
            "65536",
            "+1",
            "-1",
            "http://x:80",
            "a b:80",
        ] {
            let error = text.parse::<MetricsAddress>().unwrap_err();
            assert!(error.contains(text) && error.contains("PORT"), "{error}");
        }
    }
}
