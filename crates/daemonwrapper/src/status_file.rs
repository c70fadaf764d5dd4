//! The status file: one line about how the running daemon stands, for the command `status`.
//!
//! It is a convenience, never the truth about whether the daemon runs. The daemon writes it when the line changes and
//! removes it at its end; if it cannot, it goes on without. The command believes the file only if it names the process that
//! holds the lock on the PID file, and belongs to that process's user.
//!
//! What stands before the first `: ` of a line is the state, the rest says more about it: how long the state has lasted
//! does not begin anew when only the rest changes.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::process::{self, since_boot, words};

/// A line is cut to so many characters.
const LONGEST_LINE: usize = 500;
/// No file of ours is longer, in bytes.
const LONGEST_FILE: u64 = 4096;

/// The file as the daemon has it.
#[derive(Debug)]
pub(crate) struct StatusFile {
    path: PathBuf,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    line: String,
    since: Duration,
    failed: bool,
    over: bool,
}

impl StatusFile {
    /// For the process that calls this. Removes what an earlier one has left there.
    pub(crate) fn new(path: &Path) -> Self {
        let file = StatusFile {
            path: path.to_owned(),
            last: Mutex::default(),
        };
        let _ = fs::remove_file(path);
        file
    }

    /// Puts another line into the file, if it is another one.
    pub(crate) fn write(&self, line: &str) {
        let mut last = self.last();
        if last.over || last.line == line {
            return;
        }
        if state(&last.line).0 != state(line).0 {
            last.since = since_boot();
        }
        line.clone_into(&mut last.line);
        let since = last.since.as_secs();
        let content = format!("pid {}\nsince {since}\n{line}\n", std::process::id());
        match self.replace(content.as_bytes()) {
            Ok(()) => last.failed = false,
            Err(error) => {
                // Better none than one that is out of date.
                let _ = fs::remove_file(&self.path);
                if !std::mem::replace(&mut last.failed, true) {
                    tracing::warn!(
                        "cannot write the status file {}, so `status` will not tell how the daemon stands: {error}",
                        self.path.display()
                    );
                }
            }
        }
    }

    /// Removes the file; nothing is written any more.
    pub(crate) fn remove(&self) {
        // A disk that hangs must not keep the process from ending.
        let mut last = match self.last.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(last)) => last.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if !std::mem::replace(&mut last.over, true) && !last.line.is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// By a new file that takes the old one's place, whatever that was: a link is replaced, not followed.
    fn replace(&self, content: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        let replaced = create_new(&new).and_then(|mut file| {
            // A tight umask would hide it from `status` of other users.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(content)?;
            fs::rename(&new, &self.path)
        });
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that was not there, so no link and nobody else's.
fn create_new(path: &Path) -> io::Result<File> {
    let create = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)
    };
    match create() {
        // A process that was killed at this very point.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        created => created,
    }
}

/// How a daemon stands, by its own words.
#[derive(Debug, PartialEq)]
pub(crate) struct Standing {
    line: String,
    lasts: Duration,
}

impl Standing {
    /// What the daemon that runs as this process has written last. None: nothing, or nothing that can be believed.
    pub(crate) fn read(path: &Path, pid: u32) -> Option<Standing> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .ok()?;
        let meta = file.metadata().ok()?;
        let trusted = meta.is_file()
            && meta.nlink() == 1
            && meta.mode() & 0o022 == 0
            && process::owner(pid) == Some(meta.uid());
        if !trusted {
            return None;
        }
        let mut content = String::new();
        file.take(LONGEST_FILE).read_to_string(&mut content).ok()?;
        let mut lines = content.lines();
        let mut number = |word: &str| lines.next()?.strip_prefix(word)?.parse::<u64>().ok();
        if number("pid ")? != u64::from(pid) {
            return None;
        }
        let since = Duration::from_secs(number("since ")?);
        // It goes to a terminal.
        let line = lines.next()?.chars().filter(|c| !c.is_control());
        let line: String = line.take(LONGEST_LINE).collect();
        (!line.is_empty()).then(|| Standing {
            line,
            lasts: since_boot().saturating_sub(since),
        })
    }
}

impl fmt::Display for Standing {
    /// `waiting for RabbitMQ for 2 min 3 s: connection refused`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, more) = state(&self.line);
        write!(f, "{state} for {}{more}", words(self.lasts))
    }
}

/// The state, and what is said about it.
fn state(line: &str) -> (&str, &str) {
    line.split_at(line.find(": ").unwrap_or(line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn me() -> u32 {
        std::process::id()
    }

    fn shown(path: &Path) -> Option<String> {
        Standing::read(path, me()).map(|standing| standing.to_string())
    }

    #[test]
    fn a_line_is_written_read_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("x.status");
        let file = StatusFile::new(&path);
        assert_eq!(shown(&path), None);
        file.write("waiting: it is away");
        assert_eq!(shown(&path).unwrap(), "waiting for 0 s: it is away");
        let first = fs::metadata(&path).unwrap();
        assert_eq!(first.mode() & 0o777, 0o644);
        file.write("waiting: it is away");
        assert_eq!(fs::metadata(&path).unwrap().ino(), first.ino(), "no news");
        file.last().since = since_boot().saturating_sub(Duration::from_secs(125));
        file.write("waiting: it is gone");
        assert_eq!(shown(&path).unwrap(), "waiting for 2 min 5 s: it is gone");
        file.write("at work");
        assert_eq!(shown(&path).unwrap(), "at work for 0 s");
        file.remove();
        file.write("too late");
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn only_what_this_process_wrote_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.status");
        StatusFile::new(&path).write("fine");
        let content = fs::read_to_string(&path).unwrap();
        assert_eq!(Standing::read(&path, 1), None, "another process");
        let anew = |content: &str, mode| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        anew(&content, 0o666);
        assert_eq!(shown(&path), None, "others may write to it");
        for rubbish in ["", "pid", "pid x\n", "since 1\nfine\n", &content[..8]] {
            anew(rubbish, 0o644);
            assert_eq!(shown(&path), None, "{rubbish:?}");
        }
        anew(&format!("pid {}\nsince 1\n\u{1b}[2Jred\n", me()), 0o644);
        assert!(shown(&path).unwrap().starts_with("[2Jred for "));
        anew(&content, 0o644);
        assert!(shown(&path).is_some());
        let other = dir.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        assert_eq!(shown(&path), None, "a hard link");
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(shown(&path), None, "a link");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.status");
        let target = dir.path().join("target");
        fs::write(&target, "precious").unwrap();
        let file = StatusFile::new(&path);
        for link in [&path, &dir.path().join("x.status.new")] {
            symlink(&target, link).unwrap();
        }
        file.write("fine");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(shown(&path).unwrap(), "fine for 0 s");
    }

    #[test]
    fn what_cannot_be_written_is_not_left_out_of_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.status");
        let file = StatusFile::new(&path);
        file.write("fine");
        // A directory with something in it cannot be replaced by a file.
        let in_the_way = dir.path().join("x.status.new");
        fs::create_dir_all(in_the_way.join("x")).unwrap();
        file.write("bad");
        assert!(!path.exists());
        fs::remove_dir_all(&in_the_way).unwrap();
        file.write("good");
        assert_eq!(shown(&path).unwrap(), "good for 0 s");
    }
}
