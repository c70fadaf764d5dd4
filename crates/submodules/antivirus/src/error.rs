//! What can go wrong with a scan or an update, and how the caller is told.

use edeposit_amqpdaemon::Exception;

/// A scan or an update that did not take place. None of these says anything about the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AntivirusError {
    /// No clamd answered until the time was up. The words before the list are those the original documented.
    #[error(
        "Couldn't connect to clamd server using unix/network socket. Is clamd running? Tried for {seconds} s: {tried}"
    )]
    Unreachable {
        /// How long.
        seconds: u64,
        /// Each address and what happened there last.
        tried: String,
    },

    /// The scanner gave no verdict: a limit, a time-out, an error it reported.
    #[error("{0}")]
    Undecided(String),

    /// The update did not end in time.
    #[error(
        "{program} was ended because it took longer than {seconds} s (UPDATE_TIMEOUT). It printed: {output}"
    )]
    UpdateTimeout {
        /// The program.
        program: String,
        /// The limit.
        seconds: u64,
        /// What it had printed.
        output: String,
    },

    /// A program is not installed.
    #[error("{0}")]
    CommandNotFound(String),

    /// A program ended with an error.
    #[error(
        "\n\n  RAN: {command}\n\n  STDOUT:\n{}\n\n  STDERR:\n{}", excerpt(.stdout), excerpt(.stderr)
    )]
    Command {
        /// The exit status, or the signal that ended it, negative.
        status: i32,
        /// The program and its arguments.
        command: String,
        /// What it printed.
        stdout: String,
        /// What it complained of.
        stderr: String,
    },

    /// The system's database can only be updated by root.
    #[error("You have to be root to run function 'update_database'.")]
    NotRoot,

    /// The name of the file has a NUL character.
    #[error("argument 1 must be encoded string without null bytes, not str")]
    NulInName,

    /// The system refuses something, such as a temporary directory.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// The original cut each output to 750 characters.
const SHOWN: usize = 750;

fn excerpt(text: &str) -> String {
    let more = text.chars().count().saturating_sub(SHOWN);
    let shown: String = text.chars().take(SHOWN).collect();
    if more == 0 {
        shown
    } else {
        format!("{shown}... ({more} more, please see e.stdout)")
    }
}

/// Names as the original had them; those of programs come from the library it ran them with.
impl From<&AntivirusError> for Exception {
    fn from(error: &AntivirusError) -> Self {
        let text = error.to_string();
        let own = |name: &str| {
            Self::class(
                &format!("edeposit.amqp.antivirus.antivirus.{name}"),
                text.as_str(),
            )
        };
        let exception = match error {
            AntivirusError::Unreachable { .. } => Self::value_error(text.as_str()),
            AntivirusError::Undecided(_) => own("ScanError"),
            AntivirusError::UpdateTimeout { .. } => own("UpdateError"),
            AntivirusError::CommandNotFound(_) => Self::class("sh.CommandNotFound", text.as_str()),
            AntivirusError::Command { status, .. } if *status < 0 => {
                Self::class(&format!("sh.SignalException_{}", -status), text.as_str())
            }
            AntivirusError::Command { status, .. } => {
                Self::class(&format!("sh.ErrorReturnCode_{status}"), text.as_str())
            }
            AntivirusError::NotRoot => Self::assertion_error(text.as_str()),
            AntivirusError::NulInName => Self::type_error(text.as_str()),
            AntivirusError::System { .. } => Self::builtin("IOError", text.as_str()),
        };
        exception.caused_by(error)
    }
}

impl From<AntivirusError> for Exception {
    fn from(error: AntivirusError) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_as_the_original_did() {
        let error = AntivirusError::Command {
            status: 11,
            command: "freshclam".to_owned(),
            stdout: "č".repeat(800),
            stderr: String::new(),
        };
        let exception = Exception::from(error);
        assert_eq!(exception.kind, "<class 'sh.ErrorReturnCode_11'>");
        assert!(exception.message.contains("RAN: freshclam"));
        assert!(
            exception
                .message
                .contains(&("č".repeat(750) + "... (50 more"))
        );
        let missing = Exception::from(AntivirusError::CommandNotFound("freshclam".to_owned()));
        assert_eq!(
            (&*missing.kind, &*missing.message),
            ("<class 'sh.CommandNotFound'>", "freshclam")
        );
    }
}
