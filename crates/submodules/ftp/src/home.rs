//! Homes of FTP users: directories that their users write to, worked on by root.
//!
//! A [`Home`] is held open, and everything in it is reached from there by a plain name that is never followed if it is a
//! link: whatever the user renames meanwhile, nothing outside is touched.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fsync, mkdirat, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::{Error, Owner, Settings, UserName};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Mode of a home that its user may write to.
const OPEN: u32 = 0o775;

/// Opens `DATA_PATH`, the parent of all homes. The operator may have made it a link.
///
/// # Errors
/// It is no directory or cannot be opened.
pub fn open_data_path(settings: &Settings) -> Result<OwnedFd, Error> {
    open(&settings.data_path, DIRECTORY, Mode::empty())
        .map_err(|error| Error::io("opening", &settings.data_path)(error.into()))
}

/// A user's home, held open.
#[derive(Debug)]
pub struct Home {
    directory: OwnedFd,
    path: PathBuf,
}

impl Home {
    /// Opens a user's home: a direct child of `DATA_PATH`, no symbolic link. `None` if there is nothing of this name.
    ///
    /// # Errors
    /// It is no directory or cannot be opened.
    pub fn open(settings: &Settings, user: &UserName) -> Result<Option<Self>, Error> {
        let path = settings.home(user);
        let parent = open_data_path(settings)?;
        match openat(
            &parent,
            user.as_str(),
            DIRECTORY | OFlags::NOFOLLOW,
            Mode::empty(),
        ) {
            Ok(directory) => Ok(Some(Self { directory, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("opening", &path)(error.into())),
        }
    }

    /// Opens a user's home, or makes it; tells whether it was made. Owner and mode are set in either case.
    ///
    /// # Errors
    /// There is something of this name that is no directory, or it cannot be made.
    pub fn create(settings: &Settings, user: &UserName) -> Result<(Self, bool), Error> {
        let path = settings.home(user);
        let parent = open_data_path(settings)?;
        let made = match mkdirat(&parent, user.as_str(), Mode::from_raw_mode(0o700)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(Error::io("making", &path)(error.into())),
        };
        match Self::open_own(settings, user, path) {
            Ok(home) => Ok((home, made)),
            Err(error) => {
                if made {
                    let _ = unlinkat(&parent, user.as_str(), AtFlags::REMOVEDIR);
                }
                Err(error)
            }
        }
    }

    fn open_own(settings: &Settings, user: &UserName, path: PathBuf) -> Result<Self, Error> {
        let home = Self::open(settings, user)?.ok_or_else(|| Error::Io {
            doing: "opening",
            path,
            source: Errno::NOENT.into(),
        })?;
        Owner::of_homes(settings)?.own(&home, &home.path, OPEN)?;
        Ok(home)
    }

    /// A directory somewhere in this one; no part of the way may be a symbolic link.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub fn below(&self, way: &Path) -> Result<Self, Error> {
        let path = self.path.join(way);
        let mut directory = openat(&self.directory, ".", DIRECTORY, Mode::empty());
        for name in way {
            // never upwards, which a plain name cannot lead
            let flags = DIRECTORY | OFlags::NOFOLLOW;
            directory = match name == ".." || name == "/" {
                true => Err(Errno::INVAL),
                false => directory.and_then(|parent| openat(&parent, name, flags, Mode::empty())),
            };
        }
        let directory = directory.map_err(|error| Error::io("opening", &path)(error.into()))?;
        Ok(Self { directory, path })
    }

    /// Where it is; for messages only.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a regular file of this plain name.
    ///
    /// # Errors
    /// The home cannot be read.
    pub fn has_file(&self, name: &str) -> Result<bool, Error> {
        match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::io("reading", &self.path.join(name))(error.into())),
        }
    }

    /// Removes a file or link of this plain name, if there is one.
    ///
    /// # Errors
    /// It is a directory or cannot be removed.
    pub fn remove_file(&self, name: &str) -> Result<(), Error> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("removing", &self.path.join(name))(error.into())),
        }
    }

    /// Writes a file of this plain name, in place of one that may be there: all of it or nothing. It belongs to the FTP
    /// server and the group of its users, mode 0664.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write_file(&self, settings: &Settings, name: &str, content: &[u8]) -> Result<(), Error> {
        let failed = |doing| {
            let path = self.path.join(name);
            move |error: Errno| Error::io(doing, &path)(error.into())
        };
        // the user may write here too: a name nobody can guess
        let random: String = (0..16).map(|_| fastrand::alphanumeric()).collect();
        let new = format!(".edeposit-{random}");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let flags = flags | OFlags::NOFOLLOW;
        let file = openat(
            &self.directory,
            new.as_str(),
            flags,
            Mode::from_raw_mode(0o600),
        )
        .map_err(failed("making"))?;
        let mut file = File::from(file);
        let write = || {
            file.write_all(content)
                .map_err(Error::io("writing", &self.path.join(name)))?;
            Owner::of_homes(settings)?.own(&file, &self.path.join(name), 0o664)?;
            fsync(&file).map_err(failed("writing"))?;
            renameat(&self.directory, new.as_str(), &self.directory, name)
                .map_err(failed("writing"))
        };
        let written = { write }();
        if written.is_err() {
            let _ = unlinkat(&self.directory, new.as_str(), AtFlags::empty());
        }
        written
    }

    /// Writes the file whose removal starts an import.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file).
    pub fn write_lock_file(&self, settings: &Settings) -> Result<(), Error> {
        let content = settings.lock_file_content.as_bytes();
        self.write_file(settings, &settings.lock_filename, content)
    }
}

impl AsFd for Home {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_settings::{Declared, Sources};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn settings(directory: &Path) -> Settings {
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.data_path = directory.to_owned();
        settings
    }

    #[test]
    fn a_home_and_its_lock_file() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        let user = UserName::new("argo").unwrap();
        assert!(Home::open(&settings, &user).unwrap().is_none());
        let (home, made) = Home::create(&settings, &user).unwrap();
        assert!(made && !Home::create(&settings, &user).unwrap().1);
        assert!(!home.has_file(&settings.lock_filename).unwrap());
        home.write_lock_file(&settings).unwrap();
        home.write_lock_file(&settings).unwrap();
        assert!(home.has_file(&settings.lock_filename).unwrap());
        let names: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
        assert_eq!(names.len(), 1);
        let file = home.path().join(&settings.lock_filename);
        assert_eq!(fs::metadata(&file).unwrap().mode(), 0o100_664);
        assert_eq!(fs::metadata(home.path()).unwrap().mode(), 0o040_775);
        home.remove_file(&settings.lock_filename).unwrap();
        home.remove_file(&settings.lock_filename).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        let outside = tempfile::tempdir().unwrap();
        let mode = fs::metadata(outside.path()).unwrap().mode();
        symlink(outside.path(), directory.path().join("evil")).unwrap();
        let evil = UserName::new("evil").unwrap();
        assert!(Home::open(&settings, &evil).is_err());
        assert!(Home::create(&settings, &evil).is_err());
        assert_eq!(fs::metadata(outside.path()).unwrap().mode(), mode);

        let (home, _) = Home::create(&settings, &UserName::new("argo").unwrap()).unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "x").unwrap();
        symlink(&victim, home.path().join("error.log.txt")).unwrap();
        assert!(!home.has_file("error.log.txt").unwrap());
        home.write_file(&settings, "error.log.txt", b"bad").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"x");
        assert!(home.has_file("error.log.txt").unwrap());
    }
}
