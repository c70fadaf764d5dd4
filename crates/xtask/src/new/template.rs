//! The files of a new submodule. They are made of those in `crates/xtask/template`: a submodule `template_name` that reverses
//! texts.
//!
//! A path there is the path in the workspace. The words that are replaced are fit for code as well, so that the files can
//! be read as what they become.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use edeposit_settings::Submodule;

use super::name::Name;

/// Path and text of each.
type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../template/", $path)))),*]
    };
}

const TEMPLATE: Files = files! {
    "crates/submodules/template_name/Cargo.toml"
    "crates/submodules/template_name/src/lib.rs"
    "crates/submodules/template_name/src/messages.rs"
    "crates/submodules/template_name/src/settings.rs"
    "crates/submodules/template_name/src/error.rs"
    "crates/submodules/template_name/tests/wire.rs"
    "crates/submodules/template_name/tests/settings.rs"
    "bins/template_named/Cargo.toml"
    "bins/template_named/src/main.rs"
    "bins/template_named/tests/template_name.rs"
    "docs/template_name.md"
};

/// What takes the place of the template's words.
pub struct Words<'a> {
    pub name: &'a Name,
    /// What the submodule does, such as `counts words`.
    pub about: &'a str,
    /// Where it works in RabbitMQ.
    pub submodule: &'a Submodule,
}

/// A file to be made.
pub struct NewFile {
    /// Relative to the workspace.
    pub path: String,
    pub text: String,
}

/// The files of a submodule.
///
/// # Errors
/// The type's name is taken by something that the code uses, or rustfmt cannot be run.
pub fn files(words: &Words) -> Result<Vec<NewFile>> {
    let camel = words.name.camel();
    let mut used = TEMPLATE
        .iter()
        .flat_map(|(_, text)| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    if used.any(|word| word == camel) {
        bail!(
            "a submodule '{}' would have a type {camel}, and its code uses that name already: choose another name",
            words.name
        );
    }
    let files = TEMPLATE.iter().map(|(path, text)| {
        let path = words.put_into(path);
        let mut text = words.put_into(text);
        if path.ends_with(".rs") {
            text = formatted(&text).with_context(|| format!("formatting {path}"))?;
        }
        Ok(NewFile { path, text })
    });
    files.collect()
}

impl Words<'_> {
    fn put_into(&self, text: &str) -> String {
        text.replace("template_about", self.about)
            .replace("template_vhost", &self.submodule.vhost)
            .replace("template_exchange", &self.submodule.exchange)
            .replace("template_queue", &self.submodule.input_queue)
            .replace("template_name", self.name.snake())
            .replace("template-name", &self.name.kebab())
            .replace("TEMPLATE_NAME", &self.name.upper())
            .replace("TemplateName", &self.name.camel())
    }
}

/// Rust code in rustfmt's layout, which depends on the length of names.
fn formatted(code: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rustfmt; rustup component add rustfmt")?;
    // Dropped at once, which is the end of its input. It reads all of it before it writes.
    if let Some(mut input) = rustfmt.stdin.take() {
        input.write_all(code.as_bytes())?;
    }
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
