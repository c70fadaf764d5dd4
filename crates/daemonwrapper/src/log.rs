//! Where the log goes, how much of it, and how the file is exchanged under a running daemon.
//!
//! In the background the log goes to a file, in the foreground to standard error, and to a file as well if one was
//! named. Times are UTC in RFC 3339. A log that cannot be written (disk full, terminal gone) never harms the daemon:
//! the lines are counted, and the number is logged when writing works again.

use std::fs::DirBuilder;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::error::Error;
use crate::log_file::LogFile;
use crate::state_dir;

/// The environment variable with a filter for the log in the syntax of `tracing_subscriber::EnvFilter`, for example
/// `info,lapin=debug`. It overrides the verbosity.
pub const LOG_FILTER_VARIABLE: &str = "EDEPOSIT_LOG";

/// The log file of a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LogTarget {
    /// In the background `/var/log/edeposit/NAME.log` for root, else `$XDG_STATE_HOME/edeposit/NAME.log` (normally
    /// `~/.local/state/edeposit/NAME.log`); the directory is created. In the foreground no file.
    #[default]
    Default,
    /// This file, in the foreground too, beside standard error. Its directory must exist.
    File(PathBuf),
}

/// A log that is open but not yet in use. Opened before the fork, so that whoever typed the command sees what fails.
pub(crate) struct Log {
    filter: EnvFilter,
    file: Option<Arc<LogFile>>,
    foreground: bool,
}

impl Log {
    pub(crate) fn open(
        name: &str,
        target: &LogTarget,
        verbosity: u8,
        quiet: &[String],
        foreground: bool,
    ) -> Result<Self, Error> {
        let filter = filter(
            std::env::var(LOG_FILTER_VARIABLE).ok().as_deref(),
            verbosity,
            quiet,
        )?;
        let path = match target {
            LogTarget::File(path) => Some(path.clone()),
            LogTarget::Default if foreground => None,
            LogTarget::Default => Some(default_path(name)?),
        };
        let file = path
            .map(|path| LogFile::open(&path))
            .transpose()?
            .map(Arc::new);
        Ok(Log {
            filter,
            file,
            foreground,
        })
    }

    /// Makes it the log of the process. A program that has set up one of its own keeps that.
    pub(crate) fn install(self) {
        let file = self.file.map(|file| {
            fmt::layer()
                .with_ansi(false)
                .log_internal_errors(false)
                .with_writer(FileWriter(file))
                .boxed()
        });
        let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let stderr = self.foreground.then(|| {
            fmt::layer()
                .with_ansi(colours)
                .log_internal_errors(false)
                .with_writer(|| Tolerant)
                .boxed()
        });
        let _ = Registry::default()
            .with(self.filter)
            .with(file)
            .with(stderr)
            .try_init();
    }

    pub(crate) fn file(&self) -> Option<&Arc<LogFile>> {
        self.file.as_ref()
    }
}

/// 0: information of everything but the quiet ones; 1: our own crates in detail; 2 and more: in every detail.
fn filter(variable: Option<&str>, verbosity: u8, quiet: &[String]) -> Result<EnvFilter, Error> {
    let quietly = || {
        quiet
            .iter()
            .map(|name| format!(",{name}=off"))
            .collect::<String>()
    };
    let text = match (variable, verbosity) {
        (Some(text), _) if !text.trim().is_empty() => text.to_owned(),
        (_, 0) => format!("info{}", quietly()),
        (_, 1) => "info,edeposit=debug".to_owned(),
        _ => "info,edeposit=trace".to_owned(),
    };
    EnvFilter::builder()
        .parse(&text)
        .map_err(|error| Error::LogFilter {
            reason: format!("{text:?}: {error}"),
        })
}

fn default_path(name: &str) -> Result<PathBuf, Error> {
    let directory = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/log/edeposit")
    } else {
        state_dir::of_user().ok_or(Error::NoLogDirectory)?
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(&directory)
        .map_err(|source| Error::LogFile {
            path: directory.clone(),
            source,
        })?;
    Ok(directory.join(format!("{name}.log")))
}

/// What the subscriber writes to: one call a line.
struct FileWriter(Arc<LogFile>);

impl<'a> MakeWriter<'a> for FileWriter {
    type Writer = &'a LogFile;

    fn make_writer(&'a self) -> Self::Writer {
        &self.0
    }
}

/// Standard error, which may be gone: its terminal closed, its reader ended.
struct Tolerant;

impl Write for Tolerant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn seen(filter: EnvFilter) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = Arc::new(LogFile::open(&directory.path().join("x.log")).unwrap());
        let layer = fmt::layer()
            .with_ansi(false)
            .with_writer(FileWriter(Arc::clone(&file)));
        tracing::subscriber::with_default(Registry::default().with(filter).with(layer), || {
            tracing::error!(target: "hyper", "hyper-error");
            tracing::info!(target: "lapin", "lapin-info");
            tracing::debug!(target: "lapin", "lapin-debug");
            tracing::debug!(target: "edeposit_amqpdaemon::life", "our-debug");
            tracing::trace!(target: "edeposit_amqpdaemon::life", "our-trace");
        });
        fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn verbosity_concerns_our_own_crates() {
        let quiet = ["hyper".to_owned()];
        let text = |verbosity| seen(filter(None, verbosity, &quiet).unwrap());
        assert!(text(0).contains("lapin-info") && !text(0).contains("debug"));
        assert!(!text(0).contains("hyper-error") && text(1).contains("hyper-error"));
        assert!(
            text(1).contains("our-debug")
                && !text(1).contains("lapin-debug")
                && !text(1).contains("our-trace")
        );
        assert!(text(2).contains("our-trace") && !text(2).contains("lapin-debug"));
        assert!(seen(filter(Some("lapin=debug"), 0, &quiet).unwrap()).contains("lapin-debug"));
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = filter(Some("edeposit=loud=very"), 0, &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("EDEPOSIT_LOG") && error.contains("edeposit=loud=very"),
            "{error}"
        );
    }
}
