//! Names of queues, exchanges, consumers as AMQP has them.

use lapin::types::ShortString;

/// A name that the settings have found to be short enough: AMQP has room for 255 bytes. A longer one becomes the empty
/// name, which names nothing.
#[must_use]
pub fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
