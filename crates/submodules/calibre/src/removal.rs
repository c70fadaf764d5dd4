//! Removing a directory with whatever a converter may have made of it.
//!
//! An archive may hold directories nested thousands deep, or without any permission, and a process that is not dead yet may
//! put a link in the place of a directory. So everything is reached from the directory above it, no link is followed,
//! each directory is made accessible, and the directories found in one are moved up before it is removed: however deep
//! they are nested, two are open at a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, chmod, openat, renameat, rmdir, unlinkat};
use rustix::io::Errno;

/// How often removal is tried: processes that were killed may still be on their way out, writing.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Removes a directory and all it holds. One that is not there is removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match try_remove(path) {
            Err(Errno::NOENT) => return Ok(()),
            Err(_) if tries < TRIES => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            result => return Ok(result?),
        }
    }
}

fn try_remove(path: &Path) -> Result<(), Errno> {
    let root = enter(CWD, path)?;
    // Names that nothing moved up has yet.
    let mut names = (0_u64..).map(|n| format!("moved-up-{n}"));
    loop {
        let mut is_empty = true;
        for name in entries(&root)? {
            is_empty = false;
            if unlinkat(&root, &*name, AtFlags::empty()).is_ok() {
                continue;
            }
            let dir = match enter(root.as_fd(), &*name) {
                Err(Errno::NOENT) => continue,
                dir => dir?,
            };
            for inner in entries(&dir)? {
                if unlinkat(&dir, &*inner, AtFlags::empty()).is_ok() {
                    continue;
                }
                move_up(&dir, &inner, &root, &mut names)?;
            }
            unlinkat(&root, &*name, AtFlags::REMOVEDIR)?;
        }
        if is_empty {
            return rmdir(path);
        }
    }
}

fn move_up(
    from: &OwnedFd,
    name: &std::ffi::CStr,
    root: &OwnedFd,
    names: &mut impl Iterator<Item = String>,
) -> Result<(), Errno> {
    // Only a directory that may be written to can be moved.
    match enter(from.as_fd(), name) {
        Err(Errno::NOENT) => return Ok(()),
        dir => drop(dir?),
    }
    for new in names {
        match renameat(from, name, root, &*new) {
            // Something else has this name.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            result => return result,
        }
    }
    Err(Errno::EXIST)
}

/// Opens a directory, after making it accessible to its owner.
fn enter(parent: BorrowedFd<'_>, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
    let by_number = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir));
    chmod(by_number, Mode::RWXU)?;
    openat(&dir, c".", flags | OFlags::RDONLY, Mode::empty())
}

fn entries(dir: &OwnedFd) -> Result<Vec<std::ffi::CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::mkdirat;

    use super::*;

    /// Deeper than any path may be long, and than files may be open.
    #[test]
    fn however_deep() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep");
        fs::create_dir(&path).unwrap();
        let mut dir = enter(CWD, &*path).unwrap();
        for _ in 0..1100 {
            mkdirat(&dir, "directory", Mode::RWXU).unwrap();
            mkdirat(&dir, "moved-up-7", Mode::RWXU).unwrap();
            dir = enter(dir.as_fd(), "directory").unwrap();
        }
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn links_are_not_followed_and_locked_directories_open() {
        let parent = tempfile::tempdir().unwrap();
        let inside = |name: &str| parent.path().join(name);
        fs::create_dir_all(inside("kept/there")).unwrap();
        fs::write(inside("kept/there/file"), "x").unwrap();
        fs::create_dir_all(inside("gone/a/locked/b")).unwrap();
        fs::write(inside("gone/a/locked/b/file"), "x").unwrap();
        symlink(inside("kept"), inside("gone/link")).unwrap();
        symlink(inside("kept"), inside("gone/a/link")).unwrap();
        for locked in ["gone/a/locked/b", "gone/a/locked"] {
            fs::set_permissions(inside(locked), PermissionsExt::from_mode(0o000)).unwrap();
        }
        remove(&inside("gone")).unwrap();
        assert!(!inside("gone").exists());
        assert!(inside("kept/there/file").exists());

        symlink(inside("kept"), inside("link")).unwrap();
        assert!(try_remove(&inside("link")).is_err());
        assert!(inside("kept/there/file").exists());
    }
}
