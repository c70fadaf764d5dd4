//! Whatever bytes come from the broker, in whatever pieces: no panic, bounded memory, and what a publisher can have put into
//! them is passed on as something that the client library can read.
//!
//! `PROPTEST_CASES=100000 cargo test -p edeposit-pikadaemon fuzz` tries more.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::basic::{AMQPMethod, AMQPProperties, Deliver};
use lapin::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::{BODY, Frames, HEAD, HEADER, HEARTBEAT, LONGEST, METHOD};
use super::room::{Agreed, Room, SMALL};
use super::{CHUNK, Stash};

/// More than this is never held: a frame that is not whole yet, what came with its end, and the heads of the pieces it is cut
/// into.
const MOST_HELD: usize = LONGEST + 2 * CHUNK;

pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 1];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame.push(0xce);
    frame
}

/// What comes out if the bytes arrive in pieces of these sizes, over and over.
pub(super) fn through(bytes: &[u8], pieces: &[usize]) -> Vec<u8> {
    through_room(Room::Whole, bytes, pieces)
}

fn through_room(room: Room, bytes: &[u8], pieces: &[usize]) -> Vec<u8> {
    let mut frames = Frames::new(room, Agreed::default());
    let (mut out, mut buf, mut rest) = (Vec::new(), vec![0; 4096], bytes);
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*piece).clamp(1, rest.len().min(CHUNK)));
        rest = later;
        let mut now = now.to_vec();
        let good = frames.receive(&mut now);
        out.extend_from_slice(&now[..good]);
        assert!(frames.held() <= MOST_HELD);
        loop {
            let count = frames.give(&mut buf);
            if count == 0 {
                break;
            }
            out.extend_from_slice(&buf[..count]);
        }
    }
    out
}

/// All frames in these bytes, as the client library reads them.
fn parsed(mut bytes: &[u8]) -> Result<Vec<AMQPFrame>, String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (rest, frame) = parse_frame(bytes).map_err(|error| format!("{error:?}"))?;
        frames.push(frame);
        bytes = rest;
    }
    Ok(frames)
}

fn encoded(frame: &AMQPFrame) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    let end = gen_frame(frame)(buffer.as_mut_slice().into())
        .unwrap()
        .into_inner()
        .1;
    buffer.truncate(usize::try_from(end).unwrap());
    buffer
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..20_usize, 1..70_000_usize], 1..8)
}

fn short_text() -> impl Strategy<Value = ShortString> {
    "\\PC{0,60}".prop_map(|text| ShortString::try_new(text).unwrap_or_default())
}

fn value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        (-1e30_f32..1e30).prop_map(AMQPValue::Float),
        (-1e300_f64..1e300).prop_map(AMQPValue::Double),
        (any::<u8>(), any::<u32>())
            .prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        vec(any::<u8>(), 0..200).prop_map(|bytes| AMQPValue::LongString(LongString::from(bytes))),
        vec(any::<u8>(), 0..200).prop_map(|bytes| AMQPValue::ByteArray(ByteArray::from(bytes))),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8)
                .prop_map(|items| AMQPValue::FieldArray(FieldArray::from(items))),
            vec((short_text(), inner), 0..8)
                .prop_map(|fields| AMQPValue::FieldTable(table(fields))),
        ]
    })
}

fn table(fields: Vec<(ShortString, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(name, value);
    }
    table
}

prop_compose! {
    fn properties()(
        texts in vec(prop::option::of(short_text()), 9),
        headers in prop::option::of(vec((short_text(), value()), 0..8)),
        mode in prop::option::of(any::<u8>()),
        priority in prop::option::of(any::<u8>()),
        time in prop::option::of(any::<u64>()),
    ) -> AMQPProperties {
        let mut properties = AMQPProperties::default();
        let setters: [fn(AMQPProperties, ShortString) -> AMQPProperties; 9] = [
            AMQPProperties::with_content_type,
            AMQPProperties::with_content_encoding,
            AMQPProperties::with_correlation_id,
            AMQPProperties::with_reply_to,
            AMQPProperties::with_expiration,
            AMQPProperties::with_message_id,
            AMQPProperties::with_type,
            AMQPProperties::with_user_id,
            AMQPProperties::with_app_id,
        ];
        for (set, text) in setters.into_iter().zip(texts) {
            if let Some(text) = text {
                properties = set(properties, text);
            }
        }
        if let Some(headers) = headers {
            properties = properties.with_headers(table(headers));
        }
        if let Some(mode) = mode {
            properties = properties.with_delivery_mode(mode);
        }
        if let Some(priority) = priority {
            properties = properties.with_priority(priority);
        }
        match time {
            Some(time) => properties.with_timestamp(time),
            None => properties,
        }
    }
}

