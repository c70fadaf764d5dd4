//! Lines of existing files beside which a new submodule is written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A file of the workspace with a line more.
pub struct Changed {
    /// Relative to the workspace.
    pub path: &'static str,
    pub old: String,
    pub new: String,
}

/// Puts `line` before the one line of the file that begins with `anchor`.
///
/// # Errors
/// There is no such line or more than one, or the file cannot be read.
pub fn with_line_before(
    root: &Path,
    path: &'static str,
    anchor: &str,
    line: &str,
) -> Result<Changed> {
    let file: PathBuf = root.join(path);
    let old = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let at_starts: Vec<usize> = old
        .match_indices(anchor)
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || old.as_bytes()[at - 1] == b'\n')
        .collect();
    let [at] = at_starts[..] else {
        bail!(
            "{} has {} lines that begin with {anchor:?} instead of one, before which this line belongs:\n{line}\nNothing was \
             changed. Put that line back, or teach crates/xtask/src/new the new place",
            file.display(),
            at_starts.len()
        );
    };
    let new = [&old[..at], line, "\n", &old[at..]].concat();
    Ok(Changed { path, old, new })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_before_the_one_anchor() -> Result<()> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("list"), "a b\nb\nb c\n")?;
        let changed = with_line_before(dir.path(), "list", "b c", "new")?;
        assert_eq!(changed.new, "a b\nb\nnew\nb c\n");
        for (anchor, count) in [("d", "0 lines"), ("b", "2 lines")] {
            let error = with_line_before(dir.path(), "list", anchor, "new").err();
            let error = error.context("no error")?.to_string();
            assert!(
                error.contains(count) && error.contains("\nnew\n"),
                "{error}"
            );
        }
        Ok(())
    }
}
