//! Where the answer to a request goes, and what pairs the two.
//!
//! By the original's convention it goes to the output exchange with a key made from the request's, and the header `UUID`
//! pairs them. By AMQP's own convention a request names a queue in `reply_to`, and the property `correlation_id` pairs
//! them; such a request is answered there and needs no UUID.

use edeposit_amqp::types::{AMQPValue, ShortString};
use edeposit_amqp::{Message, Outgoing, PublishError};
use edeposit_pikadaemon::Session;

use crate::keys::parse_key;
use crate::text::cut;
use crate::uuid::{UUID, uuid_text};

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
    /// Publishes a message there, an answer or any other.
    pub(crate) async fn send(
        &self,
        session: &dyn Session,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        match self.exchange {
            Some(exchange) => session.send_message(exchange, &self.key, message).await,
            None => session.send_response(&self.key, message).await,
        }
    }
}
