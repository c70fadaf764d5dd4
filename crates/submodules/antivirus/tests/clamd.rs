//! Scanning with a real clamd: its verdicts, its limits, and what it does when it is not well.

mod common;

use std::time::{Duration, Instant};

use common::{FOUND, antivirus, eicar, scan, settings, unix};
use edeposit_antivirus::Address;
use edeposit_antivirus::{Antivirus, AntivirusError, Verdict};
use edeposit_settings::Declared;
use edeposit_testkit::clamd::Clamd;
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn found_and_clean() {
    let clamd = Clamd::start().unwrap();
    let antivirus = antivirus(&clamd);
    let clean = scan(&antivirus, "/home/novak/kniha.epub", b"nothing")
        .await
        .unwrap();
    let expected =
        json!({"__nt_name": "ScanResult", "filename": "/home/novak/kniha.epub", "result": {}});
    assert_eq!(clean, expected);
    let empty = scan(&antivirus, "prazdny.txt", b"").await.unwrap();
    assert_eq!(empty["result"], json!({}));

    let found = scan(&antivirus, "/home/x/eicar.com", &eicar())
        .await
        .unwrap();
    let result = found["result"].as_object().unwrap();
    assert_eq!(result.len(), 1);
    let (key, verdict) = result.iter().next().unwrap();
    assert!(
        key.starts_with("/tmp/tmp") && key.ends_with("_eicar.com"),
        "{key}"
    );
    assert_eq!(key.len(), "/tmp/tmp123456_eicar.com".len());
    assert_eq!(verdict, &json!(["FOUND", FOUND]));
    // 5 MiB with many chunks
    let large = scan(&antivirus, "x", &vec![b'x'; 5 << 20]).await.unwrap();
    assert_eq!(large["result"], json!({}));
}

/// Defect 9: TCP never worked. Here the first address has nobody, the second is TCP.
#[tokio::test]
async fn tcp_and_the_next_address() {
    let clamd = Clamd::start().unwrap();
    let tcp = Address::Tcp(format!("127.0.0.1:{}", clamd.port()));
    let nobody = Address::Unix("/nonexistent/clamd.ctl".into());
    let antivirus = Antivirus::new(settings(&[nobody, tcp]));
    let verdict = antivirus.scan(&eicar()).await.unwrap();
    assert_eq!(verdict, Verdict::Found(FOUND.to_owned()));
    assert_eq!(antivirus.scan(b"x").await.unwrap(), Verdict::Clean);
}

/// Defects 6, 7: the file's name reached clamd's command line. Here no name changes the verdict or the answer.
#[tokio::test]
async fn any_name() {
    let clamd = Clamd::start().unwrap();
    let antivirus = antivirus(&clamd);
    let long = "x".repeat(300);
    for (name, base) in [
        ("a\nb", "a\nb"),
        ("a: b", "a: b"),
        ("../../etc/passwd", "passwd"),
        ("..", ".."),
        ("a/", ""),
        ("", ""),
        ("příloha č. 1.pdf", "příloha č. 1.pdf"),
        (&*long, &*long),
    ] {
        let answer = scan(&antivirus, name, &eicar()).await.unwrap();
        assert_eq!(answer["filename"], name);
        let result = answer["result"].as_object().unwrap();
        let (key, verdict) = result.iter().next().unwrap();
        assert_eq!(key.split_once('_').unwrap().1, base);
        assert_eq!(verdict, &json!(["FOUND", FOUND]));
    }
    let nul = scan(&antivirus, "a\0b", b"x").await.unwrap_err();
    assert_eq!(nul.name, "TypeError");
    assert!(nul.message.contains("null bytes"), "{nul}");
}

/// Defects 8, 11: what clamd does not scan is an exception, never an empty result. clamd hangs up in the middle of
/// the stream, and its reply must be heard all the same.
#[tokio::test]
async fn too_large_for_clamd() {
    let clamd = Clamd::start().unwrap();
    let mut mine = settings(&[unix(&clamd)]);
    let large = vec![b'x'; 11 << 20];
    let told = scan(&Antivirus::new(mine.clone()), "x", &large)
        .await
        .unwrap_err();
    assert_eq!(told.name, "ScanError");
    assert!(told.message.contains("StreamMaxLength"), "{told}");
    mine.clamd = vec![Address::Tcp(format!("127.0.0.1:{}", clamd.port()))];
    let told = scan(&Antivirus::new(mine.clone()), "x", &large)
        .await
        .unwrap_err();
    assert!(told.message.contains("StreamMaxLength"), "{told}");
    mine.max_file_size = 1000;
    let told = scan(&Antivirus::new(mine), "x", &[0; 1001])
        .await
        .unwrap_err();
    assert_eq!(told.name, "ScanError");
    assert!(told.message.contains("1001 bytes") && told.message.contains("MAX_FILE_SIZE"));
}

/// Defect 11: over MaxFileSize clamd says OK without looking. With its alert on, that is no find either; with its own
/// configuration readable, it is not even asked.
#[tokio::test]
async fn beyond_clamds_own_limit() {
    let mut clamd = Clamd::prepare().unwrap();
    clamd
        .configure("MaxFileSize 1M\nAlertExceedsMax yes")
        .unwrap();
    clamd.run().unwrap();
    let told = scan(&antivirus(&clamd), "x", &vec![b'x'; 2 << 20])
        .await
        .unwrap_err();
    assert_eq!(told.name, "ScanError");
    assert!(
        told.message.contains("Heuristics.Limits.Exceeded"),
        "{told}"
    );

    let mut sources = edeposit_settings::Sources::none();
    sources.env.insert(
        "EDEPOSIT_ANTIVIRUS_CONF_PATH".to_owned(),
        clamd.conf().into(),
    );
    let found = edeposit_antivirus::Settings::load_sources(&sources).unwrap();
    assert_eq!(found.clamd[0], unix(&clamd));
    assert_eq!(found.max_file_size, 1 << 20);
}

