//! What goes to a caller, as messages in the original's layout: answers, progress messages, exceptions.
//!
//! An answer has the header `UUID` and nothing else, a progress message likewise; for a request with `reply_to` or
//! `correlation_id` it is marked by AMQP's property `type`. An exception has `exception`, `exception_name`, `exception_type`,
//! `traceback` and `UUID`, content type `application/text`, and the text as its body. All headers of a message travel in
//! one frame, so long texts are cut in the headers; the body has the whole.

use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{Outgoing, encoded_len};

use crate::Exception;
use crate::reply::ReplyTo;
use crate::text::cut;
use crate::uuid::UUID;

/// Content type of ordinary answers and progress messages.
pub(crate) const JSON: &str = "application/json";
/// AMQP's property `type` of progress messages.
const PROGRESS: &str = "progress";
/// Content type of exceptions.
const TEXT: &str = "application/text";

/// Room for names, properties and the frame itself, in bytes.
const OVERHEAD: usize = 2048;
/// More traceback than this helps nobody.
const LONGEST_TRACEBACK: usize = 32 * 1024;
const LONGEST_NAME: usize = 256;
/// More text than this helps nobody either, and the broker has a limit.
const LONGEST_BODY: usize = 1024 * 1024;

/// Whether an answer can carry this UUID: it has to fit into a frame with everything else.
pub(crate) fn can_carry(uuid: &AMQPValue, frame_max: usize) -> bool {
    encoded_len(uuid) + OVERHEAD <= frame_max
}

/// An answer.
pub(crate) fn answer(reply: &ReplyTo, body: Vec<u8>) -> Outgoing {
    let mut headers = FieldTable::default();
    if let Some(uuid) = &reply.uuid {
        headers.insert(UUID.into(), uuid.clone());
    }
    Outgoing {
        content_type: JSON,
        headers,
        body,
        correlation_id: reply.correlation_id.clone(),
        ..Outgoing::default()
    }
}

/// A progress message.
pub(crate) fn progress(reply: &ReplyTo, body: Vec<u8>) -> Outgoing {
    Outgoing {
        kind: reply.marks_progress.then(|| PROGRESS.into()),
        ..answer(reply, body)
    }
}

/// An exception. `frame_max` is the longest frame the broker takes; without `traceback` that header has no value.
pub(crate) fn exception(
    exception: &Exception,
    reply: &ReplyTo,
    traceback: bool,
    frame_max: usize,
) -> Outgoing {
    let room = frame_max.saturating_sub(OVERHEAD + reply.uuid.as_ref().map_or(0, encoded_len));
    let name = cut(&exception.name, LONGEST_NAME);
    let kind = cut(&exception.kind, LONGEST_NAME);
    let message = cut(
        &exception.message,
        room.saturating_sub(2 * LONGEST_NAME) / 2,
    );
    let rest = room.saturating_sub(name.len() + kind.len() + message.len());

    let mut headers = FieldTable::default();
    let mut put = |name: &str, value: &str| {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    put("exception", message);
    put("exception_name", name);
    put("exception_type", kind);
    if traceback {
        put(
            "traceback",
            cut(&exception.traceback_text(), rest.min(LONGEST_TRACEBACK)),
        );
    } else {
        headers.insert("traceback".into(), AMQPValue::Void);
    }
    if let Some(uuid) = &reply.uuid {
        headers.insert(UUID.into(), uuid.clone());
    }
    Outgoing {
        content_type: TEXT,
        headers,
        body: cut(exception.body_text(), LONGEST_BODY).as_bytes().to_vec(),
        correlation_id: reply.correlation_id.clone(),
        ..Outgoing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(uuid: &AMQPValue) -> ReplyTo {
        ReplyTo {
            exchange: None,
            key: "result".to_owned(),
            uuid: Some(uuid.clone()),
            correlation_id: None,
            marks_progress: false,
        }
    }

    #[test]
    fn headers_of_any_exception_fit_into_a_frame() {
        let long = "ž".repeat(500_000);
        for frame_max in [4096_usize, 8192, 131_072] {
            for length in [0, 100, frame_max] {
                let room = (frame_max - OVERHEAD).saturating_sub(5);
                let uuid = AMQPValue::LongString(cut(&long, length.min(room)).into());
                assert!(can_carry(&uuid, frame_max));
                let e = Exception::class(&format!("a.{long}"), long.clone()).with_traceback(&long);
                for message in [
                    exception(&e, &reply(&uuid), true, frame_max),
                    answer(&reply(&uuid), Vec::new()),
                ] {
                    let length = encoded_len(&AMQPValue::FieldTable(message.headers));
                    // Parking adds three headers, the frame and the properties themselves take some bytes.
                    assert!(length + 1000 <= frame_max, "{length} of {frame_max}");
                }
            }
            assert!(!can_carry(
                &AMQPValue::LongString(cut(&long, frame_max).into()),
                frame_max
            ));
        }
    }

    #[test]
    fn the_body_keeps_the_whole_text() {
        let e = Exception::value_error("x".repeat(500_000));
        let message = exception(&e, &reply(&AMQPValue::Void), false, 131_072);
        assert_eq!(message.body.len(), 500_000);
        assert_eq!(
            message.headers.inner().get("traceback"),
            Some(&AMQPValue::Void)
        );
        assert_eq!(message.headers.inner().get("UUID"), Some(&AMQPValue::Void));
    }
}
