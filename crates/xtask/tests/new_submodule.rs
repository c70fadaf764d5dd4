//! What `cargo xtask new` makes works: it is made in a copy of the workspace, held to what every change is held to, and its
//! daemon answers over RabbitMQ.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use edeposit_testkit::target_dir;

#[path = "../src/cargo.rs"]
mod cargo;

const NAME: &str = "word_count";
const LIBRARY: &str = "edeposit-word-count";
const PROGRAM: &str = "edeposit_amqp_word_countd";

/// The copy, always in the same place: what was built for it is used again by the next run.
fn copied_workspace() -> Result<PathBuf> {
    let copy = target_dir()?.join("new-submodule");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_directory(&cargo::workspace(), &copy)?;
    // Built into the same directory as the workspace itself, so that libraries of others need not be built again. Our own
    // crates have another version there, and so are never mistaken for each other.
    let manifest = copy.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let version = "[workspace.package]\nversion = \"";
    ensure!(text.contains(version), "no version in Cargo.toml");
    let text = text.replace(version, &format!("{version}0.0.0-copy-of-"));
    fs::write(&manifest, text)?;
    Ok(copy)
}

/// Times are kept: cargo goes by them.
fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" || entry.path() == target_dir()? {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
            let modified = entry.metadata()?.modified()?;
            File::options()
                .write(true)
                .open(&target)?
                .set_modified(modified)?;
        }
    }
    Ok(())
}

/// Cargo in the copy.
fn cargo_in(copy: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = cargo::cargo(arguments);
    command
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target_dir()?)
        .env("RUSTDOCFLAGS", "--deny warnings");
    cargo::run(&mut command)
}

fn new_submodule(copy: &Path, arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_edeposit-xtask"))
        .arg("new")
        .args(arguments)
        .arg("--workspace")
        .arg(copy)
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(text)?))
}

#[test]
fn a_new_submodule_works() -> Result<()> {
    let copy = copied_workspace()?;
    let (made, text) = new_submodule(&copy, &[NAME, "--about", "counts words"])?;
    ensure!(made, "{text}");
    let packages = ["--package", LIBRARY, "--package", PROGRAM];
    let of_both = |before: &[&'static str], after: &[&'static str]| {
        cargo_in(&copy, &[before, &packages, after].concat())
    };
    of_both(&["fmt", "--check"], &[])?;
    of_both(&["test", "--offline"], &[])?;
    of_both(
        &["clippy", "--offline", "--no-deps", "--all-targets"],
        &["--", "--deny", "warnings"],
    )?;
    of_both(&["doc", "--offline", "--no-deps"], &[])?;
    let rules = ["--test", "circles", "--test", "dependencies"];
    cargo_in(
        &copy,
        &[
            &["test", "--offline", "--package", "edeposit-xtask"],
            &rules[..],
        ]
        .concat(),
    )?;
    for name in [NAME, "client", "faults", "mx2mods"] {
        let (made, text) = new_submodule(&copy, &[name])?;
        ensure!(!made && text.contains("taken"), "{text}");
    }
    Ok(())
}
