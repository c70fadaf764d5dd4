//! clamscan and freshclam, the real ones.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{FOUND, antivirus, eicar, react, scan, settings, unix};
use edeposit_antivirus::{Antivirus, Verdict};
use edeposit_testkit::clamd::Clamd;
use edeposit_testkit::{PATIENCE, wait_until};
use serde_json::json;

const UPDATE: &[u8] = br#"{"__nt_name": "UpdateDatabase"}"#;

/// clamscan with the signatures of a clamd that does not run.
fn clamscan(clamd: &Clamd) -> edeposit_antivirus::Settings {
    let mut settings = settings(&[]);
    settings.use_clamd = false;
    settings.clamscan_database = Some(clamd.path("db"));
    settings
}

#[tokio::test]
async fn clamscan_finds_and_clears() {
    let clamd = Clamd::prepare().unwrap();
    let antivirus = Antivirus::new(clamscan(&clamd));
    let name = "a: b\nc.com";
    let found = scan(&antivirus, name, &eicar()).await.unwrap();
    let result = found["result"].as_object().unwrap();
    let (key, verdict) = result.iter().next().unwrap();
    assert!(key.ends_with("_a: b\nc.com"), "{key}");
    assert_eq!(verdict, &json!(["FOUND", FOUND]));
    assert_eq!(antivirus.scan(b"x").await.unwrap(), Verdict::Clean);
}

/// Defect 8, 11: what clamscan cannot do is an exception.
#[tokio::test]
async fn clamscan_that_fails() {
    let clamd = Clamd::prepare().unwrap();
    let mut mine = clamscan(&clamd);
    mine.clamscan_database = Some("/nonexistent".into());
    let told = scan(&Antivirus::new(mine), "x", b"x").await.unwrap_err();
    assert_eq!(told.kind, "<class 'sh.ErrorReturnCode_2'>");
    assert!(told.message.contains("/nonexistent"), "{told}");

    let mut mine = clamscan(&clamd);
    mine.clamscan = "edeposit-no-clamscan".to_owned();
    let told = scan(&Antivirus::new(mine), "x", b"x").await.unwrap_err();
    assert_eq!(
        (&*told.kind, &*told.message),
        ("<class 'sh.CommandNotFound'>", "edeposit-no-clamscan")
    );
}

/// Writes a program that stands for one that takes long.
fn script(directory: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Defect 5, 12: what it writes is in a directory for us alone, which is gone when the time is up.
#[tokio::test]
async fn clamscan_that_takes_too_long() {
    let directory = tempfile::tempdir().unwrap();
    let seen = directory.path().join("seen");
    let mut mine = settings(&[]);
    mine.use_clamd = false;
    let text = r#"for arg; do case "$arg" in --tempdir=*) stat -c '%a %n' "${arg#*=}" >>SEEN;; esac; done
sleep 3600"#;
    let text = text.replace("SEEN", seen.to_str().unwrap());
    mine.clamscan = script(directory.path(), "slow", &text);
    mine.timeout = Duration::from_secs(5);
    let told = scan(&Antivirus::new(mine), "x", b"x").await.unwrap_err();
    assert_eq!(told.name, "ScanError");
    let seen = fs::read_to_string(seen).unwrap();
    let (mode, path) = seen.trim().split_once(' ').unwrap();
    assert_eq!(mode, "700");
    assert!(!Path::new(path).exists());
}

/// A freshclam that takes its signatures from a file, into clamd's own database.
fn freshclam_conf(clamd: &Clamd) -> String {
    let signature = clamd.path("custom.ndb");
    fs::write(&signature, "Second-Signature:0:0:7365636f6e64\n").unwrap();
    let conf = clamd.path("freshclam.conf");
    let user = fs::metadata(clamd.path("db")).map(|meta| {
        use std::os::unix::fs::MetadataExt;
        meta.uid()
    });
    let owner = std::process::Command::new("id")
        .args(["-un", &user.unwrap().to_string()])
        .output()
        .unwrap();
    fs::write(
        &conf,
        format!(
            "DatabaseDirectory {}\nDatabaseOwner {}\nUpdateLogFile {}\nScriptedUpdates no\n\
             DatabaseMirror 127.0.0.1\nExcludeDatabase main\nExcludeDatabase daily\nExcludeDatabase bytecode\n\
             DatabaseCustomURL file://{}\nMaxAttempts 1\nConnectTimeout 5\n",
            clamd.path("db").display(),
            String::from_utf8(owner.stdout).unwrap().trim(),
            clamd.path("freshclam.log").display(),
            signature.display()
        ),
    )
    .unwrap();
    format!("--config-file={}", conf.display())
}

/// Defect 2: an update that worked was answered with an exception. Here its log is the answer, and clamd knows the new
/// signature soon.
#[tokio::test]
async fn an_update_is_answered_and_clamd_told() {
    let clamd = Clamd::start().unwrap();
    let before = antivirus(&clamd);
    assert_eq!(before.scan(b"second").await.unwrap(), Verdict::Clean);
    let mut mine = settings(&[unix(&clamd)]);
    mine.freshclam_args = vec![freshclam_conf(&clamd), "--stdout".to_owned()];
    let antivirus = Antivirus::new(mine);
    let answer = react(&antivirus, UPDATE).await.unwrap();
    assert_eq!(answer["__nt_name"], "DatabaseUpdated");
    let log = answer["log"].as_str().unwrap();
    assert!(log.contains("ClamAV update process started"), "{log}");
    assert!(log.contains("custom.ndb"), "{log}");
    wait_until("clamd knows", PATIENCE, async || {
        antivirus.scan(b"second").await.unwrap() != Verdict::Clean
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_update_that_fails() {
    let clamd = Clamd::prepare().unwrap();
    let mut mine = settings(&[unix(&clamd)]);
    mine.freshclam_args = vec!["--config-file=/nonexistent".to_owned()];
    let told = react(&Antivirus::new(mine.clone()), UPDATE)
        .await
        .unwrap_err();
    assert!(told.name.starts_with("ErrorReturnCode_"), "{told}");
    assert!(told.message.contains("/nonexistent"), "{told}");
    mine.freshclam = "edeposit-no-freshclam".to_owned();
    let told = react(&Antivirus::new(mine), UPDATE).await.unwrap_err();
    assert_eq!(told.kind, "<class 'sh.CommandNotFound'>");
}

/// Defect 3: an update that hangs is ended, with what it started; two requests at once are one run.
#[tokio::test]
async fn an_update_that_hangs_and_two_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut mine = settings(&[]);
    mine.freshclam = script(directory.path(), "slow", "echo begun; sleep 60");
    mine.freshclam_args = vec!["x".to_owned()];
    mine.update_timeout = Duration::from_secs(1);
    let told = react(&Antivirus::new(mine.clone()), UPDATE)
        .await
        .unwrap_err();
    assert_eq!(told.name, "UpdateError");
    assert!(
        told.message.contains("UPDATE_TIMEOUT") && told.message.contains("begun"),
        "{told}"
    );

    let runs = directory.path().join("runs");
    let text = format!("echo run >> {}; sleep 1; echo done", runs.display());
    mine.freshclam = script(directory.path(), "one", &text);
    mine.update_timeout = Duration::from_secs(30);
    let antivirus = Antivirus::new(mine);
    let (first, second) = tokio::join!(react(&antivirus, UPDATE), react(&antivirus, UPDATE));
    assert_eq!(first.unwrap()["log"], "done\n");
    assert_eq!(second.unwrap()["log"], "done\n");
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\n");
    // the next one is a run of its own
    react(&antivirus, UPDATE).await.unwrap();
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\nrun\n");
}
