//! Which lines of ProFTPD's log start an import.
//!
//! A line is a path, a user, an FTP command and a time, parted by commas; the path may have commas of its own. It is written
//! as the client gave it, failed commands are logged too, and a name with a line break makes a line of its own: so a line
//! is no more than a hint to look at a home, and only the missing lock file is the truth.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use edeposit_ftp::{Settings, UserName};

/// A home, or with `LOCK_ONLY_IN_HOME` off a directory in it, whose lock file may have been deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trigger {
    /// Whose home.
    pub user: UserName,
    /// The directory, relative to the home; empty for the home itself.
    pub directory: PathBuf,
}

impl Trigger {
    /// The home of a user.
    #[must_use]
    pub fn home(user: UserName) -> Self {
        Self {
            user,
            directory: PathBuf::new(),
        }
    }
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The lock file may have been deleted.
    Trigger(Trigger),
    /// Something else was done.
    Other,
    /// It has not the form of a line of the log.
    Unreadable,
}

/// Reads a line, without its line feed.
#[must_use]
pub fn read(settings: &Settings, line: &[u8]) -> Line {
    let mut parts = line.rsplitn(4, |byte| *byte == b',').skip(1);
    let (Some(command), Some(user), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Line::Unreadable;
    };
    let command = command.trim_ascii();
    if !command.eq_ignore_ascii_case(b"DELE") && !command.eq_ignore_ascii_case(b"DEL") {
        return Line::Other;
    }
    trigger(settings, path, user.trim_ascii()).map_or(Line::Other, Line::Trigger)
}

fn trigger(settings: &Settings, path: &[u8], user: &[u8]) -> Option<Trigger> {
    let path = normalise(Path::new(OsStr::from_bytes(path)))?;
    if path.file_name()? != settings.lock_filename.as_str() {
        return None;
    }
    let user = UserName::new(std::str::from_utf8(user).ok()?)?;
    let home = normalise(&settings.home(&user))?;
    let directory = path.parent()?.strip_prefix(home).ok()?.to_owned();
    let counts = directory.as_os_str().is_empty() || !settings.lock_only_in_home;
    counts.then_some(Trigger { user, directory })
}

/// An absolute path without `.`, `..` and `//`, by its text alone.
fn normalise(path: &Path) -> Option<PathBuf> {
    use std::path::Component;
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir | Component::Prefix(_) => {}
            Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    normal.is_absolute().then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_settings::{Declared, Sources};

    fn settings() -> Settings {
        Settings::load_sources(&Sources::none()).unwrap()
    }

    fn line(settings: &Settings, line: &str) -> Option<(String, String)> {
        match read(settings, line.as_bytes()) {
            Line::Trigger(trigger) => Some((
                trigger.user.to_string(),
                trigger.directory.to_str().unwrap().to_owned(),
            )),
            _ => None,
        }
    }

    const LOCK: &str = "delete_me_to_import_files.txt";

    /// Defect 11: `DELE ../LOCK` was ignored.
    #[test]
    fn lines_that_start_an_import() {
        let settings = settings();
        let home = Some(("xex".to_owned(), String::new()));
        for text in [
            format!("/home/ftp/xex/{LOCK}, xex, DELE, 1795359552"),
            format!("/home/ftp/xex/{LOCK},xex , dele ,"),
            format!("/home/ftp/xex/{LOCK}, xex, DEL, never"),
            format!("/home/ftp/xex/sub/../{LOCK}, xex, DELE, 1"),
            format!("/home/ftp//xex/./{LOCK}, xex, DELE, 1"),
            format!("/home/ftp/xex/a, b/../../xex/{LOCK}, xex, DELE, 1"),
        ] {
            assert_eq!(line(&settings, &text), home, "{text}");
        }
    }

    #[test]
    fn lines_that_do_not() {
        let settings = settings();
        for text in [
            format!("/home/ftp/xex/{LOCK}, xex, STOR, 1"),
            format!("/home/ftp/xex/{LOCK}, xex, XDELE, 1"),
            format!("/home/ftp/xex/{LOCK}x, xex, DELE, 1"),
            format!("/home/ftp/xex/{LOCK} , xex, DELE, 1"),
            format!("/home/ftp/xex/sub/{LOCK}, xex, DELE, 1"),
            format!("/home/ftp/xex/{LOCK}, other, DELE, 1"),
            format!("/home/ftp/xex/../{LOCK}, .., DELE, 1"),
            format!("{LOCK}, xex, DELE, 1"),
            "nosuch.txt, xex, DELE, 1795359552".to_owned(),
            "-, xex, DELE, 1".to_owned(),
        ] {
            assert_eq!(read(&settings, text.as_bytes()), Line::Other, "{text}");
        }
        for text in ["", "nonsense", "a, b", ", ,"] {
            assert_eq!(read(&settings, text.as_bytes()), Line::Unreadable, "{text}");
        }
        assert_eq!(read(&settings, b"\xff, \xff, DELE, \xff"), Line::Other);
    }

    #[test]
    fn lock_files_anywhere_in_the_home() {
        let mut settings = settings();
        settings.lock_only_in_home = false;
        let text = format!("/home/ftp/xex/a/b/{LOCK}, xex, DELE, 1");
        let expected = Some(("xex".to_owned(), "a/b".to_owned()));
        assert_eq!(line(&settings, &text), expected);
        let text = format!("/home/ftp/xex/../other/{LOCK}, xex, DELE, 1");
        assert_eq!(line(&settings, &text), None);
    }
}
