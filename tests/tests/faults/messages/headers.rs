//! Headers of every type and length, and none.

use anyhow::{Context, Result};
use edeposit_tests::PATIENCE;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable};
use serde_json::json;

use super::*;

/// A value of every type that a header can have.
fn every_type() -> Vec<AMQPValue> {
    let mut table = FieldTable::default();
    table.insert("a".into(), AMQPValue::LongLongInt(1));
    let array = FieldArray::from(vec![AMQPValue::Void, AMQPValue::Boolean(false)]);
    vec![
        AMQPValue::Boolean(true),
        AMQPValue::ShortShortInt(-1),
        AMQPValue::ShortShortUInt(255),
        AMQPValue::ShortInt(-12345),
        AMQPValue::ShortUInt(54321),
        AMQPValue::LongInt(12345),
        AMQPValue::LongUInt(u32::MAX),
        AMQPValue::LongLongInt(i64::MIN),
        AMQPValue::Float(0.5),
        AMQPValue::Double(1.5),
        AMQPValue::DecimalValue(DecimalValue {
            scale: 2,
            value: 314,
        }),
        AMQPValue::LongString("žluť-1".into()),
        AMQPValue::LongString("".into()),
        AMQPValue::LongString(vec![0xff, 0, 0xfe].into()),
        AMQPValue::LongString("u".repeat(100_000).into()),
        AMQPValue::ByteArray(ByteArray::from(vec![0, 255])),
        AMQPValue::Timestamp(1_700_000_000),
        AMQPValue::Void,
        AMQPValue::FieldTable(table),
        AMQPValue::FieldTable(FieldTable::default()),
        AMQPValue::FieldArray(array),
        AMQPValue::FieldArray(FieldArray::default()),
        nested(30),
    ]
}

fn nested(depth: usize) -> AMQPValue {
    (0..depth).fold(AMQPValue::Void, |inner, _| {
        AMQPValue::FieldArray(FieldArray::from(vec![inner]))
    })
}

/// A UUID of every type: it comes back as it was, with answers and with exceptions.
#[tokio::test]
async fn fault_31_a_uuid_of_every_type_is_echoed() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    for uuid in every_type() {
        for body in [ECHO, "no JSON"] {
            let request = target
                .caller
                .request(body)
                .with_header("UUID", uuid.clone());
            target.caller.publish(&request).await?;
            let answer = target.caller.next(PATIENCE).await?;
            assert_eq!(answer.uuid(), Some(uuid.clone()));
            assert_eq!(answer.is_exception(), body != ECHO);
        }
    }
    target.is_unharmed().await
}

/// Headers that fill a frame: the message is what it was, and its answer finds its way.
#[tokio::test]
async fn fault_31_headers_as_long_as_a_frame() -> Result<()> {
    let target = Target::new(&json!({ "RABBITMQ_PREFETCH": 4 })).await?;
    let mut asked = Vec::new();
    for length in [4_000, 8_000, 9_000, 60_000, 130_000] {
        let request = target
            .caller
            .request(ECHO)
            .with_header("note", AMQPValue::LongString("n".repeat(length).into()));
        target.caller.publish(&request).await?;
        asked.push(request.uuid().context("a UUID")?);
    }
    for uuid in asked {
        let answer = target.caller.answer_to(&uuid, PATIENCE).await?;
        assert!(!answer.is_exception(), "{}", answer.text());
    }
    let log = target.world.daemon.log();
    assert!(!log.contains("cannot be read"), "{log}");
    target.is_unharmed().await
}

/// No headers at all, empty headers, no properties: dropped and counted. A setting has them answered.
#[tokio::test]
async fn fault_31_absent_headers_are_a_missing_uuid() -> Result<()> {
    for answered in [0, 1] {
        let target = Target::new(&json!({ "RABBITMQ_ANSWER_WITHOUT_UUID": answered })).await?;
        let bare = BasicProperties::default();
        for properties in [
            bare.clone(),
            bare.clone().with_headers(FieldTable::default()),
            bare.with_content_type("application/json".into())
                .with_delivery_mode(2),
        ] {
            let request = target.caller.request(ECHO).with_properties(properties);
            target.caller.publish(&request).await?;
            if answered == 1 {
                let answer = target.caller.next(PATIENCE).await?;
                assert_eq!(answer.uuid(), Some(AMQPValue::LongString("".into())));
                assert_eq!(exception(&answer).0, "ValueError");
            }
        }
        target.is_unharmed().await?;
        assert!(target.caller.unclaimed().is_empty());
        target.world.daemon.stop()?.success()?;
        let dropped = format!("{} dropped", 3 * (1 - answered));
        assert!(target.world.daemon.log().contains(&dropped));
    }
    Ok(())
}

/// Headers of every type, nested and many, beside a good UUID: they are no concern of the daemon's.
#[tokio::test]
async fn fault_33_headers_of_every_type() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    let mut all = target.caller.request(ECHO);
    for (number, value) in every_type().into_iter().enumerate() {
        if !matches!(&value, AMQPValue::LongString(text) if text.as_bytes().len() > 1000) {
            all = all.with_header(&format!("h{number}"), value.clone());
        }
        for name in ["h", "", "žluť", "x-death", "exception", "traceback"] {
            let request = target.caller.request(ECHO).with_header(name, value.clone());
            assert!(!target.caller.call_with(&request).await?.is_exception());
        }
    }
    assert!(!target.caller.call_with(&all).await?.is_exception());
    target.is_unharmed().await
}

/// A routing key of 255 bytes leaves no room for the answer's: the answer goes out with the plain output key.
#[tokio::test]
async fn fault_33_a_routing_key_without_room_for_the_answers() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    target.world.vhost.bind("daemon", "puppet", "#.y").await?;
    let prefix = "x".repeat(253);
    let request = target
        .caller
        .request(ECHO)
        .with_routing_key(&format!("{prefix}.y"));
    target.caller.publish(&request).await?;
    let answer = target
        .caller
        .answer_to(&request.uuid().context("a UUID")?, PATIENCE)
        .await?;
    assert_eq!(answer.routing_key, "result");
    Ok(())
}
