//! Going through a tree by names that are not followed.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use edeposit_ftp::{Error, Home};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use crate::one_line::one_line;

/// How deep directories may be nested.
const DEEPEST: usize = 64;
/// How many files one import may have.
pub(super) const MOST: usize = 200_000;

/// What the walk comes upon.
pub(super) enum Entry<'a> {
    /// A directory whose entries come next; the first is the tree's own, with an empty path.
    Directory(PathBuf),
    /// A directory that is not entered.
    TooDeep(PathBuf),
    Regular {
        parent: &'a OwnedFd,
        name: &'a OsStr,
        path: PathBuf,
        stat: Stat,
    },
    /// A link, a pipe, a device, a file with several names.
    Other { name: &'a OsStr, path: PathBuf },
}

/// Goes through a tree; `enter` is called with each directory before it is read. One that is not to be opened is logged.
pub(super) fn walk(
    home: &Home,
    mut enter: impl FnMut(&OwnedFd, &Path),
    mut visit: impl FnMut(Entry<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut left = vec![PathBuf::new()];
    while let Some(path) = left.pop() {
        let is_top = path.as_os_str().is_empty();
        let directory = match open_directory(home, &path) {
            Ok(directory) => directory,
            Err(error) if is_top => return Err(error),
            Err(error) => {
                log(&error);
                continue;
            }
        };
        enter(&directory, &path);
        visit(Entry::Directory(path.clone()))?;
        let names = names(home, &directory, &path)?;
        let mut below = Vec::new();
        for name in &names {
            let path = path.join(name);
            let stat = match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(failed(home, "reading", &path, error)),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if path.components().count() > DEEPEST => {
                    visit(Entry::TooDeep(path))?;
                }
                FileType::Directory => below.push(path),
                // with a second name, which may be anywhere, it is as good as a link
                FileType::RegularFile if stat.st_nlink == 1 => visit(Entry::Regular {
                    parent: &directory,
                    name,
                    path,
                    stat,
                })?,
                _ => visit(Entry::Other { name, path })?,
            }
        }
        left.extend(below.into_iter().rev());
    }
    Ok(())
}

fn open_directory(home: &Home, path: &Path) -> Result<OwnedFd, Error> {
    let below = home.below(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // a description of its own: reading a directory moves its position
    openat(&below, ".", flags, Mode::empty()).map_err(|error| failed(home, "opening", path, error))
}

fn names(home: &Home, directory: &OwnedFd, path: &Path) -> Result<Vec<OsString>, Error> {
    let failed = |error| failed(home, "reading", path, error);
    let mut names = Vec::new();
    for entry in Dir::read_from(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
        if names.len() > MOST {
            return Err(Error::TooLarge {
                path: home.path().join(path),
                limit: MOST as u64,
            });
        }
    }
    names.sort();
    Ok(names)
}

pub(super) fn failed(home: &Home, doing: &'static str, path: &Path, error: Errno) -> Error {
    Error::Io {
        doing,
        path: home.path().join(path),
        source: error.into(),
    }
}

pub(super) fn log(error: &Error) {
    tracing::warn!("{}", one_line(error));
}
