//! What the body of a daemon is given: when to stop, and how to say that it is ready, how it stands, and that it is alive.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::report::Reporter;
use crate::status_file::StatusFile;

/// How much longer than the drain time the body, and then `on_exit`, may take before the process is ended.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Handed to the body; cheap to clone, and usable from any thread or task.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stop: CancellationToken,
    drain_time: Duration,
    foreground: bool,
    ready: AtomicBool,
    /// The way to the waiting `start`; gone once it has been told.
    reporter: Mutex<Option<Reporter>>,
    status_file: Option<StatusFile>,
}

impl Context {
    /// A context of the foreground without a [`Runner`](crate::Runner), for tests and for programs that are no daemons.
    ///
    /// Nobody but its users cancels its [`stop`](Self::stop).
    pub fn new(drain_time: Duration) -> Self {
        Self::build(drain_time, None, None)
    }

    pub(crate) fn build(
        drain_time: Duration,
        reporter: Option<Reporter>,
        status_file: Option<StatusFile>,
    ) -> Self {
        Context(Arc::new(Inner {
            stop: CancellationToken::new(),
            drain_time,
            foreground: reporter.is_none(),
            ready: AtomicBool::new(false),
            reporter: Mutex::new(reporter),
            status_file,
        }))
    }

    /// Says that the daemon can do its work; `status` is one line about how it stands and may be empty.
    ///
    /// The waiting `start` prints `started with pid N`, then the status, and returns; a service manager (systemd's notify
    /// protocol) is told as well. Only the first call does so; later ones are the same as [`status`](Self::status).
    pub fn ready(&self, status: &str) {
        if self.0.ready.swap(true, Ordering::SeqCst) {
            return self.status(status);
        }
        let status = one_line(status);
        tracing::info!(
            "started with pid {}{}{status}",
            std::process::id(),
            if status.is_empty() { "" } else { ": " }
        );
        // Before `start` returns: who then asks for the status is to find it.
        self.write_status(&status);
        if let Some(reporter) = self.take_reporter() {
            reporter.ready(&status);
        }
        self.notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    /// Says in one line how the daemon stands: to the service manager, if there is one, and to whoever types `status`, if
    /// the runner has a [`status_file`](crate::Runner::status_file). No secrets: every user of the machine may read it.
    ///
    /// What stands before the first `: ` is taken for the state, of which `status` tells how long it has lasted.
    pub fn status(&self, status: &str) {
        let status = one_line(status);
        self.write_status(&status);
        self.notify(&[NotifyState::Status(&status)]);
    }

    fn write_status(&self, status: &str) {
        if let Some(file) = &self.0.status_file {
            file.write(status);
        }
    }

    /// Nobody is to read any more how the daemon stood.
    pub(crate) fn remove_status(&self) {
        if let Some(file) = &self.0.status_file {
            file.remove();
        }
    }

    /// How often the service manager wants [`watchdog`](Self::watchdog) called at the least; `None` if it does not.
    /// Half of this is a good interval.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        if self.0.foreground {
            sd_notify::watchdog_enabled()
        } else {
            None
        }
    }

    /// Tells the service manager that the daemon is alive. To be called only when it has been seen to be.
    pub fn watchdog(&self) {
        self.notify(&[NotifyState::Watchdog]);
    }

    /// Cancelled at the first SIGTERM, SIGINT or SIGQUIT: take no more work, finish what is in hand, return.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// How long the work in hand may take after [`stop`](Self::stop) was cancelled. Some seconds later the process is ended.
    pub fn drain_time(&self) -> Duration {
        self.0.drain_time
    }

    /// Whether the daemon runs in the foreground.
    pub fn foreground(&self) -> bool {
        self.0.foreground
    }

    /// Sleeps at most so long; true, and at once, when the daemon is to stop. For bodies without an async runtime.
    pub fn wait(&self, at_most: Duration) -> bool {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }

        let deadline = Instant::now().checked_add(at_most);
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut stopped = pin!(self.0.stop.cancelled());
        loop {
            if stopped
                .as_mut()
                .poll(&mut task::Context::from_waker(&waker))
                == Poll::Ready(())
            {
                return true;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => return false,
                Some(left) => thread::park_timeout(left),
            }
        }
    }

    /// The first signal has come.
    pub(crate) fn begin_stop(&self) {
        let budget = self
            .0
            .drain_time
            .saturating_add(GRACE)
            .as_micros()
            .try_into()
            .unwrap_or(u32::MAX);
        self.notify(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(budget),
        ]);
        self.0.stop.cancel();
    }

    /// The way to the waiting `start`, if it has not been told yet.
    pub(crate) fn take_reporter(&self) -> Option<Reporter> {
        self.0
            .reporter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn notify(&self, states: &[NotifyState<'_>]) {
        // Started by a service manager but detached from it, the daemon is not the process it asks about.
        if self.0.foreground
            && let Err(error) = sd_notify::notify(states)
        {
            tracing::debug!("cannot notify the service manager: {error}");
        }
    }
}

/// Both the pipe to `start` and the notify protocol are made of lines.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r', '\0'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_by_time_or_by_stop() {
        let context = Context::new(Duration::ZERO);
        assert!(!context.wait(Duration::from_millis(5)));
        let other = context.clone();
        let thread = thread::spawn(move || other.wait(Duration::MAX));
        context.begin_stop();
        assert!(thread.join().unwrap());
        assert!(context.stop().is_cancelled());
        assert!(context.wait(Duration::MAX));
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line(" a \r\n\nREADY=1\n"), "a READY=1");
    }
}
