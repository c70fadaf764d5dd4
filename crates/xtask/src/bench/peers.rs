//! The peers from the Python Package Index, in an environment of their own under `target/`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use edeposit_testkit::target_dir;

use super::subject::scripts;
use crate::setup;

/// A Python that has all peers in the versions of `requirements.txt`. Made at the first call, about a minute.
pub fn python() -> Result<PathBuf> {
    let requirements = scripts().join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("reading {}", requirements.display()))?;
    let venv = target_dir()?.join("bench-venv");
    let installed = venv.join("installed.txt");
    let python = venv.join("bin/python");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!(
        "Making a Python environment with the peers in {}.",
        venv.display()
    );
    let file = requirements.display().to_string();
    setup::venv(&venv, &["--requirement", &file])?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))?;
    Ok(python)
}
