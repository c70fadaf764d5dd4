//! One life of a daemon: the body, whatever its end, then `on_exit`, once. And the exit code that it ends with.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use crate::context::Context;
use crate::error::exit;
use crate::wrapper::DaemonRunnerWrapper;

/// An error of the body that wants an exit code of its own instead of 1. What has been added to it by
/// [`anyhow::Context`] is no hindrance.
///
/// The code is that of the daemon's process, so it is seen in the foreground and by a service manager. `start` in the
/// background knows 0 and 1 only.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ExitWith {
    /// The exit code, for example [`exit::DRAIN_TIME_OVER`].
    pub code: u8,
    /// What has gone wrong.
    pub reason: String,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Returned,
    Failed { code: u8, reason: String },
    Panicked(String),
}

impl Ending {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Ending::Returned => 0,
            Ending::Failed { code, .. } => *code,
            Ending::Panicked(_) => exit::PANIC,
        }
    }

    /// Why the daemon never got ready, if it did not.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Ending::Returned => "it ended before it was ready",
            Ending::Failed { reason, .. } | Ending::Panicked(reason) => reason,
        }
    }
}

pub(crate) fn live(daemon: &mut dyn DaemonRunnerWrapper, context: &Context) -> Ending {
    // Unwind safety: of what a panic leaves behind only `on_exit` sees anything, and its business is to clear up.
    let mut ending = match catch_unwind(AssertUnwindSafe(|| daemon.body(context))) {
        Ok(Ok(())) => Ending::Returned,
        Ok(Err(error)) => {
            let reason = format!("{error:#}");
            tracing::error!("ending: {reason}");
            let code = error
                .downcast_ref::<ExitWith>()
                .map_or(exit::FAILURE, |error| error.code);
            Ending::Failed { code, reason }
        }
        Err(payload) => Ending::Panicked(panic_message(&*payload)),
    };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| daemon.on_exit())) {
        ending = Ending::Panicked(panic_message(&*payload));
    }
    tracing::info!("ended with exit code {}", ending.exit_code());
    ending
}

/// Panics of all threads go to the log; the daemon has no standard error.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned();
        let message = panic_message(panic.payload());
        // Captured only if the environment asks for it (RUST_BACKTRACE).
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!("panic in thread {thread} at {place}: {message}\n{backtrace}");
        } else {
            tracing::error!("panic in thread {thread} at {place}: {message}");
        }
    }));
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("of an unknown kind"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Daemon {
        body: fn() -> anyhow::Result<()>,
        exit_panics: bool,
        exits: u32,
    }

    impl DaemonRunnerWrapper for Daemon {
        fn body(&mut self, _: &Context) -> anyhow::Result<()> {
            (self.body)()
        }

        fn on_exit(&mut self) {
            self.exits += 1;
            assert!(!self.exit_panics, "in on_exit");
        }
    }

    fn ending(body: fn() -> anyhow::Result<()>, exit_panics: bool) -> (u8, String) {
        let mut daemon = Daemon {
            body,
            exit_panics,
            exits: 0,
        };
        let ending = live(&mut daemon, &Context::new(Duration::ZERO));
        assert_eq!(daemon.exits, 1, "on_exit is called once");
        (ending.exit_code(), ending.reason().to_owned())
    }

    #[test]
    fn every_ending_has_its_code_and_reason() {
        assert_eq!(ending(|| Ok(()), false).0, 0);
        let failed = ending(|| Err(anyhow::anyhow!("inner").context("outer")), false);
        assert_eq!(failed, (1, "outer: inner".to_owned()));
        let own = || {
            let own = ExitWith {
                code: exit::DRAIN_TIME_OVER,
                reason: "inner".to_owned(),
            };
            Err(anyhow::Error::new(own).context("outer"))
        };
        let failed = ending(own, false);
        assert_eq!(failed, (75, "outer: inner".to_owned()));
        assert_eq!(
            ending(|| panic!("ouch {}", 1), false),
            (101, "panic: ouch 1".to_owned())
        );
        assert_eq!(
            ending(|| Ok(()), true),
            (101, "panic: in on_exit".to_owned())
        );
    }
}
