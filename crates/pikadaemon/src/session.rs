//! What a message handler may use of a session with the broker: publishing.
//!
//! It is a trait, so that whoever deals with messages can be tested without a broker, by a session that does what the test
//! says. The broker's own is [`BrokerSession`](crate::broker_session::BrokerSession). How a delivery is settled is no part of it:
//! an [`OnMessage`](crate::OnMessage) returns that.

use edeposit_amqp::{Message, Outgoing, PublishError};
use futures::future::BoxFuture;

/// What an [`OnMessage`](crate::OnMessage) may use of a session.
///
/// What is published is safe in the broker when the future is done. An error that means that the session is lost
/// ([`PublishError::is_session_lost`]) ends the session, whatever the caller makes of it.
pub trait Session: Send + Sync {
    /// Publishes a message and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// It is not known to be safe in the broker; see [`PublishError`].
    fn send_message<'a>(
        &'a self,
        exchange: &'a str,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>>;

    /// Publishes an answer to the daemon's output exchange; see [`Session::send_message`].
    ///
    /// # Errors
    /// As [`Session::send_message`].
    fn send_response<'a>(
        &'a self,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>>;

    /// Keeps a message that no queue takes in the durable queue `<input queue>.parked`, with where it should have gone in
    /// headers: `x-edeposit-exchange` (no `exchange` given: the output exchange), `x-edeposit-routing-key`,
    /// `x-edeposit-reason`.
    ///
    /// # Errors
    /// It could not be kept; what it answers must not be acknowledged.
    fn park<'a>(
        &'a self,
        exchange: Option<&'a str>,
        routing_key: &'a str,
        message: &'a Outgoing,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>>;

    /// Keeps a request that is not carried out in the queue where [`Session::park`] keeps answers: its body, what its caller
    /// goes by, and as many of its headers as a frame has room for, but at least the one named `needed`.
    ///
    /// # Errors
    /// It could not be kept, and must not be acknowledged.
    fn park_request<'a>(
        &'a self,
        request: &'a Message,
        needed: &'a str,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>>;

    /// The longest frame the broker takes, in bytes. All headers of a message must fit into one.
    fn frame_max(&self) -> usize;
}
