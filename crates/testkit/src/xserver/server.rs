//! The HTTP side: reads requests, writes them down, answers or fails.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve};
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::fault::{choose, distort};
use super::listener::{ConnectionHandle, CountingListener};
use super::operations::{Library, Parameters, operation};
use super::reply::Reply;
use super::{Catalogue, Fault, FaultRule};

const PAGE: &str =
    "<html><head><title>Odstávka</title></head><body><h1>Probíhá údržba</h1></body></html>\n";
const XML: &str = "text/xml; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query as they were sent, percent-encoding included.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if any.
    pub body: String,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
}

/// A running double; see the module's concept. Ends when dropped. May be started from synchronous and asynchronous code:
/// it runs on a thread of its own.
#[derive(Debug)]
pub struct XServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepted: Arc<AtomicUsize>,
    /// Taken at the end only.
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    library: Mutex<Library>,
    rules: Mutex<Vec<FaultRule>>,
    log: Mutex<Vec<LoggedRequest>>,
}

impl XServer {
    /// Starts on a free port of 127.0.0.1.
    pub fn start(catalogue: Catalogue) -> Result<XServer> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), catalogue)
    }

    /// Starts on this address.
    pub fn start_at(address: SocketAddr, catalogue: Catalogue) -> Result<XServer> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("xserver")
            .enable_all()
            .build()
            .context("starting the X-Server double")?;
        let listener = std::net::TcpListener::bind(address)
            .with_context(|| format!("listening on {address}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            library: Mutex::new(Library::new(catalogue)),
            rules: Mutex::default(),
            log: Mutex::default(),
        });
        let accepted = Arc::<AtomicUsize>::default();
        let listener = {
            let _guard = runtime.enter();
            CountingListener {
                inner: TcpListener::from_std(listener)?,
                accepted: accepted.clone(),
            }
        };
        let app = Router::new()
            .route("/X", get(answer).post(answer))
            .with_state(shared.clone())
            .into_make_service_with_connect_info::<ConnectionHandle>();
        runtime.spawn(async move { serve(listener, app).await });
        Ok(XServer {
            address,
            shared,
            accepted,
            runtime: Some(runtime),
        })
    }

    /// The address in front of `/X`, without a slash: what the setting `ALEPH_URL` wants.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a fault; the first one that applies to a request is shown.
    pub fn inject(&self, rule: FaultRule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        lock(&self.shared.rules).clear();
    }

    /// How many entries of a set can be fetched (`no_entries` at most); 2500 unless set.
    pub fn set_cap(&self, cap: usize) {
        lock(&self.shared.library).cap = cap;
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.shared.log).clone()
    }

    /// Path and query of all requests so far, in order.
    pub fn targets(&self) -> Vec<String> {
        let log = lock(&self.shared.log);
        log.iter().map(|request| request.target.clone()).collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        // In the background: a test may drop the double within a runtime, and requests may wait for ever.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<ConnectionHandle>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters: Parameters = [uri.query().unwrap_or("").as_bytes(), &body]
        .into_iter()
        .flat_map(form_urlencoded::parse)
        .map(|(name, value)| (name.to_lowercase(), value.into_owned()))
        .collect();
    lock(&shared.log).push(LoggedRequest {
        method: method.to_string(),
        target: uri.to_string(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        connection: connection.number,
    });
    let fault = choose(&mut lock(&shared.rules), &parameters);
    let good =
        lock(&shared.library).answer(&parameters, &|metadata| distort(fault.as_ref(), metadata));
    match fault {
        None | Some(Fault::DeletedRecord | Fault::NoLeader) => respond(XML, good),
        Some(Fault::HtmlPage) => respond(HTML, PAGE),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, respond(HTML, PAGE)).into_response()
        }
        Some(Fault::Reset) => {
            connection.reset();
            respond(XML, good)
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            respond(XML, good)
        }
        Some(Fault::CutBody) => cut(good),
        Some(Fault::Blanks(count)) => respond(XML, blanks(count)),
        Some(Fault::Redirect(location)) => {
            (StatusCode::FOUND, [(header::LOCATION, location)], "").into_response()
        }
        Some(Fault::Error(text)) => respond(XML, Reply::error(root(&parameters), &text)),
        Some(Fault::Body(body)) => respond(XML, body),
        Some(Fault::Entities) => respond(XML, with_entities(&good)),
        Some(Fault::Latin2) => {
            let (bytes, _, _) = encoding_rs::ISO_8859_2.encode(&good);
            respond(XML, bytes.into_owned())
        }
    }
}

fn respond(content_type: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body.into()).into_response()
}

/// Announces the whole length, sends half, and fails.
fn cut(good: String) -> Response {
    let half = Bytes::copy_from_slice(&good.as_bytes()[..good.len() / 2]);
    let failure = async {
        // Not ready at once, so that the half is flushed before the connection ends.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(failure)));
    let length = [(header::CONTENT_LENGTH, good.len())];
    (length, respond(XML, body)).into_response()
}

fn blanks(count: usize) -> Body {
    const CHUNK: usize = 64 * 1024;
    let chunk = Bytes::from_static(&[b' '; CHUNK]);
    let sizes = std::iter::repeat_n(CHUNK, count / CHUNK).chain([count % CHUNK]);
    Body::from_stream(stream::iter(
        sizes.map(move |size| Ok::<_, io::Error>(chunk.slice(..size))),
    ))
}

/// Puts a DTD behind the prolog and a reference to one of its entities into the root element.
fn with_entities(good: &str) -> String {
    let (prolog, rest) = good.split_once('\n').unwrap_or(("", good));
    let dtd = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\"><!ENTITY file SYSTEM \"file:///etc/hostname\">]>";
    let rest = rest.replacen(">\n", ">\n<note>&b;&file;</note>\n", 1);
    format!("{prolog}\n{dtd}\n{rest}")
}

fn root(parameters: &Parameters) -> &'static str {
    match operation(parameters).as_str() {
        "find" => "find",
        "present" => "present",
        "find_doc" => "find-doc",
        "ill_get_set" => "ill-get-set",
        "ill_get_doc" => "ill-get-doc",
        _ => "login",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