/// A clamd that is not there yet is waited for, as one that restarts is: it takes longer to start than the scan to ask.
#[tokio::test]
async fn a_clamd_that_comes_later() {
    let mut clamd = Clamd::start().unwrap();
    clamd.stop().unwrap();
    let mut mine = settings(&[unix(&clamd)]);
    mine.timeout = Duration::from_secs(60);
    let antivirus = Antivirus::new(mine);
    let data = eicar();
    let scanning = antivirus.scan(&data);
    let starting = tokio::task::spawn_blocking(move || clamd.run().map(|()| clamd));
    let (verdict, clamd) = tokio::join!(scanning, starting);
    assert_eq!(verdict.unwrap(), Verdict::Found(FOUND.to_owned()));
    drop(clamd);
}

/// Defects 9, 12: without any clamd the answer comes when the time is up, and says what was tried.
#[tokio::test]
async fn no_clamd_at_all() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let mut mine = settings(&[
        Address::Unix("/nonexistent/clamd.ctl".into()),
        Address::Tcp(format!("127.0.0.1:{port}")),
    ]);
    mine.timeout = Duration::from_secs(1);
    let told = scan(&Antivirus::new(mine), "x", b"x").await.unwrap_err();
    assert_eq!(told.kind, "<type 'exceptions.ValueError'>");
    assert!(
        told.message
            .starts_with("Couldn't connect to clamd server using unix/network socket.")
    );
    assert!(
        told.message.contains("unix:/nonexistent/clamd.ctl"),
        "{told}"
    );
    assert!(told.message.contains(&port.to_string()), "{told}");
}

/// Defect 12: a clamd that hangs costs the time-out, not the daemon; when it goes on, so do the scans.
#[tokio::test]
async fn a_clamd_that_hangs() {
    let clamd = Clamd::start().unwrap();
    let mut mine = settings(&[unix(&clamd)]);
    mine.timeout = Duration::from_secs(1);
    let antivirus = Antivirus::new(mine);
    clamd.signal(Signal::STOP).unwrap();
    let start = Instant::now();
    let told = scan(&antivirus, "x", b"x").await.unwrap_err();
    assert_eq!(told.name, "ScanError");
    assert!(told.message.contains("TIMEOUT"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(10));
    clamd.signal(Signal::CONT).unwrap();
    let after = common::antivirus(&clamd);
    assert_eq!(after.scan(b"x").await.unwrap(), Verdict::Clean);
}

/// What a clamd can say that is no verdict, from a server that says just that.
#[tokio::test]
async fn replies_that_are_no_verdict() {
    for (reply, told) in [
        (&b"COMMAND READ TIMED OUT\n"[..], "COMMAND READ TIMED OUT"),
        (b"stream: Can't open file ERROR\0", "Can't open file ERROR"),
        (b"UNKNOWN COMMAND\n", "UNKNOWN COMMAND"),
        (b"\0", "clamd"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap().to_string());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut command = [0; 10];
            stream.read_exact(&mut command).await.unwrap();
            stream.write_all(reply).await.unwrap();
        });
        match Antivirus::new(settings(&[address])).scan(b"x").await {
            Err(AntivirusError::Undecided(text)) => assert!(text.contains(told), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Defect 5: the file is never on disk where the daemon could leave it, not even while clamd looks at it: by the time a
/// server has all of it, and has not answered yet, there is no file of that name.
#[tokio::test]
async fn nothing_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    let name = "edeposit-never-on-disk.com";
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"some text\0\0\0\0") {
            stream.read_buf(&mut received).await.unwrap();
        }
        let files: Vec<String> = std::fs::read_dir(std::env::temp_dir())
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|entry| entry.contains(name))
            .collect();
        stream
            .write_all(b"stream: Some.Malware FOUND\0")
            .await
            .unwrap();
        (received, files)
    });
    let antivirus = Antivirus::new(settings(&[address]));
    let answer = scan(&antivirus, name, b"some text").await.unwrap();
    let (key, verdict) = answer["result"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(verdict, &json!(["FOUND", "Some.Malware"]));
    assert!(!std::path::Path::new(key).exists());
    let (received, files) = server.await.unwrap();
    assert_eq!(received, b"zINSTREAM\0\0\0\0\x09some text\0\0\0\0");
    assert!(files.is_empty(), "{files:?}");
}

/// A clamd that goes down in the middle of a scan, as at a restart, is asked again.
#[tokio::test]
async fn a_clamd_that_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap().to_string());
    let server = tokio::spawn(async move {
        // once at once, once after the whole file, then it is up again
        drop(listener.accept().await.unwrap());
        for reply in [&b""[..], b"stream: OK\0"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut received = Vec::new();
            while !received.ends_with(b"abc\0\0\0\0") {
                stream.read_buf(&mut received).await.unwrap();
            }
            stream.write_all(reply).await.unwrap();
        }
    });
    let antivirus = Antivirus::new(settings(&[address]));
    assert_eq!(antivirus.scan(b"abc").await.unwrap(), Verdict::Clean);
    server.await.unwrap();
}
