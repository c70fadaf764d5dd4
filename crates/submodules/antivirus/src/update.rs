//! Updating the database with `freshclam`. One update runs at a time: whoever asks meanwhile gets the same one's log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::AntivirusError;
use crate::process::run;

type Log = Result<String, Arc<AntivirusError>>;
type Run = BoxFuture<'static, Log>;

/// The program and the update that runs now, if one does.
pub(crate) struct Updates {
    program: String,
    args: Vec<String>,
    limit: Duration,
    running: Mutex<Option<WeakShared<Run>>>,
}

impl Updates {
    pub fn new(program: String, args: Vec<String>, limit: Duration) -> Self {
        Self {
            program,
            args,
            limit,
            running: Mutex::new(None),
        }
    }

    /// Updates, or waits for the update that runs. It ends when nobody waits for it any more.
    pub async fn update(&self) -> Log {
        // With a configuration of its own freshclam may be anybody; the system's belongs to root.
        if self.args.is_empty() && !rustix::process::geteuid().is_root() {
            return Err(Arc::new(AntivirusError::NotRoot));
        }
        self.current().await
    }

    fn current(&self) -> Shared<Run> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = running
            .as_ref()
            .and_then(WeakShared::upgrade)
            .filter(|run| run.peek().is_none());
        if let Some(run) = unfinished {
            return run;
        }
        let run = freshclam(self.program.clone(), self.args.clone(), self.limit)
            .map(|log| log.map_err(Arc::new))
            .boxed()
            .shared();
        *running = run.downgrade();
        run
    }
}

async fn freshclam(
    program: String,
    args: Vec<String>,
    limit: Duration,
) -> Result<String, AntivirusError> {
    let ended = run(&program, &args, b"", limit).await?;
    match ended.status {
        Some(0) => Ok(ended.stdout + &ended.stderr),
        Some(status) => Err(AntivirusError::Command {
            status,
            command: [&[program][..], &args[..]].concat().join(" "),
            stdout: ended.stdout,
            stderr: ended.stderr,
        }),
        None => Err(AntivirusError::UpdateTimeout {
            program,
            seconds: limit.as_secs(),
            output: ended.stdout + &ended.stderr,
        }),
    }
}
