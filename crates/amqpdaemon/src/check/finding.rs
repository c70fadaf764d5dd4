//! One thing that was looked at, and how it stands.

use serde::{Deserialize, Serialize};

/// How a thing stands that a daemon needs, in one line. [`Submodule::look_around`](crate::Submodule::look_around) gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Part of the world: `RabbitMQ`, or a submodule.
    #[serde(default)]
    about: String,
    kind: Kind,
    text: String,
    next_step: Option<String>,
    /// A failure that does not keep the daemon from starting.
    #[serde(default)]
    may_pass: bool,
}

/// What a finding means for the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Ok,
    Warning,
    Failed,
}

impl Finding {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            about: String::new(),
            kind,
            text: text.into(),
            next_step: None,
            may_pass: false,
        }
    }

    /// It is as it should be: `clamd at unix:/run/clamd answers: ClamAV 1.4.3`.
    #[must_use]
    pub fn ok(text: impl Into<String>) -> Self {
        Self::new(Kind::Ok, text)
    }

    /// The daemon does its work all the same.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Kind::Warning, text)
    }

    /// The daemon cannot do its work until somebody puts this right: `start` refuses, and `restart` leaves the running one
    /// alone. The text is the one that starting would fail with.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Kind::Failed, text)
    }

    /// The daemon cannot do its work now, but it can as soon as this has passed, without being started anew: a server that
    /// is down. `start` shows it as a warning.
    #[must_use]
    pub fn failed_for_now(text: impl Into<String>) -> Self {
        Self::failed(text).for_now()
    }

    /// The same of something else's finding, if that is a failure.
    #[must_use]
    pub fn for_now(mut self) -> Self {
        self.may_pass = self.kind == Kind::Failed;
        self
    }

    /// What to do about it: `start clamd`.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// A failure whose text ends in a command to run.
    pub(crate) fn failed_with_command(text: &str) -> Self {
        match text.rsplit_once("; run: ") {
            Some((text, command)) => Self::failed(text).next(format!("run: {command}")),
            None => Self::failed(text),
        }
    }

    pub(crate) fn about(mut self, part: &str) -> Self {
        part.clone_into(&mut self.about);
        self
    }

    pub(crate) fn part(&self) -> &str {
        &self.about
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a daemon that finds this is not to be started.
    pub(crate) fn keeps_from_starting(&self) -> bool {
        self.kind == Kind::Failed && !self.may_pass
    }

    /// The text, and what to do next.
    pub(crate) fn line(&self) -> String {
        match &self.next_step {
            Some(next) => format!("{}; {next}", self.text),
            None => self.text.clone(),
        }
    }
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Ok => "ok",
            Kind::Warning => "warning",
            Kind::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_survives_the_way_from_process_to_process() {
        let command = "no queue 'daemon'; run: edeposit_amqp_tool --host aleph --create";
        for finding in [
            Finding::ok("it is there").about("RabbitMQ"),
            Finding::failed_with_command(command),
            Finding::failed_for_now("it is down").next("start it"),
        ] {
            let json = serde_json::to_string(&finding).unwrap();
            assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
        }
        let refused = Finding::failed_with_command(command);
        assert_eq!(refused.line(), command);
        assert!(refused.keeps_from_starting());
        assert!(!Finding::failed_for_now("it is down").keeps_from_starting());
    }
}
