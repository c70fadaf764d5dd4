//! Fetching from a server that does what the test says.

mod common;

use std::io::Write;
use std::time::Duration;

use common::{download, downloader, react};
use edeposit_serializers::Base64;
use edeposit_testkit::ClosedPort;
use edeposit_testkit::web::{Reply, WebServer};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

async fn server() -> WebServer {
    WebServer::start(|head| {
        let path = head.split(' ').nth(1).unwrap();
        let number = || path.rsplit('/').next().unwrap().parse::<usize>().unwrap();
        let raw = |text: &str| Reply::Raw(text.as_bytes().to_vec());
        let encoded = |name: &str, body| {
            Reply::Http("200 OK", format!("Content-Encoding: {name}\r\n"), body)
        };
        match path {
            _ if path.starts_with("/size/") => Reply::ok(vec![b'f'; number()]),
            "/hop/0" => Reply::redirect("/size/100"),
            _ if path.starts_with("/hop/") => Reply::redirect(&format!("/hop/{}", number() - 1)),
            "/rloop" => Reply::redirect("/rloop"),
            "/tofile" => Reply::redirect("file:///etc/passwd"),
            "/nolocation" => Reply::Http("302 Found", String::new(), b"here".to_vec()),
            "/nocl" => raw("HTTP/1.1 200 OK\r\n\r\nabc"),
            "/chunked" => raw(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            ),
            "/chunkedshort" => {
                raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc")
            }
            "/short" => raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
            "/badcl" => raw("HTTP/1.1 200 OK\r\nContent-Length: xyz\r\n\r\nabc"),
            "/gz" => encoded("gzip", gzip(b"unpacked")),
            "/deflate" => encoded("deflate", deflate(b"unpacked")),
            "/badgz" => encoded("gzip", b"no gzip".to_vec()),
            "/gzbomb" => encoded("gzip", gzip(&vec![0; 20 << 20])),
            "/404" => Reply::Http("404 Not Here Today", String::new(), b"x".to_vec()),
            "/500" => Reply::Http("500 Internal Server Error", String::new(), Vec::new()),
            "/204" => raw("HTTP/1.1 204 No Content\r\n\r\n"),
            "/304" => raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
            "/drip" => Reply::Drip,
            "/slow" => Reply::Silence,
            "/nohttp" => raw("hello\r\n\r\n"),
            "/auth" if head.to_lowercase().contains("authorization: basic dtpw\r\n") => {
                Reply::ok("secret")
            }
            "/auth" => Reply::Http("401 Unauthorized", String::new(), Vec::new()),
            "/toauth" => Reply::redirect("/auth"),
            _ => Reply::ok(path),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn files_as_they_come() {
    let server = server().await;
    let downloader = downloader(|_| {});
    for (path, expected) in [
        ("/size/0", vec![]),
        ("/size/100000", vec![b'f'; 100_000]),
        ("/nocl", b"abc".to_vec()),
        ("/chunked", b"abcde".to_vec()),
        ("/gz", b"unpacked".to_vec()),
        ("/deflate", b"unpacked".to_vec()),
        ("/hop/30", vec![]),
        ("/hop/29", vec![b'f'; 100]),
        ("/nolocation", b"here".to_vec()),
        // defect 12: 204 is kept
        ("/204", vec![]),
        ("/čř x?a=ž", b"/%C4%8D%C5%99%20x?a=%C5%BE".to_vec()),
        ("/%41", b"/%41".to_vec()),
    ] {
        match download(&downloader, &server.url(path)).await {
            Ok(file) => assert!(file == expected, "{path}: {} bytes", file.len()),
            // 31 redirects
            Err(told) if path == "/hop/30" => assert_eq!(told.message, "Exceeded 30 redirects."),
            Err(told) => panic!("{path}: {told}"),
        }
    }
    let head = &server.requests()[0].to_lowercase();
    for header in [
        "accept: */*",
        "accept-encoding: gzip,deflate",
        "user-agent: edeposit-downloader/",
    ] {
        assert!(head.contains(header), "{head}");
    }
}

/// Defects 2, 7, 8, 12: each of these is one exception of its name, and no file.
#[tokio::test]
async fn what_is_no_file() {
    let server = server().await;
    let downloader = downloader(|settings| settings.read_timeout = Duration::from_secs(1));
    for (path, name, message) in [
        ("/404", "HTTPError", "404 Client Error: Not Here Today"),
        (
            "/500",
            "HTTPError",
            "500 Server Error: Internal Server Error",
        ),
        ("/304", "HTTPError", "304 "),
        ("/auth", "HTTPError", "401 Client Error"),
        ("/rloop", "TooManyRedirects", "Exceeded 30 redirects."),
        (
            "/tofile",
            "InvalidSchema",
            "No connection adapters were found for 'file:///etc/passwd'",
        ),
        ("/short", "ConnectionError", "127.0.0.1:"),
        ("/chunkedshort", "ConnectionError", "127.0.0.1:"),
        ("/badgz", "ConnectionError", "127.0.0.1:"),
        ("/nohttp", "ConnectionError", "127.0.0.1:"),
        (
            "/badcl",
            "ValueError",
            "invalid literal for int() with base 10",
        ),
        ("/slow", "ReadTimeout", "127.0.0.1:"),
    ] {
        let told = download(&downloader, &server.url(path)).await.unwrap_err();
        assert_eq!(told.name, name, "{path}: {told}");
        assert!(told.message.starts_with(message), "{path}: {told}");
        if name != "ValueError" {
            assert_eq!(told.kind, format!("<class 'requests.exceptions.{name}'>"));
        }
        assert!(!told.message.contains('\n'), "{told}");
    }
}

/// Defect 2: an unreachable host killed the daemon.
#[tokio::test]
async fn nobody_there() {
    let downloader = downloader(|_| {});
    let closed = ClosedPort::new().unwrap();
    let address = closed.address();
    let refused = download(&downloader, &format!("http://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(refused.name, "ConnectionError");
    assert!(
        refused.message.starts_with(&address.to_string()),
        "{refused}"
    );
    let unknown = download(&downloader, "http://nonexistent.invalid/")
        .await
        .unwrap_err();
    assert_eq!(unknown.name, "ConnectionError");
    assert!(
        unknown.message.starts_with("nonexistent.invalid:80: "),
        "{unknown}"
    );
}

/// Defect 3: there was no time-out. A server that drips is never silent for long, but the whole has its limit.
#[tokio::test]
async fn a_server_that_drips() {
    let server = server().await;
    let downloader = downloader(|settings| settings.total_timeout = Duration::from_secs(1));
    let told = download(&downloader, &server.url("/drip"))
        .await
        .unwrap_err();
    assert_eq!(told.name, "ReadTimeout");
    assert!(told.message.contains("TOTAL_TIMEOUT"), "{told}");
}

/// Defect 4: there was no limit, and a small answer could unpack to anything.
#[tokio::test]
async fn more_than_the_limit() {
    let server = server().await;
    let downloader = downloader(|settings| settings.max_size = 1000);
    assert_eq!(
        download(&downloader, &server.url("/size/1000"))
            .await
            .unwrap()
            .len(),
        1000
    );
    for (path, size) in [("/size/1001", "1001"), ("/gzbomb", "")] {
        let told = download(&downloader, &server.url(path)).await.unwrap_err();
        assert_eq!(told.name, "ValueError");
        assert!(
            told.message.contains(size) && told.message.contains("MAX_SIZE"),
            "{told}"
        );
    }
}

/// Defects 6, 10: a password goes to the host whose address has it, over redirects too, and to no other.
#[tokio::test]
async fn passwords_stay_with_their_host() {
    let server = server().await;
    let downloader = downloader(|_| {});
    for path in ["/auth", "/toauth"] {
        let url = format!("http://u:p@{}{path}", server.address);
        assert_eq!(download(&downloader, &url).await.unwrap(), b"secret");
    }
    let auth = server.url("/auth");
    let other = WebServer::start(move |_| Reply::redirect(&auth))
        .await
        .unwrap();
    let url = format!("http://u:p@{}/", other.address);
    let told = download(&downloader, &url).await.unwrap_err();
    assert_eq!(told.message, "401 Client Error: Unauthorized");
    let last = server.requests().pop().unwrap().to_lowercase();
    assert!(
        !last.contains("authorization") && !last.contains("referer"),
        "{last}"
    );
    let closed = download(&downloader, "http://u:topsecret@127.0.0.1:1/")
        .await
        .unwrap_err();
    assert!(!closed.message.contains("topsecret"), "{closed}");
    assert!(!closed.traceback_text().contains("topsecret"));
}

/// Defect 1: no file with a length could be downloaded with progress.
#[tokio::test]
async fn progress() {
    let server = server().await;
    let downloader = downloader(|settings| settings.max_size = 100_000);
    for (path, steps, expected) in [
        (
            "/size/20000",
            4,
            vec![(1, 5120), (2, 10240), (3, 15360), (4, 20000)],
        ),
        ("/size/10", 5, vec![(5, 10)]),
        ("/size/0", 5, vec![]),
        ("/nocl", 3, vec![(3, 3)]),
        ("/chunked", 1, vec![(1, 5)]),
        ("/hop/3", 2, vec![(2, 100)]),
        ("/gz", 2, vec![(2, 8)]),
    ] {
        let url = server.url(path);
        let request = json!({"__nt_name": "ProgressDownload", "url": url, "steps": steps});
        let (messages, answer) = react(&downloader, request).await;
        let answer = answer.unwrap();
        let file = Base64::decode(answer["b64_data"].as_str().unwrap())
            .unwrap()
            .0;
        let length = file.len();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(step, downloaded)| {
                json!({"__nt_name": "Progress", "url": url, "step": step,
                       "downloaded": downloaded, "content_length": length})
            })
            .collect();
        assert_eq!(messages, expected, "{path}");
    }
    let head = server.requests()[0].to_lowercase();
    assert!(head.contains("accept-encoding: identity"), "{head}");
}

/// Without a length the messages are spread over the largest file there may be, and never more than asked for.
#[tokio::test]
async fn progress_of_unknown_length() {
    let server = WebServer::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        Reply::Raw([head, vec![b'x'; 70_000]].concat())
    })
    .await
    .unwrap();
    let downloader = downloader(|settings| settings.max_size = 100_000);
    let request = json!({"__nt_name": "ProgressDownload", "url": server.url("/"), "steps": 4});
    let (messages, answer) = react(&downloader, request).await;
    answer.unwrap();
    let told: Vec<_> = messages
        .iter()
        .map(|m| {
            (
                m["step"].as_u64(),
                m["downloaded"].as_u64(),
                m["content_length"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some(1), Some(25_600), None),
            (Some(2), Some(51_200), None),
            (Some(4), Some(70_000), Some(70_000))
        ]
    );
}
