//! The header that pairs an answer with its request.

use edeposit_amqp::types::AMQPValue;

use crate::text::cut;

/// Its name.
pub(crate) const UUID: &str = "UUID";

/// A UUID for people: log lines, [`Sendback::uuid`](crate::Sendback::uuid).
pub(crate) fn uuid_text(uuid: &AMQPValue) -> String {
    const LONGEST: usize = 200;
    match uuid {
        AMQPValue::LongString(text) => {
            cut(&String::from_utf8_lossy(text.as_bytes()), LONGEST).to_owned()
        }
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Void => "null".to_owned(),
        other => cut(&format!("{other:?}"), LONGEST).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uuid_has_a_text() {
        assert_eq!(uuid_text(&AMQPValue::LongString("žluť-1".into())), "žluť-1");
        assert_eq!(uuid_text(&AMQPValue::Void), "null");
        assert_eq!(uuid_text(&AMQPValue::LongInt(12345)), "LongInt(12345)");
    }
}
