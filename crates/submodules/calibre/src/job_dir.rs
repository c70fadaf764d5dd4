//! A conversion's own directory: everything it writes is in there, and goes with it.
//!
//! It has mode 0700 and an unpredictable name. Its owner holds a lock on it for as long as it lives, and the kernel gives
//! the lock up with the process, however that ends. So a directory of ours without a lock is what a killed daemon left
//! behind, and [`sweep`] removes it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

const PREFIX: &str = "edeposit-calibre-";

/// Made once the lock is held: a directory without it may be one that is just being made.
const MARK: &str = "locked-by-its-daemon";

/// What the converter gets to see of the directory.
const WORK: &str = "work";

/// How often removal is tried: processes that were killed may still be on their way out, writing.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct JobDir {
    dir: Option<TempDir>,
    path: PathBuf,
    _lock: File,
}

impl JobDir {
    pub fn new(parent: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir_in(parent)?;
        let path = fs::canonicalize(dir.path())?;
        let lock = open_dir(&path)?;
        lock.try_lock()?;
        File::create_new(path.join(MARK))?;
        let work = path.join(WORK);
        for dir in [work.clone(), work.join("home"), work.join("tmp")] {
            DirBuilder::new().mode(0o700).create(dir)?;
        }
        Ok(Self {
            dir: Some(dir),
            path,
            _lock: lock,
        })
    }

    /// The directory the converter works in.
    pub fn work(&self) -> PathBuf {
        self.path.join(WORK)
    }

    /// A file that the converter cannot reach by its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for JobDir {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        if let Err(error) = remove(&dir.keep()) {
            tracing::warn!(dir = %self.path.display(), %error, "cannot remove a conversion's directory: the next start tries again");
        }
    }
}

/// Removes the directories in `parent` that daemons of this user left behind when they were killed. Returns their number.
pub(crate) fn sweep(parent: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(parent)? {
        let Ok(entry) = entry else { continue };
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            continue;
        }
        let path = entry.path();
        // Kept open, and so locked, until it is gone.
        let Some(_lock) = left_behind(&path) else {
            continue;
        };
        match remove(&path) {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(
                dir = %path.display(), %error,
                "cannot remove a directory that a killed daemon left behind: remove it by hand"
            ),
        }
    }
    Ok(removed)
}

/// The lock of a directory that is surely ours and that nobody uses.
fn left_behind(path: &Path) -> Option<File> {
    let dir = open_dir(path).ok()?;
    let metadata = dir.metadata().ok()?;
    let ours =
        metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
    let marked = fs::symlink_metadata(path.join(MARK)).is_ok_and(|mark| mark.is_file());
    (ours && marked && dir.try_lock().is_ok()).then_some(dir)
}

/// Never through a symbolic link.
fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn remove(path: &Path) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < TRIES => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

/// Bytes of all files in `dir`. What vanishes meanwhile does not count.
pub(crate) fn size(dir: &Path) -> u64 {
    let mut total = 0;
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                // What is on the disk; a sparse file takes less than its length.
                Ok(metadata) => total += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let job = JobDir::new(parent.path()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&job.path), mode(&job.work())), (0o700, 0o700));
        fs::write(job.work().join("book"), [7; 5000]).unwrap();
        assert!(size(&job.path) >= 5000);
        drop(job);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_what_is_surely_ours_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let inside = |name: &str| parent.path().join(name);
        let in_use = JobDir::new(parent.path()).unwrap();
        let private = |name: &str, mark: bool| {
            fs::create_dir(inside(name)).unwrap();
            fs::set_permissions(inside(name), PermissionsExt::from_mode(0o700)).unwrap();
            if mark {
                fs::write(inside(name).join(MARK), "").unwrap();
            }
        };
        private("edeposit-calibre-left", true);
        private("edeposit-calibre-unmarked", false);
        private("other", true);
        private("edeposit-calibre-open", true);
        fs::set_permissions(
            inside("edeposit-calibre-open"),
            PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        symlink(inside("other"), inside("edeposit-calibre-link")).unwrap();

        assert_eq!(sweep(parent.path()).unwrap(), 1);
        assert!(!inside("edeposit-calibre-left").exists());
        assert!(in_use.work().exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 5);
    }
}
