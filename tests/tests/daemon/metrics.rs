//! `--metrics`: what Prometheus and a probe read of a running daemon, and what their connections may not do to it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail, ensure};
use edeposit_testkit::{ClosedPort, FaultProxy, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::BasicProperties;
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// Where the log says that the metrics are.
fn address(world: &World) -> Result<SocketAddr> {
    let log = world.daemon.log();
    let after = log.rsplit_once("metrics at http://").context("no line")?.1;
    Ok(after.split_once('/').context("no path")?.0.parse()?)
}

/// Sends the bytes and reads what comes until the end of the connection.
async fn exchange(to: SocketAddr, bytes: &[u8]) -> Result<String> {
    let exchanging = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut answer).await;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(PATIENCE, exchanging)
        .await
        .context("no answer in time")?
}

/// Status and body of a GET.
async fn get(to: SocketAddr, path: &str) -> Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = exchange(to, request.as_bytes()).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    let status = head.split_whitespace().nth(1).context("no status")?;
    Ok((status.parse()?, body.to_owned()))
}

async fn until_health(to: SocketAddr, status: u16, part: &str) -> Result<()> {
    let what = format!("/healthz says {status} and {part:?}");
    wait_until(&what, PATIENCE, async || {
        get(to, "/healthz")
            .await
            .is_ok_and(|(now, body)| now == status && body.contains(part))
    })
    .await
}

/// A page of metrics.
#[derive(Debug)]
struct Page(BTreeMap<String, f64>);

impl Page {
    async fn scrape(to: SocketAddr) -> Result<Self> {
        let (status, body) = get(to, "/metrics").await?;
        ensure!(status == 200, "{status}: {body}");
        Self::parse(&body)
    }

    /// Strict: every sample belongs to the family described right before it, every family has a help text and a type that
    /// both text formats have, and nothing is there twice.
    fn parse(text: &str) -> Result<Self> {
        let mut samples = BTreeMap::new();
        let mut types: HashMap<&str, &str> = HashMap::new();
        let (mut helped, mut family) = ("", "");
        let lines = text.strip_suffix("# EOF\n").context("no end")?;
        for line in lines.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').context("no help")?;
                ensure!(help.len() > 5, "{line}");
                helped = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').context("no type")?;
                ensure!(name == helped && valid_name(name), "{line}");
                ensure!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                ensure!(types.insert(name, kind).is_none(), "twice: {line}");
                family = name;
            } else {
                let (series, value) = line.rsplit_once(' ').context("no value")?;
                let name = series.split('{').next().unwrap_or_default();
                let suffix = name.strip_prefix(family).context("a stranger")?;
                let kind = types.get(family).context("no type")?;
                let allowed: &[&str] = match *kind {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    _ => &["_bucket", "_sum", "_count"],
                };
                ensure!(allowed.contains(&suffix), "{line}");
                check_labels(&series[name.len()..]).with_context(|| line.to_owned())?;
                let number: f64 = value.parse()?;
                ensure!(number >= 0.0, "{line}");
                ensure!(
                    samples.insert(series.to_owned(), number).is_none(),
                    "twice: {line}"
                );
            }
        }
        Ok(Self(samples))
    }

    /// The value of the series with this name and label.
    fn get(&self, name: &str, label: &str) -> Result<f64> {
        let mut found = self.0.iter().filter(|(series, _)| {
            let rest = series.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
        });
        let (_, value) = found
            .next()
            .with_context(|| format!("{name} {label}: {self:#?}"))?;
        ensure!(found.next().is_none(), "{name} {label} is there twice");
        Ok(*value)
    }

    fn outcome(&self, outcome: &str) -> Result<f64> {
        self.get("edeposit_requests_total", &format!("outcome=\"{outcome}\""))
    }

    /// All series of this name.
    fn all(&self, name: &str) -> impl Iterator<Item = f64> {
        let prefix = format!("{name}{{");
        self.0
            .iter()
            .filter(move |(series, _)| series.starts_with(&prefix))
            .map(|(_, value)| *value)
    }
}

fn valid_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// `{name="value",...}`, with the submodule among them.
fn check_labels(labels: &str) -> Result<()> {
    let inner = labels
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.context("no labels")?;
    for label in inner.split(',') {
        let (name, value) = label.split_once('=').context("no label")?;
        let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        ensure!(valid_name(name) && quoted, "{label}");
    }
    ensure!(inner.contains("submodule=\"puppet\""), "whose is it?");
    Ok(())
}

/// The puppet with its metrics on a free port.
async fn measured() -> Result<(World, SocketAddr)> {
    let world = World::puppet(&json!({})).await?;
    let start = ["start", "--metrics", "127.0.0.1:0"];
    world.daemon.run(&start)?.success()?;
    let address = address(&world)?;
    Ok((world, address))
}

fn vyhod(what: &str) -> String {
    json!({ "__nt_name": "Vyhod", "co": what }).to_string()
}

