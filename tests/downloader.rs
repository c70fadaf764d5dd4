//! downloaderd over RabbitMQ: the real binary, and web servers on this machine.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::web::{Reply, WebServer};
use edeposit_testkit::{Answer, Caller, Schema, wait_until};
use edeposit_tests::World;
use serde_json::{Value, json};

/// For 20 MB on a busy machine.
const LONG: Duration = Duration::from_secs(120);

async fn world(settings: &Value) -> Result<World> {
    let schema = Schema::new("downloader");
    let world = World::new("edeposit_amqp_downloaderd", "DOWNER", schema, &json!({})).await?;
    world.daemon.write_settings("downloader.json", settings)?;
    Ok(world)
}

/// A file that no part of could be taken for another.
fn file(size: usize) -> Vec<u8> {
    (0..size.div_ceil(4))
        .flat_map(|i| (i as u32).to_le_bytes())
        .take(size)
        .collect()
}

async fn server() -> Result<WebServer> {
    let server = WebServer::start(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.strip_prefix("/size/").map(str::parse) {
            Some(Ok(size)) => return Reply::ok(file(size)),
            _ if path == "/drip" => return Reply::Drip,
            _ if path == "/slow" => return Reply::Silence,
            _ => {}
        }
        Reply::Http("404 Not Found", String::new(), Vec::new())
    });
    Ok(server.await?)
}

fn request(name: &str, url: &str) -> String {
    json!({"__nt_name": name, "url": url}).to_string()
}

/// All progress messages and the answer.
async fn with_progress(caller: &Caller, url: &str, steps: u64) -> Result<(Vec<Value>, Answer)> {
    let body = json!({"__nt_name": "ProgressDownload", "url": url, "steps": steps});
    let request = caller.request(body.to_string());
    let uuid = request.uuid().context("no UUID")?;
    caller.publish(&request).await?;
    let mut progress = Vec::new();
    loop {
        let answer = caller.answer_to(&uuid, LONG).await?;
        let json = answer.json()?;
        if json["__nt_name"] != "Progress" {
            return Ok((progress, answer));
        }
        progress.push(json);
    }
}

fn content(answer: &Answer) -> Result<Vec<u8>> {
    let json = answer.json()?;
    let text = json["b64_data"].as_str().context("no b64_data")?;
    Ok(BASE64_STANDARD.decode(text)?)
}

/// The most memory a process ever had, in bytes.
fn peak_memory(pid: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    let kb = line.split_whitespace().next().context("no number")?;
    Ok(kb.parse::<u64>()? * 1024)
}

#[tokio::test]
async fn twenty_megabytes_with_progress() -> Result<()> {
    let server = server().await?;
    let world = world(&json!({ "ALLOWED_NETWORKS": ["127.0.0.1/32"] })).await?;
    let caller = world.start().await?;
    let size = 20_000_000;
    let url = server.url(&format!("/size/{size}"));
    let (progress, answer) = with_progress(&caller, &url, 10).await?;
    assert_eq!(answer.json()?["__nt_name"], "DownloadedFile");
    assert_eq!(answer.json()?["url"], *url);
    assert!(content(&answer)? == file(size), "another file");
    let steps: Vec<u64> = progress.iter().filter_map(|p| p["step"].as_u64()).collect();
    assert_eq!(steps, (1..=10).collect::<Vec<u64>>());
    for message in &progress {
        assert_eq!(message["content_length"], size);
        assert_eq!(message["url"], *url);
    }
    assert_eq!(progress[9]["downloaded"], size);
    // persistent, as every answer
    assert_eq!(answer.delivery_mode(), Some(2));

    let plain = caller.request(request("Download", &url));
    caller.publish(&plain).await?;
    let uuid = plain.uuid().context("no UUID")?;
    assert!(content(&caller.answer_to(&uuid, LONG).await?)? == file(size));

    let small = server.url("/size/20000");
    let (progress, _) = with_progress(&caller, &small, 4).await?;
    let told: Vec<_> = progress
        .iter()
        .map(|p| (&p["step"], &p["downloaded"]))
        .collect();
    let expected =
        [(1, 5120), (2, 10240), (3, 15360), (4, 20000)].map(|(s, d)| (json!(s), json!(d)));
    assert_eq!(
        told,
        expected.iter().map(|(s, d)| (s, d)).collect::<Vec<_>>()
    );
    Ok(())
}

