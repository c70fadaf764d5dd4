//! A directory held open. Everything is done relative to it, one name at a time, and symbolic links are never followed:
//! whatever happens to the paths meanwhile, nothing outside is touched.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::LtpError;

/// A directory's parts are deleted this far down: nobody's packages are deeper.
const DEEPEST: usize = 64;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    /// For messages only.
    path: PathBuf,
}

/// Tells files apart whatever they are called: device and inode.
pub(crate) type Identity = (u64, u64);

impl Dir {
    /// Opens a directory that the settings name; there symbolic links are the operator's own.
    pub fn open(path: &Path) -> Result<Self, LtpError> {
        let fd = fs::open(path, DIRECTORY, Mode::empty())
            .map_err(LtpError::at("opening a directory", path))?;
        let path = path.to_owned();
        Ok(Self { fd, path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory in this one.
    pub fn sub(&self, name: &str) -> Result<Self, LtpError> {
        self.enter(OsStr::new(name))
            .map_err(LtpError::at("opening a directory", &self.path.join(name)))
    }

    fn enter(&self, name: &OsStr) -> Result<Self, Errno> {
        let fd = fs::openat(
            &self.fd,
            name,
            DIRECTORY.union(OFlags::NOFOLLOW),
            Mode::empty(),
        )?;
        let path = self.path.join(name);
        Ok(Self { fd, path })
    }

    /// Makes a directory that only its owner may enter, and opens it.
    pub fn make(&self, name: &str) -> Result<Self, LtpError> {
        fs::mkdirat(&self.fd, name, Mode::RWXU)
            .map_err(LtpError::at("making a directory", &self.path.join(name)))?;
        self.sub(name)
    }

    /// Opens a directory that only its owner may enter, and makes it if it is missing.
    pub fn make_or_open(&self, name: &str) -> Result<Self, LtpError> {
        match fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.sub(name),
            Err(errno) => Err(LtpError::at("making a directory", &self.path.join(name))(
                errno,
            )),
        }
    }

    /// Makes a new file that only its owner may read.
    pub fn create(&self, name: &str) -> Result<File, LtpError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.file(name, flags)
            .map_err(LtpError::at("making a file", &self.path.join(name)))
    }

    /// Opens a file for its lock; it is made if it is missing.
    pub fn lock_file(&self, name: &str) -> Result<File, LtpError> {
        self.file(name, OFlags::RDWR | OFlags::CREATE)
            .map_err(LtpError::at("opening a lock file", &self.path.join(name)))
    }

    fn file(&self, name: &str, flags: OFlags) -> Result<File, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// The names in this directory, in no order; those that are no UTF-8 are left out, as nothing here is called so.
    pub fn names(&self) -> Result<Vec<String>, LtpError> {
        let names = self
            .raw_names()
            .map_err(LtpError::at("reading a directory", &self.path))?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect())
    }

    fn raw_names(&self) -> Result<Vec<CString>, Errno> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push(entry.file_name().to_owned());
            }
        }
        Ok(names)
    }

    /// Which file is called so, itself and not what it may link to.
    pub fn identity(&self, name: &str) -> Option<Identity> {
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .ok()
            .map(|stat| identity(&stat))
    }

    /// Which directory this is.
    pub fn own_identity(&self) -> Result<Identity, LtpError> {
        fs::fstat(&self.fd)
            .map(|stat| identity(&stat))
            .map_err(LtpError::at("examining a directory", &self.path))
    }

    /// Whether everybody on the machine may make and rename files here.
    pub fn is_open_to_all(&self) -> Result<bool, LtpError> {
        fs::fstat(&self.fd)
            .map(|stat| Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH))
            .map_err(LtpError::at("examining a directory", &self.path))
    }

    /// Renames within this directory; `flags` say what if `to` exists.
    pub fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        fs::renameat_with(&self.fd, from, &self.fd, to, flags)
    }

    /// Sets the mode, whatever the umask.
    pub fn set_mode(&self, mode: u32) -> Result<(), LtpError> {
        fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
            .map_err(LtpError::at("setting the mode of", &self.path))
    }

    /// Returns when all names in this directory have reached the disk.
    pub fn sync(&self) -> Result<(), LtpError> {
        fs::fsync(&self.fd).map_err(LtpError::at("writing to the disk", &self.path))
    }

    /// Bytes that may still be written to this file system by an ordinary user.
    pub fn free_bytes(&self) -> Result<u64, LtpError> {
        fs::fstatvfs(&self.fd)
            .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
            .map_err(LtpError::at("asking for free space", &self.path))
    }

    /// Deletes a file, or a directory with all that is in it. What does not exist is fine.
    pub fn remove(&self, name: &str) -> Result<(), LtpError> {
        self.remove_raw(OsStr::new(name), DEEPEST)
            .map_err(LtpError::at("deleting", &self.path.join(name)))
    }

    fn remove_raw(&self, name: &OsStr, depth: usize) -> Result<(), Errno> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) if self.is_directory(name) => {}
            Err(Errno::NOENT) => return Ok(()),
            done => return done,
        }
        if depth == 0 {
            return Err(Errno::LOOP);
        }
        match self.enter(name) {
            Ok(inner) => {
                for entry in inner.raw_names()? {
                    inner.remove_raw(OsStr::from_bytes(entry.to_bytes()), depth - 1)?;
                }
            }
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        }
        match fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// Whether a directory is called so; a symbolic link is none.
    pub fn is_directory(&self, name: impl AsRef<OsStr>) -> bool {
        fs::statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }
}

/// Which file is open.
pub(crate) fn identity_of(file: &File) -> Result<Identity, Errno> {
    fs::fstat(file).map(|stat| identity(&stat))
}

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Deleting a package stops at links, in it and in place of it.
    #[test]
    fn links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        std::fs::create_dir_all(path("out/package/deep/er")).unwrap();
        std::fs::create_dir(path("precious")).unwrap();
        std::fs::write(path("precious/book"), "x").unwrap();
        symlink(path("precious"), path("out/package/deep/link")).unwrap();
        symlink(path("precious"), path("out/link")).unwrap();
        symlink(path("precious/book"), path("out/file")).unwrap();
        let dir = Dir::open(&path("out")).unwrap();
        assert!(dir.sub("link").is_err());
        assert!(dir.lock_file("file").is_err());
        assert!(dir.make_or_open("link").is_err());
        assert!(!dir.is_directory("link"));
        for name in ["package", "link", "file", "nothing"] {
            dir.remove(name).unwrap();
        }
        assert_eq!(dir.names().unwrap(), [""; 0]);
        assert_eq!(std::fs::read(path("precious/book")).unwrap(), b"x");
    }

    #[test]
    fn deleting_has_a_bottom() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("d/".repeat(DEEPEST + 5))).unwrap();
        let dir = Dir::open(home.path()).unwrap();
        assert!(dir.remove("d").is_err());
    }
}
