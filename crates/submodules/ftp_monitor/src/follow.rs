//! Following a log that is rotated, truncated and written to by many processes at once.
//!
//! Every FTP session goes on writing to the file it opened at its login, whatever that is called by now. So every file that
//! has ever been the log stays open until it is deleted and nobody has written to it for a day. A file is known by its
//! inode and by its first bytes, since inodes are used again. Where each has been read to is kept on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// A file of which nothing is known is read from so many bytes before its end.
const FIRST_LOOK: u64 = 64 * 1024 * 1024;
/// Nobody's session lasts longer without a command.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// So many first bytes tell files with the same inode apart.
const HEAD: usize = 128;
const CHUNK: usize = 64 * 1024;
/// Four times the longest path.
const LONGEST_LINE: usize = 16 * 1024;
/// Files followed at once; of more, those that have been idle the longest are given up.
const MOST: usize = 64;

/// How far a file has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    device: u64,
    inode: u64,
    offset: u64,
    head: Vec<u8>,
}

struct Followed {
    file: File,
    position: Position,
    /// Bytes of a line whose end has not come; the position is before them.
    begun: usize,
    active: Instant,
}

/// Follows one log under all names it will ever have.
pub(crate) struct Follower {
    log: PathBuf,
    state: PathBuf,
    files: Vec<Followed>,
    saved: Vec<Position>,
}

impl Follower {
    /// Follows `log`, which need not exist, from where the file `state` says.
    pub(crate) fn new(log: &Path, state: &Path) -> Self {
        let saved: Vec<Position> = match fs::read(state) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %state.display(), "the position in the log is not readable");
                Vec::new()
            }),
            Err(_) => Vec::new(),
        };
        let mut follower = Self {
            log: log.to_owned(),
            state: state.to_owned(),
            files: Vec::new(),
            saved: saved.clone(),
        };
        follower.find_rotated(&saved);
        follower
    }

    /// Files that were followed by an earlier process and have another name now.
    fn find_rotated(&mut self, saved: &[Position]) {
        let log = self.log.clone();
        let (Some(directory), Some(name)) = (log.parent(), log.file_name()) else {
            return;
        };
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_rotated = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(name.as_encoded_bytes());
            let is_known = entry.metadata().is_ok_and(|found| {
                saved
                    .iter()
                    .any(|one| (one.device, one.inode) == (found.dev(), found.ino()))
            });
            if is_rotated && is_known && entry.path() != log {
                self.open(&entry.path());
            }
        }
    }

    /// Looks for a new file of the log's name, and hands over every whole line that has been written anywhere. True if
    /// there was any.
    pub(crate) fn read(&mut self, mut line: impl FnMut(&[u8])) -> bool {
        let current = fs::metadata(&self.log).ok();
        let is_followed = |followed: &Followed| {
            current.as_ref().is_none_or(|current| {
                (followed.position.device, followed.position.inode)
                    == (current.dev(), current.ino())
            })
        };
        if current.is_some() && !self.files.iter().any(is_followed) {
            self.open(&self.log.clone());
        }
        let mut has_read = false;
        for followed in &mut self.files {
            match followed.read(&mut line) {
                Ok(read) => has_read |= read,
                Err(error) => tracing::warn!(%error, log = %self.log.display(), "reading the log"),
            }
        }
        self.files.retain(|followed| {
            let is_deleted = followed
                .file
                .metadata()
                .map_or(true, |found| found.nlink() == 0);
            !(is_deleted && followed.active.elapsed() > IDLE)
        });
        if self.files.len() > MOST {
            self.files
                .sort_by_key(|followed| std::cmp::Reverse(followed.active));
            self.files.truncate(MOST);
        }
        has_read
    }

    fn open(&mut self, path: &Path) {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((found, file)) if found.is_file() => {
                let known = (found.dev(), found.ino());
                let saved = self
                    .saved
                    .iter()
                    .find(|one| (one.device, one.inode) == known);
                let position = match saved {
                    Some(position) => position.clone(),
                    None => Position {
                        device: known.0,
                        inode: known.1,
                        offset: found.size().saturating_sub(FIRST_LOOK),
                        head: Vec::new(),
                    },
                };
                tracing::info!(path = %path.display(), offset = position.offset, "following the log");
                self.files.push(Followed {
                    file,
                    position,
                    begun: 0,
                    active: Instant::now(),
                });
            }
            Ok(_) => tracing::warn!(path = %path.display(), "the log is no file"),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, path = %path.display(), "opening the log"),
        }
    }

    /// Keeps how far has been read. What is read after it is read again by the next process, which does no harm.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        let positions: Vec<_> = self.files.iter().map(|one| one.position.clone()).collect();
        if positions == self.saved {
            return Ok(());
        }
        let new = self.state.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(&positions)?)?;
        fs::rename(&new, &self.state)?;
        self.saved = positions;
        Ok(())
    }
}