/// A delivery: its method, its header, its body.
fn delivery() -> impl Strategy<Value = Vec<AMQPFrame>> {
    let method = (short_text(), any::<u64>(), short_text(), short_text());
    let body = vec(any::<u8>(), 0..5000);
    (method, properties(), body).prop_map(|((tag, number, exchange, key), properties, body)| {
        let deliver = Deliver {
            consumer_tag: tag,
            delivery_tag: number,
            redelivered: number % 2 == 0,
            exchange,
            routing_key: key,
        };
        let header = AMQPContentHeader {
            class_id: 60,
            body_size: body.len() as u64,
            properties,
        };
        vec![
            AMQPFrame::Method(1, AMQPClass::Basic(AMQPMethod::Deliver(deliver))),
            AMQPFrame::Header(1, header),
            AMQPFrame::Body(1, body),
        ]
    })
}

/// The fixed part of a content header, then these flags and bytes.
fn content_header(flags: u16, properties: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    payload.extend(flags.to_be_bytes());
    payload.extend(properties);
    payload
}

/// Bytes that are nearly a table: real types, real lengths and nesting, but names and texts of any bytes, and mistakes.
fn nearly_table() -> impl Strategy<Value = Vec<u8>> {
    let with_length = |bytes: Vec<u8>, off: u32| {
        let length = u32::try_from(bytes.len()).unwrap().wrapping_add(off);
        [length.to_be_bytes().to_vec(), bytes].concat()
    };
    let off = prop_oneof![19 => Just(0_u32), 1 => any::<u32>()];
    let fixed = (any::<u8>(), vec(any::<u8>(), 0..9))
        .prop_map(|(kind, bytes)| [vec![kind], bytes].concat());
    let right = prop_oneof![
        any::<u8>().prop_map(|byte| vec![b't', byte]),
        any::<i64>().prop_map(|number| [&b"l"[..], &number.to_be_bytes()].concat()),
        Just(vec![b'V']),
    ];
    let text = (any::<bool>(), vec(any::<u8>(), 0..30), off.clone()).prop_map(
        move |(is_text, bytes, off)| {
            let kind = if is_text { b'S' } else { b'x' };
            [vec![kind], with_length(bytes, off)].concat()
        },
    );
    let leaf = prop_oneof![1 => fixed, 8 => right, 8 => text];
    let value = leaf.prop_recursive(40, 60, 3, move |inner| {
        let item = (any::<bool>(), vec(any::<u8>(), 0..10), inner);
        (any::<bool>(), vec(item, 0..3), off.clone()).prop_map(move |(is_table, items, off)| {
            let mut bytes = Vec::new();
            for (_, name, value) in items {
                if is_table {
                    bytes.push(u8::try_from(name.len()).unwrap());
                    bytes.extend(name);
                }
                bytes.extend(value);
            }
            let kind = if is_table { b'F' } else { b'A' };
            [vec![kind], with_length(bytes, off)].concat()
        })
    });
    vec((vec(any::<u8>(), 0..10), value), 0..4).prop_map(move |fields| {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            bytes.push(u8::try_from(name.len()).unwrap());
            bytes.extend(name);
            bytes.extend(value);
        }
        with_length(bytes, 0)
    })
}

