//! Which files are just being written.
//!
//! An upload under way is a process that has the file open for writing, as the kernel tells in `/proc`. (A read lease would
//! tell too, but whoever opens a leased file sends a signal to the process that has the lease, and by default it dies.)
//! A process in a container of its own is seen from outside, not from inside.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode of every file among `files` that some process may still write to.
pub(crate) fn being_written(files: &BTreeSet<(u64, u64)>) -> BTreeSet<(u64, u64)> {
    let mut written = BTreeSet::new();
    if files.is_empty() {
        return written;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let is_process = process
            .file_name()
            .as_encoded_bytes()
            .iter()
            .all(u8::is_ascii_digit);
        if !is_process {
            continue;
        }
        // one that has ended meanwhile writes nothing
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            // sockets and pipes have no path
            let path = descriptor.path();
            if !fs::read_link(&path).is_ok_and(|target| target.is_absolute()) {
                continue;
            }
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let file = (metadata.dev(), metadata.ino());
            let info = process.path().join("fdinfo").join(descriptor.file_name());
            if files.contains(&file) && is_for_writing(&info) {
                written.insert(file);
            }
        }
    }
    written
}

/// The last two bits of the flags, which are octal, say how a file was opened; 0 is for reading.
fn is_for_writing(info: &Path) -> bool {
    let info = fs::read_to_string(info).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_open_for_writing_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let id = |file: &fs::File| {
            let metadata = file.metadata().unwrap();
            (metadata.dev(), metadata.ino())
        };
        let written = fs::File::create(directory.path().join("a")).unwrap();
        fs::write(directory.path().join("b"), "").unwrap();
        let read = fs::File::open(directory.path().join("b")).unwrap();
        let both = BTreeSet::from([id(&written), id(&read)]);
        assert_eq!(being_written(&both), BTreeSet::from([id(&written)]));
        drop(written);
        assert!(being_written(&both).is_empty());
    }
}