impl Followed {
    fn read(&mut self, line: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        self.begin_anew_if_truncated()?;
        let mut has_read = false;
        let mut buffer = Vec::new();
        let mut chunk = vec![0; CHUNK];
        let mut at = self.position.offset;
        if self.file.metadata()?.size() == at + self.begun as u64 {
            return Ok(false);
        }
        loop {
            let length = self.file.read_at(&mut chunk, at)?;
            if length == 0 {
                break;
            }
            at += length as u64;
            buffer.extend_from_slice(&chunk[..length]);
            let mut done = 0;
            while let Some(end) = buffer[done..].iter().position(|byte| *byte == b'\n') {
                line(&buffer[done..done + end]);
                done += end + 1;
                has_read = true;
            }
            buffer.drain(..done);
            self.position.offset += done as u64;
            // no line of the log: its rest will be none either
            if buffer.len() > LONGEST_LINE {
                self.position.offset += buffer.len() as u64;
                buffer.clear();
            }
        }
        self.begun = buffer.len();
        self.active = Instant::now();
        self.remember_head()?;
        Ok(has_read)
    }

    fn begin_anew_if_truncated(&mut self) -> io::Result<()> {
        let head = self.head(self.position.head.len())?;
        if self.file.metadata()?.size() < self.position.offset || head != self.position.head {
            tracing::info!(
                offset = self.position.offset,
                "the log has been truncated; reading it from its beginning"
            );
            self.position.offset = 0;
            self.position.head.clear();
            self.begun = 0;
        }
        Ok(())
    }

    /// Only what has been read is remembered: what is being written may still change.
    fn remember_head(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.position.offset).map_or(HEAD, |offset| offset.min(HEAD));
        if self.position.head.len() < length {
            self.position.head = self.head(length)?;
        }
        Ok(())
    }

    fn head(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; length];
        let mut read = 0;
        while read < length {
            match self.file.read_at(&mut head[read..], read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        head.truncate(read);
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        directory: tempfile::TempDir,
    }

    impl World {
        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn follower(&self) -> Follower {
            Follower::new(&self.path("log"), &self.path("state"))
        }

        fn append(&self, name: &str, text: &str) -> File {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(self.path(name))
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        }
    }

    fn world() -> World {
        World {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn lines(follower: &mut Follower) -> Vec<String> {
        let mut lines = Vec::new();
        follower.read(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
        follower.save().unwrap();
        lines
    }

    /// Defect 10: what sessions write after a rotation was not read.
    #[test]
    fn rotation_with_writers_that_stay() {
        let world = world();
        let mut follower = world.follower();
        assert!(lines(&mut follower).is_empty());
        let mut old = world.append("log", "a1\na");
        assert_eq!(lines(&mut follower), ["a1"]);
        old.write_all(b"2\n").unwrap();
        assert_eq!(lines(&mut follower), ["a2"]);
        fs::rename(world.path("log"), world.path("log.1")).unwrap();
        old.write_all(b"a3\n").unwrap();
        assert_eq!(lines(&mut follower), ["a3"]);
        world.append("log", "b1\n");
        old.write_all(b"a4\n").unwrap();
        assert_eq!(lines(&mut follower), ["a4", "b1"]);
        // compressed and deleted, but its writer goes on
        fs::remove_file(world.path("log.1")).unwrap();
        old.write_all(b"a5\n").unwrap();
        world.append("log", "b2\n");
        assert_eq!(lines(&mut follower), ["a5", "b2"]);
        assert!(lines(&mut follower).is_empty());
    }

    #[test]
    fn truncation() {
        let world = world();
        let mut follower = world.follower();
        let file = world.append("log", "one 1\ntwo 2\n");
        assert_eq!(lines(&mut follower).len(), 2);
        file.set_len(0).unwrap();
        world.append("log", "three\n");
        assert_eq!(lines(&mut follower), ["three"]);
        // so much is written at once that the file is no shorter
        file.set_len(0).unwrap();
        world.append("log", "four 4\nfive 5\n");
        assert_eq!(lines(&mut follower), ["four 4", "five 5"]);
        file.set_len(0).unwrap();
        assert!(lines(&mut follower).is_empty());
        world.append("log", "six\n");
        assert_eq!(lines(&mut follower), ["six"]);
    }

    #[test]
    fn a_new_process_goes_on_where_the_last_one_was() {
        let world = world();
        let mut old = world.append("log", "a1\na2\nbegun");
        assert_eq!(lines(&mut world.follower()), ["a1", "a2"]);
        old.write_all(b" and ended\n").unwrap();
        assert_eq!(lines(&mut world.follower()), ["begun and ended"]);
        assert!(lines(&mut world.follower()).is_empty());
        // rotated while nobody looked
        old.write_all(b"a3\n").unwrap();
        fs::rename(world.path("log"), world.path("log.1")).unwrap();
        world.append("log", "b1\n");
        let mut read = lines(&mut world.follower());
        read.sort();
        assert_eq!(read, ["a3", "b1"]);
        // the same inode for another file
        fs::remove_file(world.path("log.1")).unwrap();
        fs::remove_file(world.path("log")).unwrap();
        world.append("log", "c1\n");
        assert_eq!(lines(&mut world.follower()), ["c1"]);
        fs::write(world.path("state"), "rubbish").unwrap();
        assert_eq!(lines(&mut world.follower()), ["c1"]);
    }

    #[test]
    fn endless_lines() {
        let world = world();
        world.append("log", &"x".repeat(LONGEST_LINE * 20));
        world.append("log", "\nreal\n");
        let mut follower = world.follower();
        let read = lines(&mut follower);
        assert_eq!(read.last().map(String::as_str), Some("real"));
        assert!(read.iter().all(|line| line.len() <= LONGEST_LINE + CHUNK));
    }
}
