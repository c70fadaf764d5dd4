//! One import or removal of a user's files at a time, whichever daemon does it.
//!
//! The locks are files in `STATE_PATH`, where nobody else can get at them: a lock on the home itself could be held by any
//! user of the machine.

use std::fs::{DirBuilder, File, remove_file};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lock::{self, Kind};
use crate::{Error, Settings, UserName};

/// A user's files are ours until this is dropped.
#[derive(Debug)]
pub struct ImportLock {
    _file: File,
    path: PathBuf,
}

impl ImportLock {
    /// Waits until nobody else is at work with the user's files, at most `limit`.
    ///
    /// # Errors
    /// Somebody still is, or the lock cannot be made.
    pub fn acquire(settings: &Settings, user: &UserName, limit: Duration) -> Result<Self, Error> {
        let path = path(settings, user)?;
        let what = format!("the home of '{user}'");
        let file = lock::wait(&what, &path, Kind::Exclusive, limit)?;
        Ok(Self { _file: file, path })
    }

    /// The lock if nobody has it now.
    ///
    /// # Errors
    /// The lock cannot be made.
    pub fn try_acquire(settings: &Settings, user: &UserName) -> Result<Option<Self>, Error> {
        let path = path(settings, user)?;
        let file = lock::attempt(&path, Kind::Exclusive)?;
        Ok(file.map(|file| Self { _file: file, path }))
    }

    /// Gives the lock up and removes its file: the user is gone.
    ///
    /// # Errors
    /// The file cannot be removed; the lock is given up all the same.
    pub fn remove(self) -> Result<(), Error> {
        remove_file(&self.path).map_err(Error::io("removing", &self.path))
    }
}

fn path(settings: &Settings, user: &UserName) -> Result<PathBuf, Error> {
    let directory = settings.state_path.join("locks");
    if let Some(parent) = settings.state_path.parent() {
        // other daemons may have theirs beside ours
        make(parent, 0o755)?;
    }
    make(&directory, 0o700)?;
    let metadata =
        std::fs::symlink_metadata(&directory).map_err(Error::io("reading", &directory))?;
    if !metadata.is_dir() || metadata.mode() & 0o022 != 0 {
        return Err(Error::Unsafe { path: directory });
    }
    Ok(directory.join(user.as_str()))
}

fn make(directory: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory)
        .map_err(Error::io("making", directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_settings::{Declared, Sources};

    #[test]
    fn one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.state_path = directory.path().join("parent/state");
        let user = UserName::new("argo").unwrap();
        let other = UserName::new("host").unwrap();
        let get = |user| ImportLock::try_acquire(&settings, user).unwrap();
        let held = get(&user).unwrap();
        assert!(get(&user).is_none());
        assert!(get(&other).is_some());
        let waited = ImportLock::acquire(&settings, &user, Duration::from_millis(50));
        assert!(matches!(waited, Err(Error::Busy { .. })));
        held.remove().unwrap();
        assert!(!settings.state_path.join("locks/argo").exists());
        let again = ImportLock::acquire(&settings, &user, Duration::from_secs(20)).unwrap();
        drop(again);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&settings.state_path), 0o700);
        assert_eq!(mode(&directory.path().join("parent")), 0o755);
        std::fs::set_permissions(
            settings.state_path.join("locks"),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )
        .unwrap();
        let refused = ImportLock::try_acquire(&settings, &user);
        assert!(matches!(refused, Err(Error::Unsafe { .. })));
        std::fs::set_permissions(
            settings.state_path.join("locks"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        assert!(get(&user).is_some());
    }
}