/// Hosts that killed the original's daemon, time-outs, and addresses that are none of the caller's business: each is an
/// exception, and the same process answers the next request.
#[tokio::test]
async fn exceptions_and_then_the_next_request() -> Result<()> {
    let server = server().await?;
    let world = world(&json!({
        "ALLOWED_NETWORKS": ["127.0.0.1/32"], "READ_TIMEOUT": 1, "TOTAL_TIMEOUT": 2,
    }))
    .await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for (url, name) in [
        (
            format!("http://user:topsecret@{closed}/"),
            "ConnectionError",
        ),
        ("http://nonexistent.invalid/".to_owned(), "ConnectionError"),
        (
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "ConnectionError",
        ),
        (
            format!("http://127.0.0.2:{}/", server.address.port()),
            "ConnectionError",
        ),
        ("file:///etc/passwd".to_owned(), "InvalidSchema"),
        ("foo/bar".to_owned(), "MissingSchema"),
        (server.url("/404"), "HTTPError"),
        (server.url("/slow"), "ReadTimeout"),
        (server.url("/drip"), "ReadTimeout"),
    ] {
        let answer = caller.call(request("Download", &url)).await?;
        assert_eq!(
            answer.header("exception_name").as_deref(),
            Some(name),
            "{url}"
        );
        let kind = format!("<class 'requests.exceptions.{name}'>");
        assert_eq!(answer.header("exception_type"), Some(kind));
        let exists = caller.call(request("CheckExistence", &url)).await?.json()?;
        let is_dripping = url.ends_with("/drip");
        assert_eq!(exists["result"], is_dripping, "{url}");
    }
    let url = server.url("/size/5");
    let exists = caller.call(request("CheckExistence", &url)).await?.json()?;
    assert_eq!(exists["headers"]["content-length"], "5");
    assert_eq!(
        content(&caller.call(request("Download", &url)).await?)?,
        file(5)
    );
    assert_eq!(world.daemon.pid(), pid);
    assert!(!world.daemon.log().contains("topsecret"));
    Ok(())
}

/// Passwords of the daemon's user and a proxy in its environment, both of which the original used, are left alone.
#[tokio::test]
async fn neither_netrc_nor_proxy() -> Result<()> {
    let server = server().await?;
    let proxy = WebServer::start(|_| Reply::ok("from the proxy")).await?;
    let mut world = world(&json!({ "ALLOW_PRIVATE_ADDRESSES": true })).await?;
    let netrc = world.daemon.home().join(".netrc");
    fs::write(&netrc, "machine 127.0.0.1 login novak password topsecret\n")?;
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        world.daemon.set_env(name, proxy.url("/"));
    }
    let caller = world.start().await?;
    let answer = caller
        .call(request("Download", &server.url("/size/5")))
        .await?;
    assert_eq!(content(&answer)?, file(5));
    assert!(proxy.requests().is_empty());
    let asked = server.requests().join("").to_lowercase();
    assert!(
        asked.starts_with("get /size/5 ") && !asked.contains("authorization"),
        "{asked}"
    );
    Ok(())
}

/// The default settings refuse this machine.
#[tokio::test]
async fn by_default_not_this_machine() -> Result<()> {
    let server = server().await?;
    let world = world(&json!({})).await?;
    let caller = world.start().await?;
    let answer = caller
        .call(request("Download", &server.url("/size/5")))
        .await?;
    let told = answer.header("exception").context("no exception")?;
    assert!(
        told.contains("address 127.0.0.1 of 127.0.0.1 is not allowed"),
        "{told}"
    );
    assert!(server.requests().is_empty());
    Ok(())
}

/// 200 MB that come packed in 200 kB cost the daemon no more memory than its limit allows.
#[tokio::test]
async fn a_bomb() -> Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0; 1 << 20];
    for _ in 0..200 {
        std::io::Write::write_all(&mut encoder, &block)?;
    }
    let bomb = encoder.finish()?;
    assert!(bomb.len() < 300_000);
    let server = WebServer::start(move |_| {
        Reply::Http(
            "200 OK",
            "Content-Encoding: gzip\r\n".to_owned(),
            bomb.clone(),
        )
    })
    .await?;
    let settings = json!({ "ALLOW_PRIVATE_ADDRESSES": true, "MAX_SIZE": 10_000_000 });
    let world = world(&settings).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("no pid")?;
    let before = peak_memory(pid)?;
    let answer = caller.call(request("Download", &server.url("/"))).await?;
    assert_eq!(
        answer.header("exception_name").as_deref(),
        Some("ValueError")
    );
    let told = answer.header("exception").context("no exception")?;
    assert!(told.contains("MAX_SIZE"), "{told}");
    let grown = peak_memory(pid)?.saturating_sub(before);
    assert!(grown < 60_000_000, "{grown} bytes");
    Ok(())
}

/// With no prefetch set, as many requests leave the queue as are carried out at once.
#[tokio::test]
async fn requests_wait_in_the_queue_not_in_memory() -> Result<()> {
    let server = server().await?;
    let settings = json!({ "ALLOW_PRIVATE_ADDRESSES": true, "MAX_JOBS": 2 });
    let world = world(&settings).await?;
    let caller = world.caller().await?;
    for _ in 0..5 {
        let request = caller.request(request("Download", &server.url("/slow")));
        caller.publish(&request).await?;
    }
    world.until_ready(5).await?;
    world.daemon.start()?.success()?;
    wait_until("two downloads are under way", LONG, async || {
        server.requests().len() == 2
    })
    .await?;
    world.until_ready(3).await
}
