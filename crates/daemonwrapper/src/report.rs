//! How a starting daemon tells the waiting `start` command how it went: a pipe made before the fork.
//!
//! The daemon writes `pid N`, then `ready STATUS`, or, as its very last act, `failed REASON`, and closes the pipe. A pipe
//! that closes without either word means that the daemon died.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::process::{Handle, wait_readable};

/// The daemon's end.
#[derive(Debug)]
pub(crate) struct Reporter(PipeWriter);

/// The end of the waiting command.
pub(crate) struct Listener(PipeReader);

/// What became of the daemon.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Ready { status: String },
    Failed { reason: String },
    Died,
    Silent,
}

/// What was heard, and a hold on the daemon's process if it lived to give its number.
pub(crate) struct Heard {
    pub(crate) outcome: Outcome,
    pub(crate) pid: Option<u32>,
    pub(crate) process: Option<Handle>,
}

pub(crate) fn channel() -> io::Result<(Listener, Reporter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Listener(reader), Reporter(writer)))
}

// Nobody may listen any more: whoever typed `start` may have broken it off. The daemon then simply goes on.
impl Reporter {
    pub(crate) fn pid(&mut self) {
        let _ = writeln!(self.0, "pid {}", std::process::id());
    }

    pub(crate) fn ready(mut self, status: &str) {
        let _ = writeln!(self.0, "ready {status}");
    }

    pub(crate) fn failed(mut self, reason: &str) {
        let _ = write!(self.0, "failed {reason}");
    }
}

impl Listener {
    /// Listens until the daemon is ready, has failed or died, or the time is over.
    pub(crate) fn listen(mut self, at_most: Duration) -> Heard {
        let deadline = Instant::now() + at_most;
        let mut text = Vec::new();
        let mut heard = Heard {
            outcome: Outcome::Silent,
            pid: None,
            process: None,
        };
        loop {
            let mut bytes = [0; 1024];
            let length = match wait_readable(self.0.as_fd(), deadline) {
                Ok(true) => self.0.read(&mut bytes).unwrap_or(0),
                Ok(false) => return heard,
                Err(_) => 0,
            };
            text.extend_from_slice(&bytes[..length]);
            let ended = length == 0;
            let so_far = String::from_utf8_lossy(&text);
            let (pid, rest) = parse_pid(&so_far);
            if heard.pid.is_none() && pid.is_some() {
                heard.pid = pid;
                heard.process = pid.and_then(|pid| Handle::open(pid).ok().flatten());
            }
            if let Some(outcome) = parse_outcome(rest, ended) {
                heard.outcome = outcome;
                return heard;
            }
        }
    }
}

fn parse_pid(text: &str) -> (Option<u32>, &str) {
    match text
        .strip_prefix("pid ")
        .and_then(|rest| rest.split_once('\n'))
    {
        Some((pid, rest)) => (pid.parse().ok(), rest),
        None => (None, text),
    }
}

fn parse_outcome(text: &str, ended: bool) -> Option<Outcome> {
    if let Some((status, _)) = text
        .strip_prefix("ready ")
        .and_then(|rest| rest.split_once('\n'))
    {
        return Some(Outcome::Ready {
            status: status.to_owned(),
        });
    }
    match text.strip_prefix("failed ") {
        _ if !ended => None,
        Some(reason) => Some(Outcome::Failed {
            reason: reason.trim_end().to_owned(),
        }),
        None => Some(Outcome::Died),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(say: impl FnOnce(Reporter) + Send + 'static) -> Heard {
        let (listener, reporter) = channel().unwrap();
        let speaker = std::thread::spawn(move || say(reporter));
        let heard = listener.listen(Duration::from_secs(5));
        speaker.join().unwrap();
        heard
    }

    #[test]
    fn ready_with_pid_and_status() {
        let heard = hear(|mut reporter| {
            reporter.pid();
            reporter.ready("listening");
        });
        assert_eq!(
            heard.outcome,
            Outcome::Ready {
                status: "listening".into()
            }
        );
        assert_eq!(heard.pid, Some(std::process::id()));
        assert!(heard.process.is_some());
    }

    #[test]
    fn failed_with_a_long_reason_even_before_the_pid() {
        let reason = "no\nnot at all\n".repeat(500);
        let told = reason.clone();
        let heard = hear(move |reporter| reporter.failed(&told));
        assert_eq!(
            heard.outcome,
            Outcome::Failed {
                reason: reason.trim_end().into()
            }
        );
    }

    #[test]
    fn death_and_silence() {
        assert_eq!(hear(drop).outcome, Outcome::Died);
        assert_eq!(hear(|mut reporter| reporter.pid()).outcome, Outcome::Died);
        let (listener, reporter) = channel().unwrap();
        assert_eq!(
            listener.listen(Duration::from_millis(20)).outcome,
            Outcome::Silent
        );
        reporter.ready("nobody listens");
    }
}