#[tokio::test]
async fn the_numbers_are_what_was_asked() -> Result<()> {
    let (world, address) = measured().await?;
    let caller = world.caller().await?;
    let fresh = Page::scrape(address).await?;
    assert_eq!(fresh.get("edeposit_requests_received_total", "")?, 0.0);
    assert_eq!(fresh.get("edeposit_sessions_total", "")?, 1.0);
    assert_eq!(fresh.get("edeposit_consuming", "")?, 1.0);
    assert_eq!(fresh.get("edeposit_publishing_blocked", "")?, 0.0);
    assert_eq!(
        fresh.get("edeposit_build_info", "name=\"edeposit-test-puppet\"")?,
        1.0
    );
    let started = fresh.get("process_start_time_seconds", "")?;
    let proved = fresh.get("edeposit_liveness_proof_timestamp_seconds", "")?;
    assert!(started > 1.7e9 && proved >= started, "{started} {proved}");

    for _ in 0..3 {
        caller.call(ECHO).await?;
    }
    for exception in [vyhod("keyerror"), vyhod("notfound"), "asd".to_owned()] {
        assert!(caller.call(exception).await?.is_exception());
    }
    // Two progress messages, then the answer.
    let request = caller.request(vyhod("send_back"));
    caller.publish(&request).await?;
    for _ in 0..3 {
        caller.next(PATIENCE).await?;
    }
    let nobody = caller
        .request(ECHO)
        .with_properties(BasicProperties::default());
    caller.publish(&nobody).await?;
    let slow = caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 1500}"#);
    caller.publish(&slow).await?;
    wait_until("the slow request is in hand", PATIENCE, async || {
        let page = Page::scrape(address).await;
        page.and_then(|page| page.get("edeposit_requests_received_total", ""))
            .is_ok_and(|received| received == 9.0)
    })
    .await?;
    let busy = Page::scrape(address).await?;
    assert_eq!(busy.get("edeposit_requests_in_flight", "")?, 1.0);
    caller.next(PATIENCE).await?;
    wait_until("it is settled", PATIENCE, async || {
        let page = Page::scrape(address).await;
        page.and_then(|page| page.get("edeposit_requests_in_flight", ""))
            .is_ok_and(|in_flight| in_flight == 0.0)
    })
    .await?;

    let page = Page::scrape(address).await?;
    let outcomes = [("answered", 5.0), ("exception", 3.0), ("dropped", 1.0)];
    for (outcome, count) in outcomes {
        assert_eq!(page.outcome(outcome)?, count, "{outcome}");
    }
    for outcome in ["requeued", "interrupted"] {
        assert_eq!(page.outcome(outcome)?, 0.0, "{outcome}");
    }
    let named = |name: &str| page.get("edeposit_exceptions_total", &format!("name=\"{name}\""));
    assert_eq!(named("KeyError")?, 1.0);
    for none in [
        "edeposit_requests_known_total",
        "edeposit_requests_poisonous_total",
        "edeposit_answers_parked_total",
    ] {
        assert_eq!(page.get(none, "")?, 0.0, "{none}");
    }
    assert_eq!(page.all("edeposit_requests_total").sum::<f64>(), 9.0);
    assert_eq!(page.get("edeposit_requests_redelivered_total", "")?, 0.0);
    assert_eq!(page.get("edeposit_progress_messages_total", "")?, 2.0);

    // All but the one without UUID came to a handler.
    let duration = "edeposit_handler_duration_seconds";
    let total = page.get(&format!("{duration}_count"), "")?;
    assert_eq!(total, 8.0);
    let bucket = |le| page.get(&format!("{duration}_bucket"), &format!("le=\"{le}\""));
    assert_eq!(bucket("1.0")?, 7.0);
    assert_eq!(bucket("2.5")?, 8.0);
    assert_eq!(bucket("+Inf")?, 8.0);
    let sum = page.get(&format!("{duration}_sum"), "")?;
    assert!((1.5..10.0).contains(&sum), "{sum}");

    // The log at the end says the same.
    world.daemon.stop()?.success()?;
    let end = "9 requests (0 redelivered), 5 answers, 3 exceptions, 2 progress messages, 1 dropped, 0 parked";
    assert!(world.daemon.log().contains(end));
    assert!(
        get(address, "/metrics").await.is_err(),
        "it ends with the daemon"
    );
    Ok(())
}

