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
//! The states a daemon goes through are in [`State`]; the module around it does the I/O.

mod after_others;
pub mod backoff;
mod checks;
mod confirming;
mod connect_error;
mod daemon;
mod deliveries;
mod direct_replies;
mod encoded_len;
mod guard;
mod lane;
mod link;
mod live_session;
mod message;
mod params;
mod parked;
mod properties;
mod publish_error;
mod publisher;
mod session;
mod settling;
mod solo;
mod state;
mod tls_error;
mod watch;

pub use checks::{check_exchange, check_queue};
pub use connect_error::{ConnectError, NoNode};
pub use daemon::{PikaDaemon, Report};
pub use encoded_len::encoded_len;
pub use link::{Link, connect, within};
pub use message::{Message, OnMessage, Outgoing, Settle};
pub use params::{ConnectionParams, get_con_params};
pub use publish_error::{PublishError, is_channel_error};
pub use publisher::Publisher;
pub use session::Session;
pub use state::{Event, State};
pub use watch::LIVENESS_INTERVAL;

/// A node of RabbitMQ, as the settings list them.
pub use edeposit_settings::Node;
/// AMQP's types for headers and properties, as lapin has them.
pub use lapin::{BasicProperties, types};
