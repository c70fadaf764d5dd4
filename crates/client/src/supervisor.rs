//! The task that owns the sessions of a client: it keeps one going until the client is closed or dropped.

use std::sync::Arc;
use std::time::Duration;

use edeposit_pikadaemon::{Ended, Sessions, supervise};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::ConnectError;
use crate::destination::Destination;
use crate::pending::Pending;
use crate::session::{Live, Session};

/// The longest pause between two tries to connect: callers are waiting, with deadlines.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How a client stands with the broker.
#[derive(Clone, Default)]
pub(crate) enum Standing {
    /// No try has come to its end yet.
    #[default]
    Connecting,
    /// There is a session.
    Live(Arc<Live>),
    /// There is none; the last reason.
    Waiting(String),
    /// There will be none any more.
    Closed,
}

impl Standing {
    /// The session, if it can be used.
    pub(crate) fn live(&self) -> Option<&Arc<Live>> {
        match self {
            Self::Live(live) if !live.loss.has_come() => Some(live),
            _ => None,
        }
    }
}

/// What becomes of a client's sessions.
pub(crate) type Standings = watch::Receiver<Standing>;

type Task = JoinHandle<Result<(), ConnectError>>;

/// The task. Dropping this ends it, which closes the connections.
pub(crate) struct Supervisor {
    standing: Standings,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
    task: Mutex<Option<Task>>,
}

impl Supervisor {
    /// Starts to set up the first session. If the broker is away then, `wait` says to go on trying; from the first session
    /// on, lost ones are always replaced.
    pub(crate) fn start(destination: Arc<Destination>, pending: Arc<Pending>, wait: bool) -> Self {
        let (sender, standing) = watch::channel(Standing::default());
        let stop = CancellationToken::new();
        let mut calling = Calling {
            destination,
            pending: Arc::clone(&pending),
            standing: sender,
            connected_before: false,
            wait,
        };
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let ended = supervise(&mut calling, &stopped).await;
            drop(calling);
            pending.close();
            ended
        });
        Self {
            standing,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
            task: Mutex::new(Some(task)),
        }
    }

    /// Waits for the first session.
    pub(crate) async fn first(&self) -> Result<(), ConnectError> {
        let mut standing = self.standing.clone();
        if standing
            .wait_for(|standing| matches!(standing, Standing::Live(_)))
            .await
            .is_ok()
        {
            return Ok(());
        }
        // The task has ended without one.
        let mut task = self.task.lock().await;
        let Some(ending) = task.as_mut() else {
            return Ok(());
        };
        let ended = ending.await;
        *task = None;
        ended.unwrap_or(Ok(()))
    }

    /// How the client stands, now and later.
    pub(crate) fn standing(&self) -> Standings {
        self.standing.clone()
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(&*self.standing.borrow(), Standing::Live(_))
    }

    /// Why there is no session, if that is known.
    pub(crate) fn waiting_for(&self) -> Option<String> {
        match &*self.standing.borrow() {
            Standing::Waiting(reason) => Some(reason.clone()),
            _ => None,
        }
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

/// The sessions of a client.
struct Calling {
    destination: Arc<Destination>,
    pending: Arc<Pending>,
    standing: watch::Sender<Standing>,
    connected_before: bool,
    wait: bool,
}

impl Sessions for Calling {
    type Session = Session;
    type Error = ConnectError;

    async fn open(&mut self) -> Result<Session, ConnectError> {
        let session = Session::open(&self.destination, &self.pending).await?;
        if std::mem::replace(&mut self.connected_before, true) {
            info!(broker = %session.live.node, "connected again");
        }
        let live = Standing::Live(Arc::clone(&session.live));
        self.standing.send_replace(live);
        Ok(session)
    }

    async fn run(&mut self, session: &mut Session, stop: &CancellationToken) -> Ended {
        session.run(&self.pending, stop).await
    }

    fn lost(&mut self, session: Session, reason: &str) {
        session.give_up(reason.to_owned());
    }

    async fn close(&mut self, session: Session) {
        // Whoever waits for a session is told that there will be none.
        self.standing.send_replace(Standing::Closed);
        self.pending.close();
        session.close().await;
    }

    fn waits_out(&self, error: &ConnectError) -> bool {
        self.wait && error.is_temporary()
    }

    fn waiting(&mut self, reason: &str) {
        self.standing
            .send_replace(Standing::Waiting(reason.to_owned()));
    }

    fn longest_pause(&self) -> Duration {
        LONGEST_PAUSE
    }
}
