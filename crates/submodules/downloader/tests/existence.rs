//! Is it there?

mod common;

use std::time::Duration;

use common::{downloader, exists};
use edeposit_testkit::web::{Reply, WebServer};
use serde_json::json;

async fn server() -> WebServer {
    WebServer::start(|head| {
        let (method, path) = {
            let mut words = head.split(' ');
            (words.next().unwrap(), words.next().unwrap())
        };
        let headers = "Content-Type: application/pdf\r\nX-Twice: a\r\nX-TWICE: b\r\n".to_owned();
        match (method, path) {
            (_, "/file") => Reply::Http("200 OK", headers, vec![b'x'; 20_000]),
            (_, "/redir") => Reply::redirect("/file"),
            (_, "/nowhere") => Reply::redirect("/404"),
            ("HEAD", "/405" | "/empty405" | "/404405") => {
                Reply::Http("405 Method Not Allowed", String::new(), Vec::new())
            }
            ("GET", "/405") if head.to_lowercase().contains("range: bytes=0-0") => Reply::Http(
                "206 Partial Content",
                "Content-Range: bytes 0-0/20000\r\n".to_owned(),
                b"x".to_vec(),
            ),
            ("GET", "/empty405") => Reply::Http(
                "416 Range Not Satisfiable",
                "Content-Range: bytes */0\r\n".to_owned(),
                Vec::new(),
            ),
            (_, "/slow") => Reply::Silence,
            _ => Reply::Http("404 Not Found", String::new(), Vec::new()),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn there_or_not() {
    let server = server().await;
    let downloader = downloader(|settings| settings.read_timeout = Duration::from_secs(1));
    let url = server.url("/file");
    assert_eq!(
        exists(&downloader, json!(url)).await,
        json!({"__nt_name": "Exists", "url": url, "result": true, "headers": {
            "content-type": "application/pdf", "x-twice": "a, b", "content-length": "20000"}})
    );
    assert!(server.requests()[0].starts_with("HEAD /file "));
    for nothing in [
        json!(server.url("/404")),
        json!(server.url("/slow")),
        json!("http://nonexistent.invalid/"),
        json!("file:///etc/passwd"),
        json!("foo"),
        json!(null),
    ] {
        assert_eq!(
            exists(&downloader, nothing.clone()).await,
            json!({"__nt_name": "Exists", "url": nothing, "result": false, "headers": {}})
        );
    }
}

/// Defect 8: redirects to nowhere existed, and servers that refuse HEAD had nothing.
#[tokio::test]
async fn redirects_and_refused_heads() {
    let server = server().await;
    let modern = downloader(|_| {});
    let found = exists(&modern, json!(server.url("/redir"))).await;
    assert_eq!(found["headers"]["content-length"], "20000");
    assert_eq!(
        exists(&modern, json!(server.url("/nowhere"))).await["result"],
        false
    );
    assert_eq!(
        exists(&modern, json!(server.url("/404405"))).await["result"],
        false
    );
    for (path, length) in [("/405", "20000"), ("/empty405", "0")] {
        let found = exists(&modern, json!(server.url(path))).await;
        assert_eq!(found["result"], true, "{path}");
        assert_eq!(found["headers"]["content-length"], length, "{path}");
        assert_eq!(found["headers"].get("content-range"), None);
    }
    let old = downloader(|settings| settings.head_follows_redirects = false);
    let found = exists(&old, json!(server.url("/nowhere"))).await;
    assert_eq!(
        (&found["result"], &found["headers"]["location"]),
        (&json!(true), &json!("/404"))
    );
}
