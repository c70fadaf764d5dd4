//! How often a process died with a request in hand: what tells a request that kills daemons from one that was unlucky.
//!
//! The broker says only that it has delivered a request before. So a daemon writes into a small file which requests it is
//! carrying out, one line each, before it begins. The next process finds there what was in hand when the last one died,
//! and counts. A request so suspected is carried out by itself, as far as other suspects go: whoever is in hand at the
//! next death beside the culprit is there for the first time. One with [`LIMIT`] deaths is not carried out any more.
//!
//! The file is written, never synced: it has to outlive the process, not the machine.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::fingerprint::{Fingerprint, Key};

/// A request that so many processes died with is not carried out again.
pub(crate) const LIMIT: u8 = 3;

/// So many suspects are remembered, the newest.
const MOST_SUSPECTS: usize = 256;
/// A suspect that was not seen for so long is forgotten.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// No file of ours is longer.
const LONGEST_FILE: u64 = 1024 * 1024;

const TITLE: &str = "edeposit requests in hand, 1, key";
/// Fingerprint, deaths before, newline.
const SLOT_LENGTH: usize = 32 + 1 + 3 + 1;

/// The requests of this daemon that processes died with, and those in hand now.
pub(crate) struct Attempts {
    key: Key,
    suspects: HashMap<Fingerprint, u8>,
    /// One suspect at a time.
    pub(crate) one_suspect: Arc<Semaphore>,
    slots: Option<Slots>,
}

/// Places in the file for the requests in hand.
struct Slots {
    file: File,
    first: u64,
    free: Mutex<Vec<u32>>,
    closed: AtomicBool,
}

/// A request's place in the file while it is in hand.
pub(crate) struct Slot {
    attempts: Arc<Attempts>,
    number: Option<u32>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // What stands there stays till the place is used again: only a request that comes again is looked for.
        if let (Some(number), Some(slots)) = (self.number, &self.attempts.slots)
            && let Ok(mut free) = slots.free.lock()
        {
            free.push(number);
        }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.close();
    }
}

impl Attempts {
    /// Nothing is recorded: a daemon without a place for it.
    pub(crate) fn unrecorded() -> Self {
        Self {
            key: Key::random(),
            suspects: HashMap::new(),
            one_suspect: Arc::new(Semaphore::new(1)),
            slots: None,
        }
    }

