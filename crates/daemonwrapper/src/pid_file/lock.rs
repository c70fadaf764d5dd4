//! The lock on the PID file: a write lock (`fcntl`, of the open file description) on the whole of it.
//!
//! Not `flock`, which anybody may take who can read the file, and anybody can read this one. A write lock can be had only by
//! those who may write: our own user and root. A stranger can hold a read lock and so keep us from the write lock,
//! but his never passes for a daemon's.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// What became of the attempt to take it.
#[derive(Debug, PartialEq)]
pub(super) enum Lock {
    /// We hold it, as long as the file or a copy of it in another process is open.
    Ours,
    /// A daemon holds it.
    Held,
    /// No daemon holds it, but a stranger's read lock keeps us from it, or it was let go this very moment.
    Hindered,
}

pub(super) fn take(file: &File) -> io::Result<Lock> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))) {
        Ok(_) => Ok(Lock::Ours),
        Err(Errno::EAGAIN | Errno::EACCES) if is_held(file)? => Ok(Lock::Held),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(Lock::Hindered),
        Err(error) => Err(error.into()),
    }
}

/// Whether another one holds it. Changes nothing, so it is in nobody's way.
pub(super) fn is_held(file: &File) -> io::Result<bool> {
    // Asked is what would stand against a read lock: write locks only.
    let mut lock = whole(libc::F_RDLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole(kind: i32) -> libc::flock {
    libc::flock {
        // The constants are small; the system call wants them short.
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
pub(super) fn take_as_a_reader(file: &File) {
    fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_RDLCK))).unwrap();
}
