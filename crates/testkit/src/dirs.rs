//! Where cargo put the running program: the target directory and the binaries beside it.
//!
//! Asked of the running executable, so that `CARGO_TARGET_DIR` and other profiles need no special care.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The directory of the built binaries (`target/debug`), seen from a test executable (`target/debug/deps/x-1234`) as well
/// as from a binary in it.
pub fn bin_dir() -> Result<PathBuf> {
    let executable = env::current_exe().context("asking where the running executable lies")?;
    let mut dir = executable
        .parent()
        .with_context(|| format!("{} lies in no directory", executable.display()))?;
    if dir.ends_with("deps") || dir.ends_with("examples") {
        dir = dir.parent().unwrap_or(dir);
    }
    Ok(dir.to_path_buf())
}

/// Debian's library that tells a program another time of day, without its clock of elapsed time: the variant for programs
/// with threads, of whatever architecture this machine is. None: the package `faketime` is not installed.
pub fn fake_time_library() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.flatten();
    architectures
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file())
}

/// Cargo's target directory, where nodes keep their data; it is never under version control.
pub fn target_dir() -> Result<PathBuf> {
    let bin_dir = bin_dir()?;
    let target = bin_dir
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file())
        .or_else(|| bin_dir.parent());
    Ok(target.unwrap_or(&bin_dir).to_path_buf())
}
