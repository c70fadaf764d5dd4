//! Running cargo, and other commands, for the user to see.

use std::borrow::Cow;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's directory.
pub fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.ancestors().nth(2).unwrap_or(xtask).to_path_buf()
}

/// Cargo in the workspace, with an environment as if the user had called it.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace());
    for (name, _) in env::vars_os() {
        // `cargo xtask` sets these for us; to build scripts they are a change, and half the workspace is built anew.
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Shows the command line, runs it with our output and errs if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {}{line}", variables(command));
    let status = command
        .status()
        .with_context(|| format!("running {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let arguments = command
        .get_args()
        .map(|argument| quote(&argument.to_string_lossy()).into_owned());
    [name.to_string_lossy().into_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The variables set for the command, as one would type them in front of it.
fn variables(command: &Command) -> String {
    command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_string_lossy(), value?.to_string_lossy())))
        .map(|(name, value)| format!("{name}={} ", quote(&value)))
        .collect()
}

fn quote(text: &str) -> Cow<'_, str> {
    // It fails at a NUL only, which no argument has.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}
