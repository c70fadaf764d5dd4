//! Findings that many submodules need: directories, files, and programs.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::finding::Finding;

impl Finding {
    /// Looks whether the directory that a setting names is there and can be written to.
    #[must_use]
    pub fn of_directory(setting: &str, directory: &Path) -> Self {
        let shown = directory.display();
        let what = match access(directory, AccessFlags::F_OK) {
            Ok(()) if directory.is_dir() => match writable(directory) {
                Ok(()) => return Self::ok(format!("{setting} {shown} can be written")),
                Err(error) => error.desc(),
            },
            Ok(()) => Errno::ENOTDIR.desc(),
            Err(error) => error.desc(),
        };
        Self::failed(format!("{setting} {shown}: {what}")).next(format!(
            "make it and give it to the daemon's user, or correct {setting}"
        ))
    }

    /// The same for a directory that the daemon makes if it is not there.
    #[must_use]
    pub fn of_directory_to_be(setting: &str, directory: &Path) -> Self {
        match can_be_written(directory) {
            Ok(()) => Self::ok(format!("{setting} {} can be written", directory.display())),
            Err(_) => Self::of_directory(setting, directory),
        }
    }

    /// Looks whether the file that a setting names can be read.
    #[must_use]
    pub fn of_file(setting: &str, file: &Path) -> Self {
        let shown = file.display();
        match access(file, AccessFlags::R_OK) {
            Ok(()) => Self::ok(format!("{setting} {shown} can be read")),
            Err(error) => Self::failed(format!("{setting} {shown}: {}", error.desc())).next(
                format!("make it and let the daemon's user read it, or correct {setting}"),
            ),
        }
    }
}

fn writable(directory: &Path) -> Result<(), Errno> {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK)
}

/// Whether files can be made in this directory, or it itself can be made.
pub(super) fn can_be_written(directory: &Path) -> Result<(), Errno> {
    let existing = directory.ancestors().find(|ancestor| ancestor.exists());
    let existing = existing.unwrap_or(Path::new("/"));
    match existing.is_dir() {
        true => writable(existing),
        false => Err(Errno::ENOTDIR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests may run as root, who may write everywhere: what is in the way is of the wrong kind.
    #[test]
    fn what_is_missing_or_in_the_way_is_said() {
        let home = tempfile::tempdir().unwrap();
        let (missing, file) = (home.path().join("a/b"), home.path().join("file"));
        std::fs::write(&file, "").unwrap();
        for (finding, expected) in [
            (Finding::of_directory("X_DIR", home.path()), None),
            (
                Finding::of_directory("X_DIR", &missing),
                Some("No such file or directory"),
            ),
            (
                Finding::of_directory("X_DIR", &file),
                Some("Not a directory"),
            ),
            (Finding::of_directory_to_be("X_DIR", &missing), None),
            (
                Finding::of_directory_to_be("X_DIR", &file.join("a")),
                Some("Not a directory"),
            ),
            (Finding::of_file("X_FILE", &file), None),
            (
                Finding::of_file("X_FILE", &missing),
                Some("No such file or directory"),
            ),
        ] {
            assert_eq!(
                finding.keeps_from_starting(),
                expected.is_some(),
                "{finding:?}"
            );
            let line = finding.line();
            assert!(line.contains(expected.unwrap_or("can be ")), "{line}");
            assert!(line.starts_with("X_"), "{line}");
        }
    }
}
