//! Daemons that answer requests over RabbitMQ, in about twenty lines.
//!
//! A client publishes a JSON message with a `UUID` header; the submodule's daemon carries it out and publishes the answer,
//! progress messages or an exception under the same `UUID`. What a submodule adds is a *handler*: an async function from
//! request and [`Sendback`] to an answer or an [`Exception`]. All else is here: command line, process, settings,
//! connection, recovery, pairing, time-outs.
//!
//! Start with [`AmqpDaemon`]. A handler with state of its own implements [`Handler`], one with settings of its own
//! [`Submodule`]. Handlers know nothing of AMQP and are
//! tested without a broker: see [`Sendback::collecting`].
//!
//! # What a handler can rely on
//!
//! - It is called once for every request with a UUID, concurrently up to the setting `RABBITMQ_PREFETCH`.
//! - The request is acknowledged only when the broker has confirmed the answer. If the connection dies before, the
//!   handler goes on, and its answer is sent when the broker delivers the request again. If the process dies, it is called
//!   again: handlers should bear that ([`Sendback::redelivered`]).
//! - A request that three processes died with is set aside; its caller gets the exception `PoisonMessage`.
//! - A handler that panics or takes longer than `RABBITMQ_HANDLER_TIMEOUT` costs its caller an exception, and nobody else
//!   anything.
//!
//! # Memory
//!
//! The whole program takes its memory from jemalloc, by the feature `jemalloc`, which is on by default: it answers a twentieth
//! more requests than with the system's allocator. The file `.cargo/config.toml` of this project has the options it is built
//! with; a project of your own needs a copy, or large answers take longer and memory is given back later. A program that has
//! chosen an allocator of its own depends on this crate without default features.

mod amqp_daemon;
mod answers;
mod attempts;
mod check;
mod cli;
mod counters;
mod durations;
mod exception;
mod execution;
mod fingerprint;
mod handler;
mod handlers;
mod health;
mod keys;
mod lines;
mod messages;
mod metrics;
mod metrics_server;
mod process;
mod progress;
mod reply;
mod reporter;
mod responder;
mod sendback;
mod stuck;
mod submodule;
#[cfg(test)]
mod testing;
mod text;
mod throttle;
mod uuid;
mod wiring;
mod work;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub use amqp_daemon::AmqpDaemon;
pub use check::{Checks, Finding};
pub use cli::CommandLine;
pub use edeposit_amqp::{ConnectionParams, get_con_params};
pub use edeposit_daemonwrapper::Context;
pub use edeposit_serializers as serializers;
pub use exception::Exception;
pub use handler::{Handler, IntoReact, IsHandler, React};
pub use sendback::Sendback;
pub use submodule::Submodule;
