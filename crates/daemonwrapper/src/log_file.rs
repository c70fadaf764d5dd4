//! The log file, which can be exchanged under a running daemon and does no harm when it cannot be written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use rustix::fs::OFlags;

use crate::error::Error;

/// An open log file that can be exchanged for a new one of the same name.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: RwLock<File>,
    lost: AtomicU64,
}

impl LogFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::LogFile {
            path: path.to_owned(),
            source,
        };
        // The daemon will work in `/`, where a relative path would mean another file.
        let path = std::path::absolute(path).map_err(failed)?;
        let file = RwLock::new(open_to_append(&path).map_err(failed)?);
        Ok(LogFile {
            path,
            file,
            lost: AtomicU64::new(0),
        })
    }

    /// Opens the file anew, after it was renamed by a log rotation. If that fails the old one stays in use.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let file = open_to_append(&self.path)?;
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn write_line(&self, line: &[u8]) {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let noted = match lost {
            0 => Ok(()),
            // The last line written may have been cut in the middle.
            lost => (&*file).write_all(
                format!("\n{lost} log lines were lost: the file could not be written\n").as_bytes(),
            ),
        };
        if noted.is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        if noted.and_then(|()| (&*file).write_all(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn open_to_append(path: &Path) -> io::Result<File> {
    // Never through a link that somebody put there, and never waiting for the reader of a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// One call a line, as the subscriber does.
impl Write for &LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn reopening_follows_the_name_and_keeps_the_old_file_if_it_must() {
        let directory = tempfile::tempdir().unwrap();
        let (path, rotated) = (
            directory.path().join("x.log"),
            directory.path().join("x.log.1"),
        );
        let log = LogFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
        log.write_line(b"one\n");
        fs::rename(&path, &rotated).unwrap();
        log.write_line(b"two\n");
        log.reopen().unwrap();
        log.write_line(b"three\n");
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");

        fs::rename(&path, directory.path().join("x.log.2")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(log.reopen().is_err());
        log.write_line(b"four\n");
        assert_eq!(
            fs::read_to_string(directory.path().join("x.log.2")).unwrap(),
            "three\nfour\n"
        );
    }

    #[test]
    fn a_full_disk_costs_only_lines() {
        let log = LogFile::open(Path::new("/dev/full")).unwrap();
        log.write_line(b"one\n");
        log.write_line(b"two\n");
        assert_eq!(log.lost.load(Ordering::Relaxed), 2);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        *log.file.write().unwrap() = open_to_append(&path).unwrap();
        log.write_line(b"three\n");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "\n2 log lines were lost: the file could not be written\nthree\n"
        );
    }
}
