//! Whether there is a converter, a sandbox, and room to work.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use edeposit_amqpdaemon::Finding;
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::command::{Converter, UNSANDBOXED};
use crate::{Sandbox, Settings};

/// How long the converter may take to say what version it is. Calibre is large: from a slow disk it may take seconds.
const VERSION: Duration = Duration::from_secs(5);

pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::of_directory("TEMP_DIR", &settings.temp_dir)];
    let (sandbox, temp_dir) = (settings.sandbox, settings.temp_dir.clone());
    let found = spawn_blocking(move || Converter::find(&settings)).await;
    let converter = match found {
        Ok(Ok(converter)) => converter,
        Ok(Err(error)) => {
            findings.push(Finding::failed(error.to_string()));
            return findings;
        }
        // It panicked, and has said so.
        Err(_) => return findings,
    };
    findings.push(match (converter.unsandboxed(), sandbox) {
        (Some(reason), _) => {
            Finding::warning(format!("{UNSANDBOXED}: {reason}")).next("install bubblewrap")
        }
        (None, Sandbox::Off) => Finding::ok("conversions run without a sandbox, as SANDBOX says"),
        (None, _) => Finding::ok("the sandbox works"),
    });
    // Without room for it, the converter would write its configuration into the daemon's home.
    if let Ok(home) = tempfile::tempdir_in(temp_dir) {
        findings.push(version(&converter, home.path()).await);
    }
    findings
}

async fn version(converter: &Converter, home: &Path) -> Finding {
    let program = converter.program();
    let asking = Command::new(program)
        .arg("--version")
        .env("HOME", home)
        .env("CALIBRE_CONFIG_DIRECTORY", home)
        .env("CALIBRE_CACHE_DIRECTORY", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let why = match timeout(VERSION, asking).await {
        Ok(Ok(output)) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout);
            let version = version.lines().next().unwrap_or_default();
            return Finding::ok(format!("{} works: {version}", program.display()));
        }
        Ok(Ok(output)) => format!("it ends with {}", output.status),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it says nothing within {} s", VERSION.as_secs()),
    };
    Finding::warning(format!(
        "{} does not tell its version: {why}",
        program.display()
    ))
    .next("install calibre anew, or correct EBOOK_CONVERT")
}
