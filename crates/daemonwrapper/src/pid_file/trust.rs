//! Which PID files may be trusted: those that only a daemon of our own user can have written.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::failure::{failed, refused};
use crate::error::Error;

/// Whose file may be looked at.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Owner {
    /// Only our own: what is in it will be acted upon.
    Us,
    /// Anybody's: it will only be reported.
    Anyone,
}

pub(crate) fn check(file: &File, path: &Path, owner: Owner) -> Result<(), Error> {
    let meta = file.metadata().map_err(failed("examine", path))?;
    if !meta.is_file() {
        return Err(refused(path, "it is no regular file"));
    }
    check_uid(path, meta.uid(), owner)?;
    if meta.mode() & 0o022 != 0 {
        return Err(refused(
            path,
            format!("others may write to it (mode {:04o})", meta.mode() & 0o7777),
        ));
    }
    // No link at all: removed a moment ago, which the lock will show.
    if meta.nlink() > 1 {
        return Err(refused(path, "it has more than one name (hard link)"));
    }
    Ok(())
}

pub(crate) fn check_owner(path: &Path, owner: Owner) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) => check_uid(path, meta.uid(), owner),
        Err(_) => Ok(()),
    }
}

fn check_uid(path: &Path, uid: u32, owner: Owner) -> Result<(), Error> {
    let me = rustix::process::geteuid().as_raw();
    if owner == Owner::Us && uid != me {
        return Err(refused(
            path,
            format!(
                "it belongs to user {uid}, and this command runs as user {me}: run it as user {uid} if the daemon is theirs"
            ),
        ));
    }
    Ok(())
}

/// Whoever may rename files in the directory may exchange the PID file, and so let two daemons run or another process be
/// stopped. That is its owner, and whoever may write to it unless the sticky bit is set.
pub(crate) fn check_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let meta = fs::metadata(directory).map_err(failed("reach the directory of", path))?;
    let (mode, uid) = (meta.mode() & 0o7777, meta.uid());
    let reason = if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        format!("its directory belongs to user {uid}")
    } else if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        format!("others may rename files in its directory (mode {mode:04o}, no sticky bit)")
    } else {
        return Ok(());
    };
    Err(Error::Refused {
        path: path.to_owned(),
        reason,
        remove: false,
    })
}
