//! The caller's side of E-deposit's daemons: ask, follow the progress, take the answer.
//!
//! ```no_run
//! use edeposit_client::Client;
//! use edeposit_settings::Settings;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize)]
//! struct Greet {
//!     name: String,
//! }
//!
//! #[derive(Deserialize)]
//! struct Greeting {
//!     text: String,
//! }
//!
//! # async fn example() -> anyhow::Result<()> {
//! let client = Client::connect(&Settings::load()?, "greeter").await?;
//! let answer: Greeting = client.call(&Greet { name: "Jan".into() }).await?;
//! # Ok(()) }
//! ```
//!
//! A [`Client`] is for calls; it is cheap to clone, and any number of calls may be under way at once. Progress messages are
//! read from a [`Call`]. A [`Sender`] is for programs that only publish.
//!
//! # What can be relied on
//!
//! - **A call ends** in an answer or in a [`CallError`], at the latest at its deadline. The error says what is known of the
//!   request ([`Request`]): whether it left this process, and whether the broker has confirmed it.
//! - **Answers are paired by UUID**, in the header `UUID` or in `correlation_id`. One that nobody waits for any more is
//!   counted and logged.
//! - **Lost connections come back.** A request that was not sent yet waits for the next connection. One whose confirm was
//!   lost fails at once: whether the broker has it is not known, and sending it twice would be a guess. One that is confirmed
//!   goes on waiting, since its answer is kept in a queue, except with [`Replies::Direct`].
//! - **Memory is bounded**: so many calls may be in flight ([`Builder::max_in_flight`]), the next ones wait.
//!
//! Delivery is *at least once*: a daemon that loses its connection at the wrong moment carries a request out again.

mod builder;
mod call;
mod client;
mod confirmed;
mod connect_error;
mod destination;
mod error;
mod exception;
mod inbox;
mod pending;
mod replies;
mod sender;
mod session;
mod supervisor;

pub use builder::Builder;
pub use call::{Call, RawCall};
pub use client::Client;
pub use connect_error::ConnectError;
pub use error::{CallError, Request};
pub use exception::Exception;
pub use replies::Replies;
pub use sender::Sender;
