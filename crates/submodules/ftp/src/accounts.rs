//! The password file on disk: read under a shared lock, changed under an exclusive one, replaced as a whole.
//!
//! ProFTPD opens the file anew at each login, so a change needs no signal. It is never seen half written, its mode is 0600
//! from the first moment, and after a crash it is either the old or the new one.

use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::lock::{self, Kind};
use crate::{Error, Owner, Passwd, Settings};

/// Some hundred thousand accounts; more is no password file.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A change takes milliseconds.
const LOCK_WITHIN: Duration = Duration::from_secs(60);

/// The password file.
#[derive(Debug, Clone)]
pub struct Accounts {
    file: PathBuf,
}

impl Accounts {
    /// That of the settings; it need not exist.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            file: settings.login_file.clone(),
        }
    }

    /// Reads the file. A missing one has no accounts.
    ///
    /// # Errors
    /// It cannot be read or locked, is a symbolic link, or is absurdly large.
    pub fn read(&self) -> Result<Passwd, Error> {
        let _lock = self.lock(Kind::Shared)?;
        self.read_unlocked()
    }

    /// Reads the file, has it changed, and replaces it if it is no longer the same. Nobody else changes it meanwhile. If
    /// `change` fails, nothing is written.
    ///
    /// # Errors
    /// That of `change`, or the file cannot be read, locked or written.
    pub fn change<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Passwd) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock(Kind::Exclusive)?;
        let before = self.read_unlocked()?;
        let mut passwd = before.clone();
        let done = change(&mut passwd)?;
        if passwd != before {
            self.replace(&passwd)?;
        }
        Ok(done)
    }

    /// Makes an empty file if there is none, and sets owner and mode of the one there is.
    ///
    /// # Errors
    /// The file cannot be made, locked or changed, or is a symbolic link.
    pub fn prepare(&self) -> Result<(), Error> {
        let _lock = self.lock(Kind::Exclusive)?;
        match self.open()? {
            None => self.replace(&Passwd::default()),
            Some(file) => self.protect(&file, &self.file),
        }
    }

    fn lock(&self, kind: Kind) -> Result<File, Error> {
        let what = self.file.display().to_string();
        lock::wait(&what, &self.beside(".lock"), kind, LOCK_WITHIN)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn open(&self) -> Result<Option<File>, Error> {
        let flags = OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.cast_signed())
            .open(&self.file);
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("opening", &self.file)(error)),
        }
    }

    fn read_unlocked(&self) -> Result<Passwd, Error> {
        let Some(file) = self.open()? else {
            return Ok(Passwd::default());
        };
        let mut content = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut content)
            .map_err(Error::io("reading", &self.file))?;
        if content.len() as u64 > LARGEST {
            return Err(Error::TooLarge {
                path: self.file.clone(),
                limit: LARGEST,
            });
        }
        Ok(Passwd::parse(&content))
    }

    fn replace(&self, passwd: &Passwd) -> Result<(), Error> {
        let new = self.beside(".new");
        // of a process that died while it wrote; nobody else writes here now
        match remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("removing", &new)(error));
            }
            _ => {}
        }
        let written = self.write(&new, passwd);
        if written.is_err() {
            let _ = remove_file(&new);
        }
        written
    }

    fn write(&self, new: &Path, passwd: &Passwd) -> Result<(), Error> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(new)
            .map_err(Error::io("making", new))?;
        file.write_all(&passwd.to_bytes())
            .map_err(Error::io("writing", new))?;
        self.protect(&file, new)?;
        file.sync_all().map_err(Error::io("writing", new))?;
        rename(new, &self.file).map_err(Error::io("replacing", &self.file))?;
        let directory = self.file.parent().unwrap_or(Path::new("/"));
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(Error::io("writing", directory))
    }

    fn protect(&self, file: &File, path: &Path) -> Result<(), Error> {
        Owner::ftp_server()?.own(file, path, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserName;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn accounts(directory: &Path) -> Accounts {
        Accounts {
            file: directory.join("ftpd.passwd"),
        }
    }

    fn add(accounts: &Accounts, name: &str) -> Result<(), Error> {
        let name = UserName::new(name).unwrap();
        accounts.change(|passwd| {
            passwd.add(&name, "h", 2000, Path::new("/home"));
            Ok(())
        })
    }

    #[test]
    fn changes_from_many_threads_are_not_lost() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(directory.path());
        assert!(accounts.read().unwrap().names().is_empty());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let accounts = &accounts;
                scope.spawn(move || {
                    for number in 0..25 {
                        add(accounts, &format!("u{thread}-{number}")).unwrap();
                    }
                });
            }
        });
        assert_eq!(accounts.read().unwrap().names().len(), 100);
        assert_eq!(fs::metadata(&accounts.file).unwrap().mode(), 0o100_600);
        assert!(!accounts.beside(".new").exists());
    }

    /// What a killed process left behind is in nobody's way.
    #[test]
    fn half_written_files_and_links() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(directory.path());
        let victim = directory.path().join("victim");
        fs::write(&victim, "x").unwrap();
        symlink(&victim, accounts.beside(".new")).unwrap();
        add(&accounts, "a").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"x");
        fs::remove_file(&accounts.file).unwrap();
        symlink(&victim, &accounts.file).unwrap();
        assert!(accounts.read().is_err());
        assert!(add(&accounts, "b").is_err());
        assert!(accounts.prepare().is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"x");
    }

    #[test]
    fn a_change_that_fails_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(directory.path());
        let failed: Result<(), Error> = accounts.change(|passwd| {
            passwd.add(&UserName::new("a").unwrap(), "h", 1, Path::new("/"));
            Err(Error::NoFtpUser)
        });
        assert!(failed.is_err() && !accounts.file.exists());
        accounts.prepare().unwrap();
        assert_eq!(fs::read(&accounts.file).unwrap(), b"");
        fs::set_permissions(
            &accounts.file,
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        accounts.prepare().unwrap();
        assert_eq!(fs::metadata(&accounts.file).unwrap().mode(), 0o100_600);
    }
}
