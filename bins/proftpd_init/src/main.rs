//! `edeposit_proftpd_init`: prepares ProFTPD for the FTP daemons, once per installation.
//!
//! All that ProFTPD must be told is one file of our own, which its main configuration includes. It is shown as a diff before
//! it is written; ProFTPD itself checks the outcome, and is told to read it only if it is sound. Run again, the program
//! finds nothing to do.

mod configuration;
mod drop_in;
mod server;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use edeposit_ftp::{Accounts, Settings};
use edeposit_settings::Declared;
use similar::TextDiff;

use configuration::Configuration;
use drop_in::DropIn;

/// Prepares ProFTPD for the FTP daemons: writes CONF_PATH/conf.d/edeposit.conf, makes DATA_PATH and LOGIN_FILE.
///
/// The settings are those of the FTP daemons: $HOME/edeposit/ftp.json, else /etc/edeposit/ftp.json.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Replace an edeposit.conf that says something else; the old one is kept as CONF_PATH/edeposit.conf_
    #[arg(short, long)]
    overwrite: bool,

    /// Show the diff, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Tell of every step
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let say = |text: String| {
        if options.verbose {
            eprintln!("{text}");
        }
    };
    let settings = Settings::load()?;
    if !settings.conf_path.is_dir() {
        bail!(
            "{} does not exist: ProFTPD seems not to be installed (apt-get install proftpd-core), or set CONF_PATH",
            settings.conf_path.display()
        );
    }
    let configuration = Configuration::read(&settings.conf_file)?;
    let drop_in = DropIn::new(&settings)?;
    let directory = settings.conf_path.join("conf.d");
    if !configuration.includes(&directory, &drop_in.path) {
        bail!(
            "{} does not include {}: add the line 'Include {}/' at its end, and start me again",
            settings.conf_file.display(),
            directory.display(),
            directory.display()
        );
    }
    for (line, name) in configuration.active(&drop_in::NAMES) {
        eprintln!(
            "warning: {} sets {name} in line {line}, as the new file does: take it out there",
            settings.conf_file.display()
        );
    }

    let changes = drop_in.differs();
    if changes {
        print!("{}", diff(&drop_in));
        if drop_in.old.is_some() && !options.overwrite {
            bail!(
                "{} says something else and is left as it is; with --overwrite it is replaced",
                drop_in.path.display()
            );
        }
    } else {
        println!("{} is as it should be.", drop_in.path.display());
    }
    if options.dry_run {
        return Ok(());
    }

    for path in [&settings.data_path, &settings.log_path, &directory] {
        make_directory(path, &say)?;
    }
    Accounts::new(&settings)
        .prepare()
        .context("preparing the password file (LOGIN_FILE)")?;
    say(format!(
        "{}: mode 0600, for the FTP server",
        settings.login_file.display()
    ));
    if changes {
        drop_in.write(&settings)?;
        say(format!("{} written", drop_in.path.display()));
    }
    if let Err(error) = server::check(&settings.conf_file) {
        if changes {
            drop_in.restore()?;
            return Err(error.context("the change is undone, because ProFTPD does not take it"));
        }
        return Err(error);
    }
    say("ProFTPD takes the configuration".to_owned());
    if changes {
        println!("{}", server::reload(&configuration.pid_file())?);
    }
    Ok(())
}

fn diff(drop_in: &DropIn) -> String {
    let path = drop_in.path.display().to_string();
    let before = match drop_in.old {
        Some(_) => path.as_str(),
        None => "/dev/null",
    };
    let old = String::from_utf8_lossy(drop_in.old.as_deref().unwrap_or_default());
    TextDiff::from_lines(&*old, drop_in.new.as_str())
        .unified_diff()
        .header(before, &path)
        .to_string()
}

fn make_directory(path: &Path, say: &impl Fn(String)) -> Result<()> {
    if !path.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .with_context(|| format!("making {}", path.display()))?;
        say(format!("{} made", path.display()));
    }
    Ok(())
}
