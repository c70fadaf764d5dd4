//! What can go wrong around a daemon, and the exit codes that tell it to the caller.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Exit codes of the commands and of the daemon, after the LSB where the original left them free.
pub mod exit {
    /// The command or the daemon failed, or `start` found one running already (as in the original).
    pub const FAILURE: u8 = 1;
    /// `status`: nothing runs.
    pub const NOT_RUNNING: u8 = 3;
    /// Not permitted: the process or its PID file belongs to someone else, or the PID file cannot be trusted.
    pub const NOT_PERMITTED: u8 = 4;
    /// The daemon ended by itself because only a new process can do its work; it is to be started anew. Said by the daemon's
    /// body ([`ExitWith`](crate::ExitWith)).
    pub const START_ANEW: u8 = 70;
    /// The daemon was told to end and broke off work in hand: its body did not return soon after the drain time, or it
    /// said so itself ([`ExitWith`](crate::ExitWith)).
    pub const DRAIN_TIME_OVER: u8 = 75;
    /// The daemon panicked.
    pub const PANIC: u8 = 101;
}

/// Why a command could not be carried out. The texts say what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name of the daemon cannot be part of a file name.
    #[error(
        "the name {0:?} cannot be used: it must not be empty, begin with a dot or contain a slash"
    )]
    Name(String),

    /// The PID file is not one that this user's daemon could have written.
    #[error(
        "the PID file {path} is refused: {reason}. {} another place with --pid-file",
        if *remove { "Remove it or choose" } else { "Choose" }
    )]
    Refused {
        /// The PID file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Whether removing it is right: it is a link, or rubbish of our own, and no other user's file.
        remove: bool,
    },

    /// Reading or writing the PID file failed.
    #[error("cannot {doing} the PID file {path}: {source}. Choose another place with --pid-file")]
    PidFile {
        /// What was being done: "open", "lock", ...
        doing: &'static str,
        /// The PID file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// The PID file is locked, yet names no process that holds it.
    #[error(
        "the PID file {path} is locked by a process that it does not name: a daemon that is just starting or ending, \
         or a stranger. Try again; if it stays so, `fuser {path}` shows the process"
    )]
    Busy {
        /// The PID file.
        path: PathBuf,
    },

    /// The user may not signal the daemon.
    #[error(
        "the daemon with pid {pid} runs as another user: run the command as that user or as root"
    )]
    NotPermitted {
        /// Its process id.
        pid: u32,
    },

    /// Signalling or watching the daemon failed for another reason than a missing right.
    #[error("cannot stop the daemon with pid {pid}: {source}")]
    Stop {
        /// Its process id.
        pid: u32,
        /// The system's error.
        source: io::Error,
    },

    /// The daemon was told to end but is still there.
    #[error("the daemon with pid {pid} has not ended within {} s. It may still do so; `kill -KILL {pid}` ends it by force", waited.as_secs())]
    StillRunning {
        /// Its process id.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },

    /// The log file cannot be used.
    #[error("cannot open the log file {path}: {source}. Choose another one with --log-file")]
    LogFile {
        /// The log file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// There is no place for a log file by default.
    #[error(
        "no place for the log file is known, as neither XDG_STATE_HOME nor HOME is set: choose one with --log-file"
    )]
    NoLogDirectory,

    /// The filter for the log, given in the environment, is wrong.
    #[error(
        "the environment variable {} is no log filter: {reason}",
        crate::LOG_FILTER_VARIABLE
    )]
    LogFilter {
        /// What it is and what is wrong with it.
        reason: String,
    },

    /// The daemon's own check before the start, [`DaemonRunnerWrapper::check`](crate::DaemonRunnerWrapper::check), failed.
    #[error("the daemon cannot start: {0}")]
    Check(String),

    /// `restart` would not have brought the daemon back, and has not taken it down.
    #[error(
        "{source}\nThe daemon that runs, with pid {pid}, was left alone. Put this right, then restart it"
    )]
    LeftAlone {
        /// Why it would not have come back.
        source: Box<Error>,
        /// Its process id.
        pid: u32,
    },

    /// The process could not be put into the background.
    #[error("cannot become a daemon: {0}")]
    Detach(String),

    /// The daemon ended, or could not begin, before it was ready.
    #[error("the daemon has not started: {reason}{hint}")]
    NotStarted {
        /// The daemon's own words.
        reason: String,
        /// Where to read more; may be empty.
        hint: String,
    },

    /// The daemon was not ready in time and has been told to end.
    #[error("the daemon was not ready within {} s and {outcome}{hint}", waited.as_secs_f32())]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// Whether it has ended.
        outcome: String,
        /// Where to read more; may be empty.
        hint: String,
    },
}

impl Error {
    /// The exit code of a `stop`, `restart` or `status` that ended so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Refused { .. } | Error::NotPermitted { .. } => exit::NOT_PERMITTED,
            Error::PidFile { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                exit::NOT_PERMITTED
            }
            Error::LeftAlone { source, .. } => source.exit_code(),
            _ => exit::FAILURE,
        }
    }
}
