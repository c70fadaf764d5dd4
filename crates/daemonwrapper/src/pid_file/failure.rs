//! The two ways in which a PID file fails: something could not be done to it, or it may not be trusted.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;

/// What could not be done to the file at `path`, for `map_err`.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::PidFile {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// The file is left alone, for this reason.
pub(super) fn refused(path: &Path, reason: impl Into<String>) -> Error {
    let me = rustix::process::geteuid().as_raw();
    Error::Refused {
        path: path.to_owned(),
        reason: reason.into(),
        remove: fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink() || meta.uid() == me),
    }
}