proptest! {
    #[test]
    fn fuzz_any_bytes_in_any_pieces(
        bytes in vec(any::<u8>(), 0..3000),
        first in pieces(),
        second in pieces(),
    ) {
        let out = through(&bytes, &first);
        prop_assert!(out.len() <= bytes.len() + 2);
        prop_assert_eq!(out, through(&bytes, &second), "the pieces make a difference");
    }

    /// Frames one after another, each with a right length and any content.
    #[test]
    fn fuzz_any_frames_in_any_pieces(
        frames in vec((prop::sample::select(vec![METHOD, HEADER, BODY, HEARTBEAT, 0, 5]), vec(any::<u8>(), 0..300)), 0..20),
        pieces in pieces(),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
        let out = through(&bytes, &pieces);
        prop_assert_eq!(&out, &through(&bytes, &[bytes.len().max(1)]));
        // At most the flags are put in, where a broker has left them out.
        prop_assert!(out.len() <= bytes.len() + 2 * frames.len());
    }

    #[test]
    fn fuzz_good_deliveries_pass_unchanged(deliveries in vec(delivery(), 1..4), pieces in pieces()) {
        let bytes: Vec<u8> = deliveries.iter().flatten().flat_map(encoded).collect();
        prop_assert_eq!(parsed(&bytes).map(|frames| frames.len()), Ok(3 * deliveries.len()));
        prop_assert_eq!(through(&bytes, &pieces), bytes);
    }

    /// Cut for a library with little room, messages are still what they were.
    #[test]
    fn fuzz_small_frames_carry_the_same_messages(
        deliveries in vec((delivery(), 0..60_000_usize, 0..80_000_usize), 1..4),
        pieces in pieces(),
    ) {
        let mut bytes = Vec::new();
        let mut sent = Vec::new();
        for (frames, header_length, body_length) in deliveries {
            let Some(AMQPFrame::Header(_, mut header)) = frames.get(1).cloned() else { continue };
            let mut headers = header.properties.headers().clone().unwrap_or_default();
            headers.insert("long".into(), AMQPValue::LongString(vec![b'x'; header_length].into()));
            header.properties = header.properties.with_headers(headers);
            let body = vec![b'b'; body_length];
            header.body_size = body.len() as u64;
            bytes.extend(encoded(&frames[0]));
            bytes.extend(encoded(&AMQPFrame::Header(1, header.clone())));
            bytes.extend(encoded(&AMQPFrame::Body(1, body.clone())));
            sent.push((header.properties, body));
        }
        let stash = Stash::default();
        let out = through_room(Room::Small(Some(stash.clone())), &bytes, &pieces);
        let mut rest = &out[..];
        let mut received = Vec::new();
        while !rest.is_empty() {
            let (after, frame) = parse_frame(rest).map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
            prop_assert!(rest.len() - after.len() <= SMALL as usize);
            rest = after;
            match frame {
                AMQPFrame::Header(_, header) => received.push((stash.restore(header.properties), Vec::new())),
                AMQPFrame::Body(_, part) => received.last_mut().unwrap().1.extend(part),
                _ => {}
            }
        }
        prop_assert_eq!(received, sent);
    }

    /// Whatever a publisher has put into the properties, the library can read what is passed on, and the message is still there.
    #[test]
    fn fuzz_any_properties_are_readable_at_the_end(
        flags in any::<u16>(),
        properties in vec(any::<u8>(), 0..300),
        pieces in pieces(),
    ) {
        let bytes = frame(HEADER, &content_header(flags, &properties));
        let frames = parsed(&through(&bytes, &pieces));
        prop_assert!(matches!(frames.as_deref(), Ok([AMQPFrame::Header(1, header)]) if header.body_size == 5), "{:?}", frames);
    }

    #[test]
    fn fuzz_nearly_good_headers_are_readable_at_the_end(table in nearly_table(), pieces in pieces()) {
        let bytes = frame(HEADER, &content_header(1 << 13, &table));
        let frames = parsed(&through(&bytes, &pieces));
        prop_assert!(matches!(frames.as_deref(), Ok([AMQPFrame::Header(1, _)])), "{:?}", frames);
    }

    /// A good delivery with some bytes of its header changed.
    #[test]
    fn fuzz_a_damaged_header_is_readable_at_the_end(
        frames in delivery(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        pieces in pieces(),
    ) {
        let mut header = encoded(&frames[1]);
        // Behind frame head, class, weight and size; before the frame's end.
        let end = header.len() - 1;
        for (at, byte) in damage {
            header[HEAD + 12..end][at.index(end - HEAD - 12)] = byte;
        }
        let bytes = [encoded(&frames[0]), header, encoded(&frames[2])].concat();
        let out = parsed(&through(&bytes, &pieces));
        prop_assert!(matches!(out.as_deref(), Ok([_, AMQPFrame::Header(..), _])), "{:?}", out);
    }

    /// The publisher's words in methods: exchange and routing key, in any bytes.
    #[test]
    fn fuzz_any_names_in_methods_are_readable_at_the_end(
        exchange in vec(any::<u8>(), 0..256),
        key in vec(any::<u8>(), 0..256),
        pieces in pieces(),
    ) {
        let short = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let names = [short(&exchange), short(&key)].concat();
        let tag = [0, 0, 0, 0, 0, 0, 0, 1, 0];
        let deliver = [&b"\x00\x3c\x00\x3c\x03tag"[..], &tag, &names].concat();
        let got = [&b"\x00\x3c\x00\x47"[..], &tag, &names, &[0, 0, 0, 7]].concat();
        let returned = [&b"\x00\x3c\x00\x32\x01\x38\x02no"[..], &names].concat();
        for method in [deliver, got, returned] {
            let frames = parsed(&through(&frame(METHOD, &method), &pieces));
            prop_assert!(matches!(frames.as_deref(), Ok([AMQPFrame::Method(1, _)])), "{:?}", frames);
        }
    }
}
