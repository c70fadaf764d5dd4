//! No circles: no two files of a crate use each other, directly or by way of others.
//!
//! A file that names an item of another one (by a `use` or by a whole path) stands above that file; so every crate can be read
//! from its lowest file upwards. A name that a third file hands on (`pub use`) counts for the file that defines it, and
//! handing on alone is no use. What is compiled for unit tests only (`#[cfg(test)]`) does not count.

mod circle;
mod modules;
mod paths;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use circle::{Circle, circles};
use modules::Crate;

/// Circles that are known and not yet undone: the files of each, from the workspace's root.
///
/// To be kept empty. One that is undone has to be taken out, or the test fails.
const KNOWN: &[&[&str]] = &[];

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// The first file of every library, program, test, example and benchmark in the workspace.
fn crate_roots() -> Result<Vec<PathBuf>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .context("running cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| {
        value
            .as_array()
            .cloned()
            .context("a list in cargo's metadata")
    };
    let mut roots = Vec::new();
    for package in list(&metadata["packages"])? {
        for target in list(&package["targets"])? {
            let file = target["src_path"].as_str().context("a target's file")?;
            roots.push(PathBuf::from(file));
        }
    }
    roots.sort();
    Ok(roots)
}

fn names(circle: &Circle, root: &Path) -> Vec<String> {
    let name = |file: &PathBuf| {
        file.strip_prefix(root)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    circle.files.iter().map(name).collect()
}

#[test]
fn no_circles_between_files() -> Result<()> {
    let root = root();
    let roots = crate_roots()?;
    let mut unknown = Vec::new();
    let mut met = vec![false; KNOWN.len()];
    let mut uses = 0;
    for file in &roots {
        let found = Crate::read(file)?.uses();
        uses += found.len();
        for circle in circles(&found) {
            let names = names(&circle, &root);
            let known = KNOWN
                .iter()
                .position(|known| names.iter().all(|name| known.contains(&name.as_str())));
            match known {
                Some(known) => met[known] = true,
                None => unknown.push(circle.describe(&root)),
            }
        }
    }
    // The reader of sources sees what there is to see.
    ensure!(
        roots.len() > 30 && uses > 1000,
        "{} crates, {uses} uses",
        roots.len()
    );
    ensure!(
        unknown.is_empty(),
        "files in circles:\n\n{}",
        unknown.join("\n")
    );
    let gone: Vec<_> = KNOWN.iter().zip(&met).filter(|(_, met)| !**met).collect();
    ensure!(
        gone.is_empty(),
        "no circles any more, take them out of KNOWN: {gone:?}"
    );
    Ok(())
}

/// A crate of three files whose `b.rs` is this, and what its circles are told to be.
fn told(b: &str) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text);
    write(
        "lib.rs",
        "mod a;\nmod b;\npub use a::{self as x, One as Uno};\n",
    )?;
    write(
        "a.rs",
        "use crate::b::*;\npub struct One;\npub fn f() { two() }\n",
    )?;
    write("b.rs", b)?;
    let uses = Crate::read(&dir.path().join("lib.rs"))?.uses();
    let circles = circles(&uses);
    Ok(circles.iter().map(|one| one.describe(dir.path())).collect())
}

#[test]
fn circles_are_seen_and_named() -> Result<()> {
    let none = "pub fn two() { let One = ::x::Uno; a::f(); std::f(\"super::x\"); }\n\
                #[cfg(test)]\nmod tests { use crate::Uno; }\npub use crate::x::f;\n";
    assert_eq!(told(none)?, "");
    for line in [
        "use super::Uno;",
        "use crate::{x::{One}};",
        "fn g() { println!(\"{}\", crate::x::f()); }",
        "mod inner { use super::super::a::f as g; }",
        "pub(crate) use crate::a::f as g; fn h() { g() }",
    ] {
        let expected = format!("a.rs:1 uses b.rs: use crate::b::*;\nb.rs:2 uses a.rs: {line}\n");
        assert_eq!(told(&format!("pub fn two() {{}}\n{line}\n"))?, expected);
    }
    Ok(())
}
