//! Tells one request from another, so that one which comes again is known.
//!
//! What callers and the broker leave unchanged when a request is delivered again: where it was published to, what pairs it
//! with its answer, and its body.

use std::hash::Hash;

use edeposit_amqp::Message;
use edeposit_amqp::types::{AMQPValue, ShortString};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::uuid::UUID;

/// A request's identity. Equal for equal requests under the same key; otherwise different but by a chance of 1 to 2^128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub(crate) u128);

/// A secret, so that nobody can make a request that is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u128);

impl Key {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }

    /// A request's identity. None: it has nothing that tells it from others like it.
    pub(crate) fn fingerprint(self, request: &Message) -> Option<Fingerprint> {
        let properties = &request.properties;
        let has_id = [properties.correlation_id(), properties.message_id()]
            .into_iter()
            .flatten()
            .any(|id| !id.as_str().is_empty());
        let has_uuid = match request.header(UUID) {
            None | Some(AMQPValue::Void) => false,
            Some(AMQPValue::LongString(uuid)) => !uuid.as_bytes().is_empty(),
            Some(_) => true,
        };
        (has_id || has_uuid).then(|| self.hash(request))
    }

    fn hash(self, request: &Message) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_key(&self.0.to_le_bytes());
        request.exchange.hash(&mut hasher);
        request.routing_key.hash(&mut hasher);
        let properties = &request.properties;
        for property in [
            properties.reply_to(),
            properties.correlation_id(),
            properties.message_id(),
        ] {
            property.as_ref().map(ShortString::as_str).hash(&mut hasher);
        }
        match request.header(UUID) {
            Some(AMQPValue::LongString(uuid)) => uuid.as_bytes().hash(&mut hasher),
            other => format!("{other:?}").hash(&mut hasher),
        }
        request.body.hash(&mut hasher);
        Fingerprint(hasher.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use edeposit_amqp::types::FieldTable;

    use super::*;

    fn request(uuid: &str, body: &[u8]) -> Message {
        let mut headers = FieldTable::default();
        headers.insert(UUID.into(), AMQPValue::LongString(uuid.into()));
        Message {
            exchange: "search".to_owned(),
            routing_key: "request".to_owned(),
            redelivered: false,
            properties: edeposit_amqp::BasicProperties::default().with_headers(headers),
            body: body.to_vec(),
        }
    }

    #[test]
    fn the_same_request_delivered_again_is_known() {
        let key = Key::random();
        let first = request("1", b"{}");
        let mut again = request("1", b"{}");
        again.redelivered = true;
        let mut headers = again.properties.headers().clone().unwrap_or_default();
        // Quorum queues count deliveries in a header.
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(1));
        again.properties = again.properties.clone().with_headers(headers);
        assert_eq!(key.fingerprint(&first), key.fingerprint(&again));
    }

    #[test]
    fn other_requests_are_others() {
        let key = Key::random();
        let first = key.fingerprint(&request("1", b"{}"));
        let long = |middle: u8| {
            let mut body = vec![b' '; 100_000];
            body[50_000] = middle;
            body
        };
        for other in [request("2", b"{}"), request("1", b"[]"), request("1", b"")] {
            assert_ne!(first, key.fingerprint(&other));
        }
        assert_ne!(
            key.fingerprint(&request("1", &long(1))),
            key.fingerprint(&request("1", &long(2)))
        );
        assert_ne!(first, Key::random().fingerprint(&request("1", b"{}")));
    }

    #[test]
    fn a_request_without_any_id_is_nobody() {
        let key = Key::random();
        assert_eq!(key.fingerprint(&request("", b"{}")), None);
        let mut other = request("", b"{}");
        other.properties = other.properties.with_correlation_id("1".into());
        assert!(key.fingerprint(&other).is_some());
    }
}
