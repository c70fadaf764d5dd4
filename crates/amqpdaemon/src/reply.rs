//! Where the answer to a request goes, and what pairs the two.
//!
//! By the original's convention it goes to the output exchange with a key made from the request's, and the header `UUID`
//! pairs them. By AMQP's own convention a request names a queue in `reply_to`, and the property `correlation_id` pairs
//! them; such a request is answered there and needs no UUID.

use std::fmt::{self, Write as _};

use edeposit_amqp::Message;
use edeposit_amqp::types::{AMQPValue, ShortString};

use crate::headers::{UUID, cut, parse_key, uuid_text};

/// The address of an answer.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    /// None: the daemon's output exchange. The default exchange has the empty name.
    pub(crate) exchange: Option<&'static str>,
    pub(crate) key: String,
    pub(crate) uuid: Option<AMQPValue>,
    pub(crate) correlation_id: Option<ShortString>,
    /// Whether the caller knows AMQP's own convention: then progress messages are marked. The original's callers get them
    /// as they always did.
    pub(crate) marks_progress: bool,
}

impl ReplyTo {
    /// Reads the address from a request. None: nobody could pair the answer.
    pub(crate) fn of(request: &Message, out_key: &str) -> Option<Self> {
        let uuid = request.header(UUID).cloned();
        let marks_progress = request.properties.correlation_id().is_some();
        match request.properties.reply_to() {
            Some(queue) if !queue.as_str().is_empty() => Some(Self {
                exchange: Some(""),
                key: queue.to_string(),
                uuid,
                correlation_id: request.properties.correlation_id().clone(),
                marks_progress: true,
            }),
            _ => Some(Self {
                exchange: None,
                key: parse_key(&request.routing_key, out_key),
                uuid: Some(uuid?),
                correlation_id: None,
                marks_progress,
            }),
        }
    }

    /// The request's name for people: its UUID, else its correlation id.
    pub(crate) fn request_name(&self) -> String {
        match (&self.uuid, &self.correlation_id) {
            (Some(uuid), _) => uuid_text(uuid),
            (None, Some(id)) => cut(id.as_str(), 200).to_owned(),
            (None, None) => "none".to_owned(),
        }
    }
}

/// A text in quotes, as log lines have it. Nearly all need no escapes, and finding that out letter by letter takes half
/// of what the log context costs.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if self.0.bytes().all(is_plain) {
            f.write_char('"')?;
            f.write_str(self.0)?;
            f.write_char('"')
        } else {
            fmt::Debug::fmt(self.0, f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_look_alike() {
        for text in [
            "",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "a\"b",
            "a\nb\x1b[0m",
            "ž",
        ] {
            assert_eq!(Quoted(text).to_string(), format!("{text:?}"));
        }
    }
}
