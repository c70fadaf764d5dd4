//! Who owns what: homes and the password file belong to the FTP server, files in homes to the group of its users too.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Once;

use nix::unistd::User;
use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::process::geteuid;

use crate::{Error, Settings};

/// The system users that ProFTPD runs as, on Debian and on SUSE.
const SERVER_USERS: [&str; 2] = ["proftpd", "ftp"];

/// The uid the FTP server runs as: that of the system user `proftpd`, else of `ftp`.
///
/// # Errors
/// There is neither.
pub fn ftp_uid() -> Result<u32, Error> {
    SERVER_USERS
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| user.uid.as_raw())
        .ok_or(Error::NoFtpUser)
}

/// An owner to give things to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Owner {
    /// The FTP server; the group stays as it is.
    ///
    /// # Errors
    /// Root only: there is no such system user.
    pub fn ftp_server() -> Result<Self, Error> {
        let uid = match ftp_uid() {
            Ok(uid) => Some(uid),
            // could not be given anything anyway
            Err(Error::NoFtpUser) if !geteuid().is_root() => None,
            Err(error) => return Err(error),
        };
        Ok(Self { uid, gid: None })
    }

    /// The FTP server, and the group of its users: for all that is in a home, and for the home itself.
    ///
    /// # Errors
    /// As [`ftp_server`](Self::ftp_server).
    pub fn of_homes(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            gid: Some(settings.users_gid),
            ..Self::ftp_server()?
        })
    }

    /// Sets owner and mode of an open file or directory. `path` is for messages. Who is not root cannot give things away:
    /// that is then left out, with one warning in the life of the process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn own(&self, file: impl AsFd, path: &Path, mode: u32) -> Result<(), Error> {
        let given = fchown(
            &file,
            self.uid.map(Uid::from_raw),
            self.gid.map(Gid::from_raw),
        );
        match given {
            Err(error) if !geteuid().is_root() => {
                static WARNED: Once = Once::new();
                WARNED.call_once(|| {
                    tracing::warn!(
                        path = %path.display(), %error,
                        "not running as root: owners of homes and files are left as they are"
                    );
                });
            }
            given => {
                given.map_err(|error| Error::io("setting the owner of", path)(error.into()))?;
            }
        }
        fchmod(file, Mode::from_raw_mode(mode))
            .map_err(|error| Error::io("setting the mode of", path)(error.into()))
    }
}
