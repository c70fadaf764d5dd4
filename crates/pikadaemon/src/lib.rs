//! The AMQP side of a daemon: consume, publish, acknowledge, and recover.
//!
//! A [`PikaDaemon`] consumes one queue and hands every delivery to an [`OnMessage`], which answers through the
//! [`Session`] it is given and decides what becomes of the delivery. The name is the original's, after the Python client
//! it used.
//!
//! The rules:
//!
//! - **One owner of recovery.** A session is two connections, one for consuming, one for publishing. Any doubt (an error,
//!   a cancelled consumer, a missing confirm, a failed liveness check) ends the whole session; after a back-off with jitter
//!   a new one is set up from nothing. What a session had in hand goes back to the queue.
//! - **Settled means confirmed.** [`Session::send_message`] returns when the broker has confirmed the message; only then may
//!   the delivery it answers be acknowledged.
//! - **No await on the broker without a deadline.**
//!
//! The states a session goes through are in [`State`]; [`supervise`] does what they ask for, for any kind of session: that of a
//! daemon here, those of clients in `edeposit-client`.

mod broker_session;
mod daemon;
mod deliveries;
mod endpoints;
mod live_session;
mod on_message;
mod parked;
mod report;
mod session;
mod state;
mod supervise;
mod watch;

pub use daemon::PikaDaemon;
pub use on_message::OnMessage;
pub use report::Report;
pub use session::Session;
pub use state::{Event, State};
pub use supervise::{Ended, Sessions, supervise};
pub use watch::LIVENESS_INTERVAL;