    /// Reads what the last process left in this file, and uses it from now on for up to `in_hand` requests at once. The
    /// directory is made if it is not there.
    ///
    /// # Errors
    /// The file cannot be used: for one, another process is using it.
    pub(crate) fn open(path: &Path, in_hand: u16) -> Result<Self> {
        let mut file = open(path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{} is in use by another process", path.display())
            }
            Err(TryLockError::Error(e)) => return Err(e).context("locking"),
        }
        let mut text = Vec::new();
        Read::by_ref(&mut file)
            .take(LONGEST_FILE)
            .read_to_end(&mut text)?;
        if !text.is_empty() && !text.starts_with(TITLE.as_bytes()) {
            bail!("{} is a file of another kind", path.display());
        }
        let (key, suspects) = read(&String::from_utf8_lossy(&text), now());
        let mut head = format!("{TITLE} {:032x}\n", key.0);
        for (suspect, since) in &suspects {
            head += &format!(
                "{:032x} {:03} {since}\n",
                suspect.fingerprint.0, suspect.deaths
            );
        }
        let first = head.len() as u64;
        let empty = line(Fingerprint(0), 0);
        let content = [head.as_bytes(), &empty.repeat(in_hand.into())].concat();
        file.write_all_at(&content, 0)?;
        file.set_len(content.len() as u64)?;
        Ok(Self {
            key,
            suspects: suspects
                .into_iter()
                .map(|(suspect, _)| (suspect.fingerprint, suspect.deaths))
                .collect(),
            one_suspect: Arc::new(Semaphore::new(1)),
            slots: Some(Slots {
                file,
                first,
                free: Mutex::new((0..u32::from(in_hand)).rev().collect()),
                closed: AtomicBool::new(false),
            }),
        })
    }

    /// The daemon was told to end: whatever ends it now, it is not the requests in hand.
    pub(crate) fn close(&self) {
        if let Some(slots) = &self.slots {
            slots.closed.store(true, Ordering::Relaxed);
            // If that fails, requests that are settled are suspects, and never seen again.
            let _ = slots.file.set_len(slots.first);
        }
    }

    /// What fingerprints are taken with; the same for all processes that use the file.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// How many processes died with this request in hand.
    pub(crate) fn deaths(&self, request: Fingerprint) -> u8 {
        self.suspects.get(&request).copied().unwrap_or(0)
    }

    /// Records that this request is in hand, as long as the slot is kept.
    pub(crate) fn begin(self: &Arc<Self>, request: Fingerprint) -> Slot {
        let slots = self.slots.as_ref();
        let open = slots.filter(|slots| !slots.closed.load(Ordering::Relaxed));
        let number = open.and_then(|slots| {
            let number = slots.free.lock().ok()?.pop()?;
            let at = slots.first + u64::from(number) * SLOT_LENGTH as u64;
            let line = line(request, self.deaths(request));
            if let Err(error) = slots.file.write_all_at(&line, at) {
                warn!(%error, "cannot record that a request is in hand");
            }
            Some(number)
        });
        Slot {
            attempts: Arc::clone(self),
            number,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suspect {
    fingerprint: Fingerprint,
    deaths: u8,
}

fn line(request: Fingerprint, deaths: u8) -> [u8; SLOT_LENGTH] {
    let mut line = *b"00000000000000000000000000000000 000\n";
    // It has the room that this needs.
    let _ = hex::encode_to_slice(request.0.to_be_bytes(), &mut line[..32]);
    for (place, value) in [
        (33, deaths / 100),
        (34, deaths / 10 % 10),
        (35, deaths % 10),
    ] {
        line[place] = b'0' + value;
    }
    line
}

fn open(path: &Path) -> Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.uid() == nix::unistd::geteuid().as_raw();
    if !metadata.is_file() || metadata.nlink() != 1 {
        bail!("it is no regular file, or has several names");
    }
    if !is_ours || metadata.mode() & 0o022 != 0 {
        bail!("it belongs to another user, or others may write to it");
    }
    Ok(file)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What a file says: its key, and the suspects with the time they became so, the oldest first. A line that makes no sense
/// says nothing.
fn read(text: &str, now: u64) -> (Key, Vec<(Suspect, u64)>) {
    let mut lines = text.lines();
    let key = lines.next().and_then(|title| {
        let key = title.strip_prefix(TITLE)?.trim();
        u128::from_str_radix(key, 16).ok()
    });
    let Some(key) = key else {
        return (Key::random(), Vec::new());
    };
    let mut found: HashMap<Fingerprint, (u8, u64)> = HashMap::new();
    for line in lines {
        let mut words = line.split(' ');
        let fingerprint = words.next().map(|word| u128::from_str_radix(word, 16));
        let deaths = words.next().and_then(|word| word.parse::<u8>().ok());
        let (Some(Ok(fingerprint)), Some(deaths)) = (fingerprint, deaths) else {
            continue;
        };
        // A line with a time stands for a suspect that was not in hand, else the process died with it.
        let (deaths, since) = match words.next() {
            Some(since) => (deaths, since.parse().unwrap_or(0)),
            None => (deaths.saturating_add(1), now),
        };
        if fingerprint != 0 && now.saturating_sub(since) <= REMEMBERED.as_secs() {
            let entry = found
                .entry(Fingerprint(fingerprint))
                .or_insert((deaths, since));
            *entry = (entry.0.max(deaths), entry.1.max(since));
        }
    }
    let mut suspects: Vec<_> = found
        .into_iter()
        .map(|(fingerprint, (deaths, since))| {
            (
                Suspect {
                    fingerprint,
                    deaths,
                },
                since,
            )
        })
        .collect();
    suspects.sort_by_key(|(suspect, since)| (*since, suspect.deaths));
    suspects.drain(..suspects.len().saturating_sub(MOST_SUSPECTS));
    (Key(key), suspects)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Fingerprint = Fingerprint(1);
    const TWO: Fingerprint = Fingerprint(2);

    fn opened(path: &Path) -> Arc<Attempts> {
        Arc::new(Attempts::open(path, 4).unwrap())
    }

    #[test]
    fn deaths_with_a_request_in_hand_are_counted_over_processes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/daemon.in-hand");
        let key = opened(&path).key();
        for process in 0..LIMIT {
            let attempts = opened(&path);
            assert_eq!(attempts.key(), key);
            assert_eq!(attempts.deaths(ONE), process);
            assert_eq!(attempts.deaths(TWO), 0);
            // What a killed process does not do: give the slot back.
            std::mem::forget(attempts.begin(ONE));
            attempts.slots.as_ref().unwrap().file.unlock().unwrap();
        }
        assert_eq!(opened(&path).deaths(ONE), LIMIT);
        // Not in hand since, so not counted, but not forgotten either.
        assert_eq!(opened(&path).deaths(ONE), LIMIT);
    }

    #[test]
    fn lines_have_the_same_length() {
        for (request, deaths, expected) in [
            (0, 0, "00000000000000000000000000000000 000\n"),
            (
                0xab << 120 | 0x1c,
                7,
                "ab00000000000000000000000000001c 007\n",
            ),
            (u128::MAX, 255, "ffffffffffffffffffffffffffffffff 255\n"),
        ] {
            assert_eq!(line(Fingerprint(request), deaths), expected.as_bytes());
        }
    }

    #[test]
    fn a_slot_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.in-hand");
        let attempts = opened(&path);
        for request in 1..100 {
            drop(attempts.begin(Fingerprint(request)));
        }
        assert_eq!(attempts.deaths(Fingerprint(99)), 0);
        let length = std::fs::metadata(&path).unwrap().len();
        let title = TITLE.len() + 1 + 32 + 1;
        assert_eq!(length, (title + 4 * SLOT_LENGTH) as u64);
        // An orderly end leaves no suspects, whatever is in hand.
        std::mem::forget(attempts.begin(Fingerprint(100)));
        attempts.close();
        std::mem::forget(attempts.begin(Fingerprint(101)));
        attempts.slots.as_ref().unwrap().file.unlock().unwrap();
        assert!(opened(&path).suspects.is_empty());
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.in-hand");
        let first = opened(&path);
        let Err(error) = Attempts::open(&path, 4) else {
            panic!("it was opened twice");
        };
        assert!(error.to_string().contains("in use"), "{error}");
        drop(first);
        opened(&path);
    }

    #[test]
    fn the_file_is_its_owners_and_never_behind_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("daemon.in-hand");
        opened(&path);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(Attempts::open(&link, 1).is_err());
        std::fs::hard_link(&path, dir.path().join("second")).unwrap();
        assert!(Attempts::open(&path, 1).is_err());
        let strange = dir.path().join("strange");
        std::fs::write(&strange, "somebody's").unwrap();
        assert!(Attempts::open(&strange, 1).is_err());
        assert_eq!(std::fs::read(&strange).unwrap(), b"somebody's");
        assert!(Attempts::open(dir.path(), 1).is_err());
        nix::unistd::mkfifo(
            &dir.path().join("fifo"),
            nix::sys::stat::Mode::from_bits_truncate(0o600),
        )
        .unwrap();
        assert!(Attempts::open(&dir.path().join("fifo"), 1).is_err());
    }

    #[test]
    fn rubbish_says_nothing() {
        let title = format!("{TITLE} {:032x}", 7);
        for text in [
            "",
            "\n",
            "x",
            TITLE,
            &format!("{title}\nx\n\n1\n1 x\nzz 001\n1 300\n"),
        ] {
            let (_, suspects) = read(text, 0);
            assert_eq!(suspects, [], "{text}");
        }
        let (key, suspects) = read(&format!("{title}\n{:032x} 001\n", TWO.0), 5);
        assert_eq!(key, Key(7));
        let expected = Suspect {
            fingerprint: TWO,
            deaths: 2,
        };
        assert_eq!(suspects, [(expected, 5)]);
    }

    #[test]
    fn suspects_are_forgotten_in_time_and_limited_in_number() {
        let mut text = format!("{TITLE} {:032x}\n", 7);
        for number in 1..1000u128 {
            text += &format!("{number:032x} 001 {number}\n");
        }
        let (_, suspects) = read(&text, 1000);
        assert_eq!(suspects.len(), MOST_SUSPECTS);
        assert_eq!(suspects.last().unwrap().0.fingerprint, Fingerprint(999));
        let (_, suspects) = read(&text, 1000 + REMEMBERED.as_secs());
        assert_eq!(suspects, []);
    }
}
