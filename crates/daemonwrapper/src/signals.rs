//! What the signals do: the first one asks the daemon to end, a second one ends it, SIGHUP reopens the log.
//!
//! Two `stop` commands at about the same time ask once, not twice: at the first signal the daemon marks its PID file, and a
//! `stop` that sees the mark sends no signal but waits. A SIGTERM within a second of the first signal may come from a `stop`
//! that looked before the mark was there, and is not counted.
//!
//! One thread takes the signals, so that ordinary code, not a signal handler, acts upon them.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use signal_hook::consts::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGXFSZ,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

use crate::context::{Context, GRACE};
use crate::error::exit;
use crate::log_file::LogFile;
use crate::pid_file::PidFile;

/// How long after the first signal SIGTERM is taken for the same request.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// The signals that the thread takes.
///
/// The three terminal signals are only swallowed, so that nothing can halt the daemon: catching them does what the original's
/// ignoring did, and unlike ignoring or blocking it is not inherited by programs that the daemon starts. In the foreground
/// they are left alone: Ctrl-Z is to work, and the system would repeat a write to the terminal for ever that a caught
/// SIGTTOU has interrupted. SIGCHLD is swallowed
/// because some supervisors start their children with it ignored, and then no exit status of a child could be had. SIGXFSZ is,
/// because a log that has grown to the limit of a file's size would end the daemon; so it is an error of writing like others.
const TAKEN: [i32; 9] = [
    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD, SIGXFSZ,
];

/// Takes the signals from now on. `log` is what SIGHUP reopens.
pub(crate) fn watch(
    context: &Context,
    pid_file: &Arc<PidFile>,
    log: Option<Arc<LogFile>>,
) -> io::Result<()> {
    let of_terminal = |signal| matches!(signal, SIGTSTP | SIGTTIN | SIGTTOU);
    let taken = TAKEN
        .into_iter()
        .filter(|&signal| !(context.foreground() && of_terminal(signal)));
    let mut signals = Signals::new(taken)?;
    // Whoever started the program may have blocked them.
    SigSet::empty().thread_set_mask()?;
    let (context, pid_file) = (context.clone(), Arc::clone(pid_file));
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut asked: Option<Instant> = None;
            for signal in signals.forever() {
                let name = signal_name(signal).unwrap_or("signal");
                match signal {
                    SIGTERM | SIGINT | SIGQUIT if asked.is_none() => {
                        asked = Some(Instant::now());
                        if let Err(error) = pid_file.mark_stopping() {
                            tracing::debug!("{error}");
                        }
                        tracing::info!(
                            "{name}: stopping, within {} s",
                            context.drain_time().as_secs()
                        );
                        end_later(&context, Arc::clone(&pid_file));
                        context.begin_stop();
                    }
                    SIGTERM if asked.is_some_and(|at| at.elapsed() < SAME_REQUEST) => {
                        tracing::info!("{name} again at once: stopping already");
                    }
                    SIGTERM | SIGINT | SIGQUIT => {
                        tracing::warn!("{name} again: ending at once");
                        end(&context, &pid_file, 128 + signal);
                    }
                    SIGHUP => reopen(log.as_deref()),
                    _ => {}
                }
            }
        })?;
    Ok(())
}

fn reopen(log: Option<&LogFile>) {
    match log.map(|log| (log, log.reopen())) {
        Some((log, Ok(()))) => tracing::info!("SIGHUP: log file {} reopened", log.path().display()),
        Some((log, Err(error))) => {
            tracing::error!(
                "SIGHUP: cannot reopen the log file {}, writing on to the old one: {error}",
                log.path().display()
            );
        }
        None => tracing::info!("SIGHUP: there is no log file to reopen"),
    }
}

fn end_later(context: &Context, pid_file: Arc<PidFile>) {
    let (context, after) = (context.clone(), context.drain_time() + GRACE);
    let bound = thread::Builder::new()
        .name("drain-bound".into())
        .spawn(move || {
            thread::sleep(after);
            tracing::error!(
                "not ended {} s after the signal: breaking off",
                after.as_secs()
            );
            end(&context, &pid_file, i32::from(exit::DRAIN_TIME_OVER));
        });
    if let Err(error) = bound {
        tracing::error!(
            "cannot bound the drain time, a second signal will end the daemon: {error}"
        );
    }
}

/// Ends the process without waiting for any other thread.
fn end(context: &Context, pid_file: &PidFile, code: i32) -> ! {
    context.remove_status();
    let _ = pid_file.remove();
    signal_hook::low_level::exit(code)
}
