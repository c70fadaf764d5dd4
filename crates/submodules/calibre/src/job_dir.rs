//! A conversion's own directory: everything it writes is in there, and goes with it.
//!
//! It has mode 0700 and an unpredictable name. Its owner holds a lock on it for as long as it lives, and the kernel gives
//! the lock up with the process, however that ends. So a directory of ours without a lock is what a killed daemon left
//! behind, and [`sweep`] removes it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::orphans;
use crate::removal::remove;

const PREFIX: &str = "edeposit-calibre-";

/// Made once the lock is held. A directory without it may be one that is just being made, and is removed only if it is
/// empty.
const MARK: &str = "locked-by-its-daemon";

/// What the converter gets to see of the directory.
const WORK: &str = "work";

/// Bytes that a file or directory counts at least, so that their number is limited too.
const LEAST: u64 = 4096;

/// How often another name is tried when a daemon that is just starting took the directory for one left behind.
const TRIES: u32 = 8;

#[derive(Debug)]
pub(crate) struct JobDir {
    path: PathBuf,
    _lock: File,
}

impl JobDir {
    /// Makes a directory in `parent`.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let parent = fs::canonicalize(parent)?;
        let mut tries = 1;
        loop {
            match Self::try_new(&parent) {
                Err(error)
                    if tries < TRIES
                        && matches!(
                            error.kind(),
                            io::ErrorKind::NotFound | io::ErrorKind::WouldBlock
                        ) =>
                {
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    fn try_new(parent: &Path) -> io::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir_in(parent)?
            .keep();
        let lock = match open_dir(&path).and_then(|dir| Ok(dir.try_lock().map(|()| dir)?)) {
            Ok(lock) => lock,
            Err(error) => {
                let _ = fs::remove_dir(&path);
                return Err(error);
            }
        };
        // From here on it is removed when it is dropped.
        let dir = Self { path, _lock: lock };
        dir.create(MARK)?;
        let work = dir.work();
        for dir in [work.clone(), work.join("home"), work.join("tmp")] {
            DirBuilder::new().mode(0o700).create(dir)?;
        }
        Ok(dir)
    }

    /// The directory the converter works in.
    pub fn work(&self) -> PathBuf {
        self.path.join(WORK)
    }

    /// All of it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file beside what the converter sees, and opens it for writing.
    pub fn create(&self, name: &str) -> io::Result<File> {
        create(&self.path.join(name))
    }

    /// Makes a file in the directory the converter works in, and opens it for writing.
    pub fn create_in_work(&self, name: &str) -> io::Result<File> {
        create(&self.work().join(name))
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

impl Drop for JobDir {
    fn drop(&mut self) {
        if let Err(error) = remove_job(&self.path) {
            tracing::warn!(dir = %self.path.display(), %error, "cannot remove a conversion's directory: the next start tries again");
        }
    }
}

/// Removes the directories in `parent` that daemons of this user left behind when they were killed, and kills what still
/// works there. Returns the number of directories.
pub(crate) fn sweep(parent: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(fs::canonicalize(parent)?)? {
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
        if !fs::symlink_metadata(path.join(MARK)).is_ok_and(|mark| mark.is_file()) {
            removed += usize::from(fs::remove_dir(&path).is_ok());
            continue;
        }
        let killed = orphans::kill(&path.join(WORK));
        if killed > 0 {
            tracing::warn!(killed, dir = %path.display(), "killed processes of a conversion whose daemon was killed");
        }
        match remove_job(&path) {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(
                dir = %path.display(), %error,
                "cannot remove a directory that a killed daemon left behind: remove it by hand"
            ),
        }
    }
    Ok(removed)
}

/// The lock of a directory that is surely this user's and that nobody uses.
fn left_behind(path: &Path) -> Option<File> {
    let dir = open_dir(path).ok()?;
    let metadata = dir.metadata().ok()?;
    let ours =
        metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
    (ours && dir.try_lock().is_ok()).then_some(dir)
}

/// The mark goes last: if the daemon is killed meanwhile, the next one must know what is left for its own.
fn remove_job(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_name() != MARK && fs::remove_file(entry.path()).is_err() {
            remove(&entry.path())?;
        }
    }
    remove(path)
}

/// Never through a symbolic link.
fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Whether the files in `dir` take more than `limit` bytes together, or cannot be counted. What vanishes meanwhile does
/// not count.
pub(crate) fn exceeds(dir: &Path, limit: u64) -> bool {
    let mut left = limit;
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return true,
            Ok(entries) => entries,
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            // What is on the disk: a sparse file takes less than its length, and an empty one takes something.
            match left.checked_sub((metadata.blocks() * 512).max(LEAST)) {
                Some(rest) => left = rest,
                None => return true,
            }
            if metadata.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    false
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
        assert!(exceeds(&job.path, 5000) && !exceeds(&job.path, 1 << 20));
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
        fs::write(inside("edeposit-calibre-unmarked").join("notes"), "").unwrap();
        private("edeposit-calibre-unmarked-empty", false);
        private("other", true);
        private("edeposit-calibre-open", true);
        fs::set_permissions(
            inside("edeposit-calibre-open"),
            PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        symlink(inside("other"), inside("edeposit-calibre-link")).unwrap();

        assert_eq!(sweep(parent.path()).unwrap(), 2);
        assert!(!inside("edeposit-calibre-left").exists());
        assert!(!inside("edeposit-calibre-unmarked-empty").exists());
        assert!(in_use.work().exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 5);
    }

    /// Each entry counts, empty or not, and what cannot be looked into counts as too much.
    #[test]
    fn many_and_deep_directories_are_too_much() {
        let parent = tempfile::tempdir().unwrap();
        for n in 0..100 {
            fs::create_dir(parent.path().join(n.to_string())).unwrap();
        }
        assert!(exceeds(parent.path(), 99 * LEAST) && !exceeds(parent.path(), 100 * LEAST));

        let job = JobDir::new(parent.path()).unwrap();
        let mut dir = open_dir(&job.work()).unwrap();
        for _ in 0..100 {
            let name = "d".repeat(200);
            rustix::fs::mkdirat(&dir, &*name, Mode::RWXU).unwrap();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            dir = rustix::fs::openat(&dir, &*name, flags, Mode::empty())
                .unwrap()
                .into();
        }
        assert!(exceeds(&job.work(), 1 << 30));
    }
}
