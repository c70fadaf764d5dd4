//! The commands of a daemon.

use std::fmt;
use std::str::FromStr;

/// What a daemon can be told on its command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start it, in the background or in the foreground.
    Start,
    /// End it and wait until it has ended.
    Stop,
    /// Stop, then start. Nothing to be stopped is no failure.
    Restart,
    /// Say whether it runs.
    Status,
    /// Say whether it could do its work. Nothing is changed, running or not.
    Check,
}

impl Action {
    /// All of them, in the order in which a help text shows them.
    pub const ALL: [Action; 5] = [
        Action::Start,
        Action::Stop,
        Action::Restart,
        Action::Status,
        Action::Check,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Status => "status",
            Action::Check => "check",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`Action`].
#[derive(Debug, thiserror::Error)]
#[error("unknown command {0:?}: use start, stop, restart, status or check")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Action::ALL
            .into_iter()
            .find(|action| action.as_str() == word)
            .ok_or_else(|| UnknownAction(word.to_owned()))
    }
}
