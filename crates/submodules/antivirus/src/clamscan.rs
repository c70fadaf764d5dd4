//! Scanning with `clamscan`, a program that loads the whole database for each file: slow, but it needs no server.
//!
//! The file goes in through standard input. What the program writes for itself it writes into a directory that only we
//! can read and that is removed afterwards.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::run;
use crate::{AntivirusError, Verdict};

/// What it may unpack from one file in all: ClamAV's own default.
const MAX_UNPACKED: usize = 400 * 1024 * 1024;

/// How the program is called.
#[derive(Debug)]
pub(crate) struct Clamscan {
    pub program: String,
    pub database: Option<PathBuf>,
    pub timeout: Duration,
    pub max_file_size: usize,
}

impl Clamscan {
    /// Scans a file.
    pub async fn scan(&self, data: &[u8]) -> Result<Verdict, AntivirusError> {
        let directory = tempfile::Builder::new()
            .prefix("edeposit-antivirus-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|source| AntivirusError::System {
                doing: "making a temporary directory for clamscan",
                source,
            })?;
        let mut args = vec![
            "--no-summary".to_owned(),
            "--infected".to_owned(),
            "--alert-exceeds-max=yes".to_owned(),
            format!("--max-filesize={}", self.max_file_size),
            format!("--max-scansize={}", self.max_file_size.max(MAX_UNPACKED)),
            format!("--tempdir={}", directory.path().display()),
        ];
        if let Some(database) = &self.database {
            args.push(format!("--database={}", database.display()));
        }
        args.push("-".to_owned());
        let ended = run(&self.program, &args, data, self.timeout).await?;
        match ended.status {
            Some(0) => Ok(Verdict::Clean),
            Some(1) => match found(&ended.stdout) {
                Some(name) => Verdict::found(name),
                None => Err(AntivirusError::Undecided(format!(
                    "clamscan found something, but names nothing: {}",
                    ended.stdout.trim()
                ))),
            },
            Some(status) => Err(AntivirusError::Command {
                status,
                command: format!("{} {}", self.program, args.join(" ")),
                stdout: ended.stdout,
                stderr: ended.stderr,
            }),
            None => Err(AntivirusError::Undecided(format!(
                "{} gave no verdict within {} s (TIMEOUT)",
                self.program,
                self.timeout.as_secs_f64()
            ))),
        }
    }
}

/// The malware's name in `stdin: NAME FOUND`.
fn found(stdout: &str) -> Option<&str> {
    stdout
        .lines()
        .find_map(|line| line.strip_prefix("stdin: ")?.strip_suffix(" FOUND"))
}
