//! All test functions of the workspace, as they stand in the sources, and which cargo target each belongs to.
//!
//! Read instead of asked of the test executables, which would have to be built first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// What cargo calls a target: one executable with tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The package it is part of.
    pub package: String,
    pub kind: Kind,
    /// Its name, as `faults`.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Unit tests of a library.
    Lib,
    /// Unit tests of a program.
    Bin,
    /// A test of its own, in the package's `tests`.
    Test,
}

/// A test function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFunction {
    pub target: Target,
    /// The function with its modules, as the executable lists it: `poison::fault_34_two_poisons_at_once`.
    pub name: String,
    /// Its source, relative to the workspace.
    pub file: PathBuf,
}

/// The test functions of the workspace in `root`.
///
/// # Errors
/// Cargo's description of the workspace (`cargo metadata`) or a source cannot be read.
pub fn read(root: &Path, metadata: &Value) -> Result<Vec<TestFunction>> {
    let mut functions = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let kind = match target["kind"][0].as_str() {
                Some("lib") => Kind::Lib,
                Some("bin") => Kind::Bin,
                Some("test") => Kind::Test,
                _ => continue,
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let main = PathBuf::from(text(&target["src_path"]));
            let target = Target {
                package: text(&package["name"]),
                kind,
                name: text(&target["name"]),
            };
            for (file, module) in sources(&main, kind)? {
                let source = fs::read_to_string(&file)
                    .with_context(|| format!("reading {}", file.display()))?;
                let file = file.strip_prefix(root).unwrap_or(&file).to_path_buf();
                functions.extend(names(&source).into_iter().map(|name| TestFunction {
                    target: target.clone(),
                    name: format!("{module}{name}"),
                    file: file.clone(),
                }));
            }
        }
    }
    Ok(functions)
}

/// The files of a target whose main file this is, each with its module as a prefix: `poison::`.
fn sources(main: &Path, kind: Kind) -> Result<Vec<(PathBuf, String)>> {
    let mut found = vec![(main.to_path_buf(), String::new())];
    let dir = main.parent().context("a main file without directory")?;
    let has_own_dir = match kind {
        Kind::Lib => true,
        // A program beside a library has one file, and so has a test that is not `tests/NAME/main.rs`.
        Kind::Bin => main.ends_with("main.rs") && !dir.join("lib.rs").exists(),
        Kind::Test => main.ends_with("main.rs"),
    };
    if has_own_dir {
        modules(dir, "", main, &mut found)?;
    }
    Ok(found)
}

fn modules(
    dir: &Path,
    prefix: &str,
    main: &Path,
    found: &mut Vec<(PathBuf, String)>,
) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // `src/bin` has programs.
            if stem != "bin" {
                modules(&path, &format!("{prefix}{stem}::"), main, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path != main
            && !(prefix.is_empty() && stem == "main")
        {
            let module = match (&*stem, stem.strip_suffix("_tests")) {
                ("mod", _) => prefix.to_owned(),
                // Unit tests in a file of their own, by `#[path = "NAME_tests.rs"] mod tests`.
                (_, Some(of)) => format!("{prefix}{of}::tests::"),
                (stem, None) => format!("{prefix}{stem}::"),
            };
            found.push((path, module));
        }
    }
    Ok(())
}

/// The test functions in a source, with the modules that stand in the source itself: `tests::`.
fn names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut module = String::new();
    let mut is_test = false;
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("mod ")
            && let Some(name) = rest.strip_suffix(" {")
        {
            module = format!("{name}::");
        } else if line == "}" {
            module.clear();
        }
        let line = line.trim_start();
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if is_test
            && let Some(rest) = line
                .strip_prefix("async fn ")
                .or_else(|| line.strip_prefix("fn "))
        {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            names.push(format!("{module}{}", &rest[..end.unwrap_or(rest.len())]));
            is_test = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_with_their_modules() {
        // Behind bars, or this very source would seem to have them.
        let source = "
|#[test]
|fn plain() {}
|/// One of tokio's.
|#[tokio::test(flavor = \"multi_thread\")]
|async fn asynchronous() {}
|fn helper() {}
|#[cfg(test)]
|mod inner {
|    #[test]
|    #[ignore = \"run by another\"]
|    fn ignored() {}
|}
|proptest! {
|    #[test]
|    fn property(x in 0..9) {}
|}
";
        let expected = ["plain", "asynchronous", "inner::ignored", "property"];
        assert_eq!(names(&source.replace('|', "")), expected);
    }
}
