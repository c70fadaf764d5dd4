//! What the tests of ftp_monitord share: a monitor, the FTP server whose users it serves, and its files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use edeposit_testkit::{Answer, Caller, FtpSession, ProFtpd, Schema, wait_until};
use serde_json::{Value, json};

use edeposit_tests::{PATIENCE, World};

/// The daemon's program.
pub const PROGRAM: &str = "edeposit_amqp_ftp_monitord";
/// The lock file.
pub const LOCK: &str = "delete_me_to_import_files.txt";
/// The import report.
pub const IMPORT_LOG: &str = "import.log.txt";
/// The error report.
pub const ERROR_LOG: &str = "error.log.txt";
/// Metadata with all that must be there.
pub const CSV: &str = "ISBN knihy;978-80-87270-99-8\nVazba;brož.\nNazev;Kniha\nMisto;Praha\nNakladatel;Garda\n\
    Datum;IX.12\nPoradi;1\nZpracovatel;Jana\n";
/// A book that is no text.
pub const BOOK: &[u8] = b"%PDF-1.4\n\xff\0\x01";

/// The monitor, not started yet, and the FTP server whose users it serves.
pub struct Monitored {
    /// The FTP server.
    pub server: ProFtpd,
    /// The monitor and its virtual host.
    pub world: World,
}

impl Monitored {
    /// With further settings in `ftp.json`. Homes are looked at once at the start, unless they say otherwise.
    ///
    /// # Errors
    /// A part of it cannot be set up.
    pub async fn new(settings: &Value) -> Result<Self> {
        Self::with(settings, &json!({})).await
    }

    /// The same with further settings in `amqp.json`.
    ///
    /// # Errors
    /// A part of it cannot be set up.
    pub async fn with(settings: &Value, amqp: &Value) -> Result<Self> {
        Self::at(ProFtpd::start()?, settings, amqp).await
    }

    /// The same at a server of one's own.
    ///
    /// # Errors
    /// A part of it cannot be set up.
    pub async fn at(server: ProFtpd, settings: &Value, amqp: &Value) -> Result<Self> {
        let world = World::new(PROGRAM, "FTP", Schema::new("ftp"), amqp).await?;
        Self::of(server, world, settings)
    }

    /// The same with a virtual host of one's own.
    ///
    /// # Errors
    /// The settings cannot be written.
    pub fn of(server: ProFtpd, world: World, settings: &Value) -> Result<Self> {
        let mut all = server.settings();
        all["SCAN_INTERVAL"] = json!(3600);
        for (name, value) in settings.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        world.daemon.write_settings("ftp.json", &all)?;
        Ok(Self { server, world })
    }

    /// An account with its lock file, and a session of its user.
    ///
    /// # Errors
    /// The server refuses.
    pub fn user(&self, name: &str) -> Result<FtpSession> {
        self.server.add_account(name, "heslo")?;
        let mut session = self.server.login(name, "heslo")?;
        session.put(LOCK, b"delete me")?;
        Ok(session)
    }

    /// A file in a user's home.
    pub fn path(&self, user: &str, name: &str) -> PathBuf {
        self.server.home(user).join(name)
    }

    /// The text of a file in a user's home.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, user: &str, name: &str) -> Result<String> {
        let path = self.path(user, name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Waits until the lock file is back, and with it everything else is as it is to be.
    ///
    /// # Errors
    /// It does not come.
    pub async fn imported(&self, user: &str) -> Result<()> {
        wait_until("the lock file is back", PATIENCE, async || {
            self.path(user, LOCK).exists()
        })
        .await
    }

    /// What is in a user's home.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self, user: &str) -> Result<Vec<String>> {
        names(&self.server.home(user))
    }
}

/// What is in a directory, sorted.
///
/// # Errors
/// It cannot be read.
pub fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The mode of a file, a link not followed.
///
/// # Errors
/// It is not there.
pub fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.mode() & 0o7777)
}

/// The next message, and its body.
///
/// # Errors
/// There is none.
pub async fn next(reader: &Caller) -> Result<(Answer, Value)> {
    let answer = reader.next(PATIENCE).await?;
    let message = answer.json()?;
    Ok((answer, message))
}

/// What an import request has, each item as `TYPE name`, pairs as `metadata + book`.
#[must_use]
pub fn items(message: &Value) -> Vec<String> {
    let name = |file: &Value| {
        let path = file["filename"].as_str().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let items = message["requests"].as_array().into_iter().flatten();
    items
        .map(|item| match item["__nt_name"].as_str() {
            Some("DataPair") => format!(
                "{} + {}",
                name(&item["metadata_file"]),
                name(&item["ebook_file"])
            ),
            kind => format!("{} {}", kind.unwrap_or_default(), name(item)),
        })
        .collect()
}
