//! What the tests share: the submodule with a clamd of the test's own.

#![allow(dead_code, reason = "each test uses its own part")]

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use edeposit_amqpdaemon::{Exception, React, Sendback};
use edeposit_antivirus::{Address, Antivirus, Settings};
use edeposit_serializers::Value;
use edeposit_settings::{Declared, Sources};
use edeposit_testkit::clamd::{Clamd, EICAR_BASE64};
use serde_json::json;

pub const FOUND: &str = "Eicar-Test-Signature.UNOFFICIAL";

pub fn eicar() -> Vec<u8> {
    BASE64_STANDARD.decode(EICAR_BASE64).unwrap()
}

/// The defaults with these addresses, and with little patience.
pub fn settings(addresses: &[Address]) -> Settings {
    let mut settings = Settings::load_sources(&Sources::none()).unwrap();
    settings.clamd = addresses.to_vec();
    settings.timeout = Duration::from_secs(20);
    settings
}

pub fn unix(clamd: &Clamd) -> Address {
    Address::Unix(clamd.socket())
}

pub fn antivirus(clamd: &Clamd) -> Antivirus {
    Antivirus::new(settings(&[unix(clamd)]))
}

/// A request as the daemon hands it on.
pub async fn react(antivirus: &Antivirus, body: &[u8]) -> Result<Value, Exception> {
    let (sendback, mut progress) = Sendback::collecting();
    let answer = React::react(antivirus, body.to_vec(), sendback).await;
    assert!(
        progress.try_recv().is_err(),
        "there are no progress messages"
    );
    answer.map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

pub fn scan_file(filename: &str, data: &[u8]) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(data);
    json!({"__nt_name": "ScanFile", "filename": filename, "b64_data": data})
        .to_string()
        .into_bytes()
}

pub async fn scan(antivirus: &Antivirus, filename: &str, data: &[u8]) -> Result<Value, Exception> {
    react(antivirus, &scan_file(filename, data)).await
}
