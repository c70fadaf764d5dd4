//! Looking after the PID file while the daemon runs.
//!
//! Programs that clear up `/tmp` remove old files. Without its file a daemon is invisible: `status` would deny it, `stop` could
//! not end it, and `start` would put a second one beside it. So a thread looks now and then, and makes the file anew.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGTERM;

use crate::context::Context;
use crate::pid_file::{Kept, PidFile};

/// Starts the thread. It ends when the daemon is told to end.
pub(crate) fn watch(
    context: &Context,
    pid_file: &Arc<PidFile>,
    interval: Duration,
) -> io::Result<()> {
    let (context, pid_file) = (context.clone(), Arc::clone(pid_file));
    thread::Builder::new()
        .name("pid-file".into())
        .spawn(move || {
            let mut told = String::new();
            while !context.wait(interval) {
                let problem = match pid_file.keep() {
                    Ok(Kept::InPlace) => String::new(),
                    Ok(Kept::MadeAnew) => {
                        let path = pid_file.path().display();
                        tracing::error!("the PID file {path} was gone and has been made anew");
                        String::new()
                    }
                    Ok(Kept::Lost(running)) => {
                        tracing::error!(
                            "ending: the PID file {} is now that of another daemon, {running}",
                            running.pid_file.display()
                        );
                        // As if `stop` had been typed. It can fail only for a signal that does not exist.
                        let _ = signal_hook::low_level::raise(SIGTERM);
                        return;
                    }
                    Err(error) => format!("the PID file is gone and cannot be made anew: {error}"),
                };
                // Each problem once, however long it lasts.
                if !problem.is_empty() && problem != told {
                    tracing::error!("{problem}");
                }
                told = problem;
            }
        })?;
    Ok(())
}
