//! Defect 5: any caller could read what our own machine and network show to their own.

mod common;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{download, exists, settings};
use edeposit_downloader::{Downloader, Lookup, Settings};
use edeposit_testkit::web::{Reply, WebServer};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

/// Answers with these addresses, one after the other.
struct Names(Vec<IpAddr>, AtomicUsize);

impl Lookup for Names {
    fn lookup(&self, _host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        let address = self.0[turn.min(self.0.len() - 1)];
        async move { Ok(vec![address]) }.boxed()
    }
}

fn named(settings: Settings, addresses: &[&str]) -> Downloader {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    let names = Names(addresses, AtomicUsize::new(0));
    Downloader::with_lookup(settings, Arc::new(names)).unwrap()
}

fn public_only() -> Settings {
    let mut settings = settings();
    settings.allow_private_addresses = false;
    settings
}

fn own(port: u16) -> Vec<String> {
    [
        "127.0.0.1",
        "127.1",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "localhost",
        "user:password@127.0.0.1",
    ]
    .iter()
    .map(|host| format!("http://{host}:{port}/"))
    .collect()
}

#[tokio::test]
async fn the_own_network_is_refused_without_a_connection() {
    let server = WebServer::start(|_| Reply::ok("internal")).await.unwrap();
    let downloader = Downloader::new(public_only()).unwrap();
    for url in own(server.address.port()) {
        let told = download(&downloader, &url).await.unwrap_err();
        assert_eq!(told.name, "ConnectionError", "{url}: {told}");
        assert!(told.message.contains("is not allowed"), "{url}: {told}");
        assert_eq!(exists(&downloader, json!(url)).await["result"], false);
    }
    assert!(server.requests().is_empty());
    // with the setting the same server answers
    let open = Downloader::new(settings()).unwrap();
    assert_eq!(
        download(&open, &server.url("/")).await.unwrap(),
        b"internal"
    );
}

/// A server that may be asked sends us on to one that may not.
#[tokio::test]
async fn redirects_into_the_own_network() {
    let inner = WebServer::start(|_| Reply::ok("internal")).await.unwrap();
    let port = inner.address.port();
    for target in own(port) {
        let location = target.clone();
        let respond = move |_: &str| Reply::redirect(&location);
        let outer = WebServer::start_on("127.0.0.5", respond).await.unwrap();
        let mut mine = public_only();
        mine.allowed_networks = vec!["127.0.0.5/32".parse().unwrap()];
        let downloader = Downloader::new(mine).unwrap();
        let told = download(&downloader, &outer.url("/")).await.unwrap_err();
        assert_eq!(told.name, "ConnectionError", "{target}: {told}");
        assert!(told.message.contains("is not allowed"), "{target}: {told}");
        let found = exists(&downloader, json!(outer.url("/"))).await;
        assert_eq!(found["result"], false);
        assert_eq!(outer.requests().len(), 2);
    }
    assert!(inner.requests().is_empty());
}

/// A name that means a public address when it is asked for, and ours when it is asked again, is never connected to ours:
/// it is looked up once, and what is connected to is what was checked.
#[tokio::test]
async fn names_that_change_their_mind() {
    let server = WebServer::start(|_| Reply::ok("internal")).await.unwrap();
    let url = format!("http://rebind.example:{}/", server.address.port());
    let told = download(&named(public_only(), &["127.0.0.1"]), &url)
        .await
        .unwrap_err();
    assert!(
        told.message
            .contains("address 127.0.0.1 of rebind.example is not allowed"),
        "{told}"
    );
    let told = download(&named(public_only(), &["::ffff:127.0.0.1"]), &url)
        .await
        .unwrap_err();
    assert!(told.message.contains("is not allowed"), "{told}");
    // the test's stand-in for a public address is 127.0.0.2, where nobody listens
    let mut mine = public_only();
    mine.allowed_networks = vec!["127.0.0.2/32".parse().unwrap()];
    let told = download(&named(mine, &["127.0.0.2", "127.0.0.1"]), &url)
        .await
        .unwrap_err();
    assert_eq!(told.name, "ConnectionError");
    assert!(server.requests().is_empty());
}

/// What is looked up for a redirect is checked as well.
#[tokio::test]
async fn a_redirect_by_name() {
    let inner = WebServer::start(|_| Reply::ok("internal")).await.unwrap();
    let location = format!("http://inner.example:{}/", inner.address.port());
    let outer = WebServer::start(move |_| Reply::redirect(&location))
        .await
        .unwrap();
    let url = format!("http://outer.example:{}/", outer.address.port());
    let mut mine = public_only();
    mine.allowed_networks = vec!["127.0.0.1/32".parse().unwrap()];
    let told = download(&named(mine, &["127.0.0.1", "127.0.0.2"]), &url)
        .await
        .unwrap_err();
    assert!(
        told.message
            .contains("127.0.0.2 of inner.example is not allowed"),
        "{told}"
    );
    assert_eq!((outer.requests().len(), inner.requests().len()), (1, 0));
}

#[tokio::test]
async fn denied_networks_win() {
    let server = WebServer::start(|_| Reply::ok("x")).await.unwrap();
    let mut mine = settings();
    mine.denied_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let told = download(&Downloader::new(mine).unwrap(), &server.url("/"))
        .await
        .unwrap_err();
    assert!(told.message.contains("is not allowed"), "{told}");
    assert!(server.requests().is_empty());
}
