//! `cargo xtask new NAME`: a submodule that works, to be made into the one that is wanted.
//!
//! It makes the crate, the program, the page of the documentation, and tests of each, and enters them in `Cargo.toml` and
//! `README.md`. CONTRIBUTING.md says how to go on from there.

mod anchor;
mod name;
mod plan;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use edeposit_settings::{Settings, Sources};
use serde_json::Value;

use crate::cargo::{cargo, workspace};
use crate::setup;
use name::Name;
use plan::Plan;
use template::Words;

/// What to make.
#[derive(Args)]
pub struct Options {
    /// The submodule's name: lower-case words with '_' between them, such as word_count
    name: String,
    /// What it does, as the rest of a sentence: "counts words"
    #[arg(long, default_value = "reverses texts")]
    about: String,
    /// The workspace to make it in [default: this one]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// Makes the submodule.
///
/// # Errors
/// The name cannot be used or is taken, or something cannot be written; then nothing was changed.
pub fn run(options: &Options) -> Result<()> {
    let root = options.workspace.clone().unwrap_or_else(workspace);
    let name = Name::new(&options.name)?;
    let about = about(&options.about)?;
    let settings = Settings::load_sources(&Sources::none())?;
    check_free(&root, &name, &settings)?;
    setup::rust_components()?;
    let words = Words {
        name: &name,
        about,
        submodule: &settings.submodule(name.snake())?,
    };
    let plan = Plan::new(&root, &words)?;
    plan.carry_out(&root)?;
    report(&name, &plan);
    Ok(())
}

/// The description, which is put into Rust, TOML and Markdown.
fn about(text: &str) -> Result<&str> {
    let about = text.trim().trim_end_matches('.');
    let is_plain = |c: char| c.is_alphanumeric() || " ,;'()&+-".contains(c);
    if about.is_empty() || !about.chars().all(is_plain) {
        bail!(
            "--about {text:?} cannot be used: it has to be the rest of a sentence, such as \"counts words\", with letters, \
             digits, blanks and ,;'()&+- only"
        );
    }
    Ok(about)
}

/// Makes sure that no package, program or test has these names, and no submodule the same settings.
fn check_free(root: &Path, name: &Name, settings: &Settings) -> Result<()> {
    let output = cargo(&["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("cargo metadata: {reason}");
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let submodules = root.canonicalize()?.join("crates/submodules");
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let targets = package["targets"].as_array().into_iter().flatten();
        let names = [package].into_iter().chain(targets);
        let names = names.filter_map(|named| named["name"].as_str());
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let ours = [name.snake(), &name.library(), &name.program()];
        if let Some(taken) = names.into_iter().find(|name| ours.contains(name)) {
            bail!(
                "the name '{taken}' is taken, see {}: choose another one",
                manifest.display()
            );
        }
        // Such as mx2mods: the settings of marcxml2mods are called so.
        let directory = manifest
            .parent()
            .and_then(|path| path.strip_prefix(&submodules).ok());
        let other = directory
            .and_then(Path::to_str)
            .and_then(|other| settings.submodule(other).ok());
        if other.is_some_and(|other| other.name == name.snake()) {
            bail!(
                "the constants RABBITMQ_{}_... are taken by the submodule in {}: choose another name",
                name.upper(),
                manifest.display()
            );
        }
    }
    Ok(())
}

fn report(name: &Name, plan: &Plan) {
    println!(
        "Made the submodule {name}, which reverses texts until you have it do something else:\n"
    );
    for file in &plan.new {
        println!("  {}", file.path);
    }
    for file in &plan.changed {
        println!("  {}, one line more", file.path);
    }
    let (library, program) = (name.library(), name.program());
    println!(
        "
Try it:

cargo xtask test {name}  # its tests; that of the program starts a private RabbitMQ
cargo run --package {program} -- --help  # the command line of its daemon
UPDATE_DOCS=1 cargo test --package {library} --test settings  # the table in docs/{name}.md, after src/settings.rs was changed

How to go on: CONTRIBUTING.md, \"Add a submodule\"."
    );
}
