//! What the tests share: the submodule with settings of the test's own, called as the daemon calls it.

#![allow(dead_code, reason = "each test uses its own part")]

use std::time::Duration;

use edeposit_amqpdaemon::{Exception, React, Sendback};
use edeposit_downloader::{Downloader, Settings};
use edeposit_serializers::{Base64, Value};
use edeposit_settings::{Declared, Sources};
use serde_json::json;

/// The defaults, but with servers on this machine allowed and little patience.
pub fn settings() -> Settings {
    let mut settings = Settings::load_sources(&Sources::none()).unwrap();
    settings.allow_private_addresses = true;
    settings.read_timeout = Duration::from_secs(10);
    settings
}

pub fn downloader(change: impl FnOnce(&mut Settings)) -> Downloader {
    let mut settings = settings();
    change(&mut settings);
    Downloader::new(settings).unwrap()
}

/// Progress messages and the answer.
pub async fn react(
    downloader: &Downloader,
    request: Value,
) -> (Vec<Value>, Result<Value, Exception>) {
    let (sendback, mut progress) = Sendback::collecting();
    let body = request.to_string().into_bytes();
    let answer = React::react(downloader, body, sendback).await;
    let mut messages = Vec::new();
    while let Ok(message) = progress.try_recv() {
        messages.push(serde_json::from_slice(&message).unwrap());
    }
    let answer = answer.map(|bytes| serde_json::from_slice(&bytes).unwrap());
    (messages, answer)
}

pub async fn download(downloader: &Downloader, url: &str) -> Result<Vec<u8>, Exception> {
    let request = json!({"__nt_name": "Download", "url": url});
    let (progress, answer) = react(downloader, request).await;
    assert!(progress.is_empty());
    let answer = answer?;
    assert_eq!(answer["__nt_name"], "DownloadedFile");
    assert_eq!(answer["url"], url);
    Ok(Base64::decode(answer["b64_data"].as_str().unwrap())
        .unwrap()
        .0)
}

pub async fn exists(downloader: &Downloader, url: Value) -> Value {
    let request = json!({"__nt_name": "CheckExistence", "url": url});
    let (progress, answer) = react(downloader, request).await;
    assert!(progress.is_empty());
    answer.unwrap()
}
