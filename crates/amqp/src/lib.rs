//! AMQP 0-9-1 as E-deposit's daemons, clients and tools use it.
//!
//! Four things are built on the client library lapin, which no other crate names:
//!
//! - a [`Link`] is one connection, with deadlines for every step of connecting ([`connect`]) and an end that is certain;
//! - a [`Publisher`] publishes with confirms: what it returns is known of that very message;
//! - a [`Consumer`] takes deliveries from a queue, settles them in batches and proves that the broker still knows it;
//! - errors say what was being done and what to do next: [`ConnectError`], [`PublishError`].
//!
//! Recovery is not here: a link, a publisher or a consumer that fails has failed. `edeposit-pikadaemon` sets up anew.
//!
//! What this crate does not wrap is re-exported as lapin has it, see [`Channel`], [`options`] and [`types`].

mod acknowledger;
pub mod backoff;
mod checks;
mod confirming;
mod connect_error;
mod consumer;
mod deadline;
mod direct_replies;
mod encoded_len;
mod fitness;
mod guard;
mod inspect;
mod lane;
mod link;
mod message;
mod names;
mod params;
mod properties;
mod publish_error;
mod publisher;
mod publishing_events;
mod refusal;
mod settling;
mod solo;
mod tls_error;
mod tls_files;

pub use acknowledger::Acknowledger;
pub use checks::{check_exchange, check_queue};
pub use connect_error::{ConnectError, NoNode};
pub use consumer::{Consumer, Consuming, Delivery, Liveness};
pub use deadline::within;
pub use direct_replies::{DirectReplies, is_direct};
pub use encoded_len::encoded_len;
pub use fitness::{ExchangeProperties, QueueProperties};
pub use inspect::{Right, Seen, inspect_exchange, inspect_queue, may_consume, may_publish};
pub use link::{Link, connect, connect_small};
pub use message::{Message, Outgoing, PERSISTENT, Settle};
pub use names::short;
pub use params::{ConnectionParams, get_con_params, quoted, tool_command};
pub use publish_error::PublishError;
pub use publisher::Publisher;
pub use publishing_events::{PublishingEvent, PublishingEvents};
pub use refusal::{refusal, said};

/// A node of RabbitMQ, as the settings list them.
pub use edeposit_settings::Node;
/// AMQP's own operations and types, as lapin has them.
pub use lapin::message::Delivery as RawDelivery;
/// AMQP's own operations and types, as lapin has them.
pub use lapin::{
    BasicProperties, Channel, Confirmation, Error, ErrorKind, ExchangeKind, options, protocol,
    types,
};
