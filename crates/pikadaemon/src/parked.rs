//! What a parked message carries: where it should have gone, and why it did not.

use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{BasicProperties, Message, PERSISTENT, encoded_len};

/// Room in a frame for what is not counted: the frame itself, and the properties whose length is fixed.
const ROOM: usize = 256;

/// Headers by which RabbitMQ sends a message to more places than its routing key names.
const COPIES: [&str; 2] = ["CC", "BCC"];

/// Headers, with an address and a reason.
pub(crate) fn addressed(
    mut headers: FieldTable,
    exchange: &str,
    routing_key: &str,
    reason: &str,
) -> FieldTable {
    for (name, value) in [
        ("x-edeposit-exchange", exchange),
        ("x-edeposit-routing-key", routing_key),
        ("x-edeposit-reason", reason),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    headers
}

/// The properties of a request in its parking queue. Not those that would act there again: an expiration, copies to other
/// queues, a user id that the broker would compare with ours.
pub(crate) fn parked_request(
    request: &Message,
    needed: &str,
    reason: &str,
    frame_max: usize,
) -> BasicProperties {
    let properties = &request.properties;
    let empty = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&empty);
    let only = |wanted: &dyn Fn(&str) -> bool| {
        let mut kept = FieldTable::default();
        for (name, value) in headers.inner() {
            if wanted(name.as_str()) {
                kept.insert(name.clone(), value.clone());
            }
        }
        addressed(kept, &request.exchange, &request.routing_key, reason)
    };
    let mut parked = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let mut length = ROOM;
    macro_rules! copy {
        ($($get:ident $with:ident),*) => {$(
            if let Some(value) = properties.$get() {
                length += 1 + value.as_str().len();
                parked = parked.$with(value.clone());
            }
        )*};
    }
    copy!(content_type with_content_type, content_encoding with_content_encoding, correlation_id with_correlation_id,
          reply_to with_reply_to, message_id with_message_id, kind with_type);
    let all = only(&|name| !COPIES.contains(&name));
    let fits = length + encoded_len(&AMQPValue::FieldTable(all.clone())) <= frame_max;
    if fits {
        return parked.with_headers(all);
    }
    // Such a request was made to be too long. What pairs it with its caller still fits.
    let mut parked = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_headers(only(&|name| name == needed));
    if let Some(reply_to) = properties.reply_to() {
        parked = parked.with_reply_to(reply_to.clone());
    }
    if let Some(id) = properties.correlation_id() {
        parked = parked.with_correlation_id(id.clone());
    }
    parked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, usize)]) -> Message {
        let mut table = FieldTable::default();
        for (name, length) in headers {
            table.insert(
                (*name).into(),
                AMQPValue::LongString("x".repeat(*length).into()),
            );
        }
        let long = || "y".repeat(250).into();
        Message {
            exchange: "e".repeat(250),
            routing_key: "k".repeat(250),
            redelivered: true,
            properties: BasicProperties::default()
                .with_headers(table)
                .with_content_type(long())
                .with_correlation_id(long())
                .with_reply_to(long())
                .with_message_id(long())
                .with_user_id("guest".into())
                .with_expiration("1".into()),
            body: Vec::new(),
        }
    }

    fn names(parked: &BasicProperties) -> Vec<String> {
        let headers = parked.headers().clone().unwrap_or_default();
        let names = headers.inner().keys();
        names
            .map(ToString::to_string)
            .filter(|name| !name.starts_with("x-edeposit-"))
            .collect()
    }

    #[test]
    fn nothing_that_acts_again_is_copied() {
        let parked = parked_request(
            &request(&[("UUID", 36), ("CC", 9), ("mine", 9)]),
            "UUID",
            "why",
            131_072,
        );
        assert_eq!(names(&parked), ["UUID", "mine"]);
        assert_eq!(parked.user_id(), &None);
        assert_eq!(parked.expiration(), &None);
        assert_eq!(parked.delivery_mode(), &Some(PERSISTENT));
        assert!(parked.message_id().is_some());
    }

    #[test]
    fn it_always_fits_into_a_frame() {
        let frame_max = 131_072;
        for (uuid, mine) in [(36, 131_000), (128_800, 100), (129_000, 0)] {
            let request = request(&[("UUID", uuid), ("mine", mine)]);
            let parked = parked_request(&request, "UUID", &"r".repeat(300), frame_max);
            assert_eq!(names(&parked)[0], "UUID");
            let headers = AMQPValue::FieldTable(parked.headers().clone().unwrap_or_default());
            let texts = [
                parked.content_type(),
                parked.correlation_id(),
                parked.reply_to(),
                parked.message_id(),
            ];
            let texts: usize = texts
                .into_iter()
                .flatten()
                .map(|text| 1 + text.as_str().len())
                .sum();
            // And the frame and the header frame's own fields.
            assert!(encoded_len(&headers) + texts + 64 <= frame_max);
        }
    }
}