/// Injected: a request whose connection is cut under it.
#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_session() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let broker = world.vhost.amqp_port();
    let relay = FaultProxy::to(broker)?;
    let port = relay.port();
    let settings = json!({ "RABBITMQ_PORT": port });
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    world.daemon.run(&["start", "--metrics", "0"])?.success()?;
    let address = address(&world)?;
    assert_eq!(
        get(address, "/healthz").await?,
        (200, "consuming\n".to_owned())
    );

    let caller = world.caller().await?;
    caller
        .publish(&caller.request(r#"{"__nt_name": "Sleep", "milliseconds": 60000}"#))
        .await?;
    world.until_ready(0).await?;
    drop(relay);
    until_health(address, 503, "waiting for RabbitMQ: can't reach").await?;
    let (_, why) = get(address, "/healthz").await?;
    assert_eq!(why.lines().count(), 1, "{why}");
    let page = Page::scrape(address).await?;
    assert_eq!(page.get("edeposit_consuming", "")?, 0.0);
    assert_eq!(page.get("edeposit_sessions_lost_total", "")?, 1.0);
    assert_eq!(page.outcome("interrupted")?, 1.0);

    let _relay = FaultProxy::on(port, broker)?;
    until_health(address, 200, "consuming").await?;
    let page = Page::scrape(address).await?;
    assert_eq!(page.get("edeposit_sessions_total", "")?, 2.0);
    assert!(page.get("edeposit_connect_failures_total", "")? >= 1.0);
    wait_until("the request is in hand again", PATIENCE, async || {
        let page = Page::scrape(address).await;
        page.and_then(|page| page.get("edeposit_requests_redelivered_total", ""))
            .is_ok_and(|count| count == 1.0)
    })
    .await?;

    world.daemon.signal(Signal::TERM)?;
    until_health(address, 503, "draining").await
}

#[tokio::test]
async fn waiting_for_the_first_session_is_no_health() -> Result<()> {
    let closed = ClosedPort::new()?;
    let world = World::puppet(&json!({ "RABBITMQ_PORT": closed.port() })).await?;
    world
        .daemon
        .run(&["start", "--wait", "--metrics", "0"])?
        .success()?;
    until_health(address(&world)?, 503, "can't reach RabbitMQ").await
}

/// Injected: all handler threads are blocked.
#[tokio::test]
async fn a_busy_daemon_answers_the_probe() -> Result<()> {
    let (world, address) = measured().await?;
    let caller = world.caller().await?;
    for _ in 0..8 {
        caller
            .publish(&caller.request(r#"{"__nt_name": "Block", "milliseconds": 2000}"#))
            .await?;
    }
    // Each handler that blocks needs a further thread, and the next request is taken from the queue by then.
    wait_until("all handlers block", PATIENCE, async || {
        let page = Page::scrape(address).await;
        page.and_then(|page| page.get("edeposit_requests_in_flight", ""))
            .is_ok_and(|count| count == 8.0)
    })
    .await?;
    assert_eq!(get(address, "/healthz").await?.0, 200);
    for _ in 0..8 {
        caller.next(PATIENCE).await?;
    }
    Ok(())
}

/// Injected: another program has the address.
#[tokio::test]
async fn an_address_in_use_fails_the_start() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let start = world.daemon.run(&["start", "--metrics", &port])?;
    assert_eq!(start.code, Some(1));
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    for part in [
        &format!("cannot listen at 127.0.0.1:{port}"),
        "--metrics",
        "in use",
    ] {
        assert!(start.stderr.contains(part), "{}", start.stderr);
    }
    assert!(world.daemon.pid().is_none());
    drop(taken);
    world
        .daemon
        .run(&["start", "--metrics", &port])?
        .success()?;
    // Its own port is no hindrance.
    world
        .daemon
        .run(&["restart", "--metrics", &port])?
        .success()?;
    assert_eq!(get(address(&world)?, "/healthz").await?.0, 200);

    let wrong = world.daemon.run(&["start", "--metrics", "http://x"])?;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("HOST:PORT"), "{}", wrong.stderr);
    Ok(())
}

/// Injected: garbage, endless heads, other methods and paths, and more slow clients than there are connections.
#[tokio::test]
async fn strange_clients_harm_nobody() -> Result<()> {
    let (world, address) = measured().await?;
    let pid = world.daemon.pid().context("a pid")?;
    let descriptors =
        || fs::read_dir(format!("/proc/{pid}/fd")).map_or(usize::MAX, Iterator::count);
    let before = descriptors();

    let status = |answer: &str| answer.split_whitespace().nth(1).map(str::to_owned);
    let garbage = exchange(address, b"\x16\x03\x01\x00\xff\xfe\r\n\r\n").await?;
    assert!(
        garbage.is_empty() || status(&garbage).as_deref() == Some("400"),
        "{garbage}"
    );
    let mut endless = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    endless.resize(1_000_000, b'x');
    let refused = exchange(address, &endless).await.unwrap_or_default();
    assert!(!refused.contains(" 200 "), "{refused}");
    let post = exchange(
        address,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    )
    .await?;
    assert_eq!(status(&post).as_deref(), Some("405"));
    let head = exchange(address, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    assert!(
        head.contains(" 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(get(address, "/").await?.0, 404);
    let open = exchange(
        address,
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
    )
    .await?;
    assert!(
        open.contains("content-type: application/openmetrics-text"),
        "{open}"
    );

    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /hea").await?;
        slow.push(stream);
    }
    for _ in 0..10 {
        assert_eq!(get(address, "/healthz").await?.0, 200);
    }
    assert!(
        descriptors() <= before + 64 + 2,
        "{before}, {}",
        descriptors()
    );
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    // They are closed from the other side, all of them.
    for mut stream in slow {
        let mut end = [0; 1024];
        let closing = async { while stream.read(&mut end).await.is_ok_and(|count| count > 0) {} };
        if timeout(PATIENCE, closing).await.is_err() {
            bail!("a slow client is still connected");
        }
    }
    wait_until("nothing is left of them", PATIENCE, async || {
        descriptors() <= before
    })
    .await
}
