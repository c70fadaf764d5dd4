//! What the tests share: an export directory of the test's own, and the example of the documentation.

#![allow(dead_code, reason = "each test uses its own part")]

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use edeposit_amqpdaemon::{Exception, React, Sendback};
use edeposit_ltp::messages::ExportRequest;
use edeposit_ltp::{Ltp, LtpError, Settings};
use edeposit_serializers::Value;
use edeposit_settings::{Declared, Sources};
use edeposit_testkit::sip;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const U: &str = "6f1c2d34-5e67-4a89-9b01-23456789abcd";

/// The record of the example.
pub const RECORD: &str = include_str!("../../testdata/record.xml");

/// The defaults, with this export directory.
pub fn settings(export_dir: &Path) -> Settings {
    let mut settings = Settings::load_sources(&Sources::none()).unwrap();
    settings.export_dir = export_dir.to_owned();
    settings.min_free_bytes = 0;
    settings
}

/// An export directory and the submodule at work in it.
pub struct Place {
    pub home: TempDir,
    pub ltp: Ltp,
}

impl Place {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let mut settings = settings(&out);
        change(&mut settings);
        let ltp = Ltp::new(settings).unwrap();
        Self { home, ltp }
    }

    /// The export directory.
    pub fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.out().join(name)
    }

    pub fn package(&self) -> PathBuf {
        self.path(&format!("complete_{U}"))
    }

    pub fn export(&self, request: &ExportRequest) -> Result<(), LtpError> {
        self.ltp.export(request, &CancellationToken::new())
    }

    /// Exported, checked, and nothing else beside it.
    pub fn exported(&self, request: &ExportRequest) {
        self.export(request).unwrap();
        sip::verify(&self.package(), U).unwrap();
        assert_eq!(
            sip::visible(&self.out()).unwrap(),
            [format!("complete_{U}")]
        );
        self.clean();
    }

    pub fn clean(&self) {
        assert_eq!(sip::rubbish(&self.out()).unwrap(), [""; 0]);
    }

    /// The state and whether it is a success.
    pub fn track(&self) -> Result<(String, bool), LtpError> {
        let answer = self.ltp.track(U)?;
        assert_eq!(answer.book_id, U);
        Ok((answer.error, answer.exported))
    }
}

/// The example of the documentation: an empty ZIP's first ten bytes.
pub fn request() -> ExportRequest {
    ExportRequest {
        aleph_record: RECORD.to_owned(),
        book_uuid: U.to_owned(),
        urn_nbn: Some("urn:nbn:cz:nk-0012ab".to_owned()),
        url: "https://edeposit.example/kniha/1".to_owned(),
        filename: "Les.a.louka.epub".to_owned(),
        b64_data: "UEsDBAoAAAAAAA==".to_owned(),
    }
}

/// The example with another file.
pub fn request_with(data: &[u8]) -> ExportRequest {
    ExportRequest {
        b64_data: BASE64_STANDARD.encode(data),
        ..request()
    }
}

pub fn as_json(request: &ExportRequest) -> Value {
    json!({
        "__nt_name": "ExportRequest",
        "aleph_record": request.aleph_record,
        "book_uuid": request.book_uuid,
        "urn_nbn": request.urn_nbn,
        "url": request.url,
        "filename": request.filename,
        "b64_data": request.b64_data,
    })
}

/// A request as the daemon hands it on.
pub async fn react(ltp: &Ltp, body: &Value) -> Result<Value, Exception> {
    let (sendback, mut progress) = Sendback::collecting();
    let answer = React::react(ltp, body.to_string().into_bytes(), sendback).await;
    assert!(
        progress.try_recv().is_err(),
        "there are no progress messages"
    );
    answer.map(|bytes| serde_json::from_slice(&bytes).unwrap())
}
