//! The file that tells ProFTPD of the FTP users: its text, and how it gets to its place.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use edeposit_ftp::Settings;

/// The directives in it which should be nowhere else.
pub const NAMES: [&str; 8] = [
    "DefaultRoot",
    "RequireValidShell",
    "AuthPAM",
    "AuthOrder",
    "AuthUserFile",
    "AllowOverride",
    "LogFormat",
    "ExtendedLog",
];

/// The file as it should be and as it is.
pub struct DropIn {
    pub path: PathBuf,
    pub new: String,
    /// None if there is no file.
    pub old: Option<Vec<u8>>,
}

impl DropIn {
    pub fn new(settings: &Settings) -> Result<Self> {
        let path = settings.conf_path.join("conf.d/edeposit.conf");
        let old = match fs::read(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        Ok(Self {
            path,
            new: text(settings),
            old,
        })
    }

    pub fn differs(&self) -> bool {
        self.old.as_deref() != Some(self.new.as_bytes())
    }

    /// Puts the new file in place of the old one, which is kept.
    pub fn write(&self, settings: &Settings) -> Result<()> {
        if let Some(old) = &self.old {
            // not beside it: ProFTPD reads every file of that directory
            replace(&settings.conf_path.join("edeposit.conf_"), old)?;
        }
        let new = settings.conf_path.join("edeposit.conf.new");
        replace(&new, self.new.as_bytes())?;
        fs::rename(&new, &self.path).with_context(|| format!("writing {}", self.path.display()))
    }

    /// Puts things back as they were.
    pub fn restore(&self) -> Result<()> {
        match &self.old {
            Some(old) => replace(&self.path, old),
            None => fs::remove_file(&self.path)
                .with_context(|| format!("removing {}", self.path.display())),
        }
    }
}

fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn text(settings: &Settings) -> String {
    let quoted = |path: &Path| {
        let path = path.display().to_string();
        match path.contains(char::is_whitespace) {
            true => format!("\"{path}\""),
            false => path,
        }
    };
    format!(
        "# Written by edeposit_proftpd_init from ftp.json. FTP users are the accounts of AuthUserFile only, each locked into the\n\
         # home, where no upload and no SITE command can loosen that. ftp_monitord reads ExtendedLog.\n\
         DefaultRoot          ~\n\
         RequireValidShell    off\n\
         AuthPAM              off\n\
         AuthOrder            mod_auth_file.c\n\
         AuthUserFile         {}\n\
         AllowOverride        off\n\
         AllowStoreRestart    on\n\
         <Limit SITE_SYMLINK SITE_CHMOD SITE_CHGRP>\n\
         \x20 DenyAll\n\
         </Limit>\n\
         LogFormat            paths \"%f, %u, %m, %{{%s}}t\"\n\
         ExtendedLog          {} WRITE paths\n",
        quoted(&settings.login_file),
        quoted(&settings.log_file),
    )
}
