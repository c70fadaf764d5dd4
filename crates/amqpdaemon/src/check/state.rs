//! Whether what has to outlive the daemon can be kept.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::finding::Finding;
use super::places::can_be_written;

/// Looks whether the file can be written. Its directory is made at the start if it is not there.
pub(crate) fn look(file: &Path) -> Finding {
    let writable = match file.exists() {
        true => access(file, AccessFlags::R_OK | AccessFlags::W_OK),
        false => can_be_written(file.parent().unwrap_or(Path::new("/"))),
    };
    match writable {
        Ok(()) => Finding::ok(format!("requests in hand are recorded in {}", file.display())),
        Err(error) => Finding::warning(format!(
            "cannot record which requests are in hand in {}: {}; one that kills the daemon will not be set aside",
            file.display(),
            error.desc()
        ))
        .next("give its directory to the daemon's user, or choose another one with --state-dir"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_made_is_warned_of() {
        let home = tempfile::tempdir().unwrap();
        let finding = look(&home.path().join("a/b/x.in-hand"));
        assert!(
            finding
                .line()
                .starts_with("requests in hand are recorded in ")
        );
        // Root may write everywhere, but not below what is no directory.
        let in_the_way = home.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let finding = look(&in_the_way.join("x.in-hand"));
        assert!(finding.line().contains("--state-dir"), "{finding:?}");
    }
}
