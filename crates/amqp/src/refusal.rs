//! What the broker said when it refused something.

use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

/// The broker's refusal, if the error is one that closes a channel only: the connection is as good as before.
#[must_use]
pub fn refusal(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) => match amqp.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// The broker's words, or the client library's if the broker said nothing.
#[must_use]
pub fn said(error: &lapin::Error) -> String {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(amqp) => amqp.get_message().to_string(),
        _ => error.to_string(),
    }
}
