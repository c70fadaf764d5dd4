//! Keeps a session going until the client is closed or dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use edeposit_pikadaemon::backoff;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::ConnectError;
use crate::pending::Pending;
use crate::session::{Ended, Live, Plan, Session};

/// A session that lasted this long was good: the back-off starts anew after it.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The back-off grows up to that of this attempt, 4 s: callers are waiting, with deadlines.
const LAST_ATTEMPT: u32 = 4;

/// The session that is there now, if there is one.
pub(crate) type Sessions = watch::Receiver<Option<Arc<Live>>>;

/// The task that owns the sessions of a client. Dropping it ends the task, which closes the connections.
pub(crate) struct Supervisor {
    pub(crate) sessions: Sessions,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    /// Sets up the first session; from then on, lost ones are replaced.
    pub(crate) async fn start(
        plan: Arc<Plan>,
        pending: Arc<Pending>,
    ) -> Result<Self, ConnectError> {
        let first = Session::open(&plan, &pending).await?;
        let (sender, sessions) = watch::channel(Some(Arc::clone(&first.live)));
        let stop = CancellationToken::new();
        let keeper = Keeper {
            plan,
            pending,
            sessions: sender,
            stop: stop.clone(),
            last_reason: String::new(),
        };
        Ok(Self {
            sessions,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
            task: Mutex::new(Some(tokio::spawn(keeper.keep(first)))),
        })
    }

    /// Ends the session and waits until it is closed.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            // A task that failed has nothing left to close.
            let _ = task.await;
        }
    }
}

struct Keeper {
    plan: Arc<Plan>,
    pending: Arc<Pending>,
    sessions: watch::Sender<Option<Arc<Live>>>,
    stop: CancellationToken,
    last_reason: String,
}

impl Keeper {
    async fn keep(mut self, first: Session) {
        let mut attempt = 0;
        let mut next = Some(first);
        while let Some(mut session) = next {
            let since = Instant::now();
            let ended = session.run(&self.pending, &self.stop).await;
            self.sessions.send_replace(None);
            match ended {
                Ended::Stopped => {
                    // Whoever waits for a session is told that there will be none.
                    drop(self.sessions);
                    self.pending.close();
                    return session.close().await;
                }
                Ended::Lost(reason) => {
                    session.give_up(reason.clone());
                    self.tell(reason);
                }
            }
            drop(session);
            if since.elapsed() >= STABLE_AFTER {
                attempt = 0;
            }
            next = self.restore(&mut attempt).await;
        }
        self.pending.close();
    }

    /// A new session; None if told to stop before there is one.
    async fn restore(&mut self, attempt: &mut u32) -> Option<Session> {
        loop {
            let trying = async {
                tokio::time::sleep(backoff::delay(*attempt)).await;
                Session::open(&self.plan, &self.pending).await
            };
            let opened = tokio::select! {
                () = self.stop.cancelled() => return None,
                opened = trying => opened,
            };
            *attempt = (*attempt + 1).min(LAST_ATTEMPT);
            match opened {
                Ok(session) => {
                    info!(broker = %session.live.node, "connected again");
                    self.last_reason.clear();
                    self.sessions.send_replace(Some(Arc::clone(&session.live)));
                    return Some(session);
                }
                Err(error) => self.tell(error.to_string()),
            }
        }
    }

    /// Logs one warning for each new reason: that it goes on is no news.
    fn tell(&mut self, reason: String) {
        if self.last_reason == reason {
            debug!(reason, "still no connection to RabbitMQ");
        } else {
            warn!(
                reason,
                "no connection to RabbitMQ; trying again until there is one"
            );
            self.last_reason = reason;
        }
    }
}
