//! Messages as no client library would write them: properties of any bytes.

use amq_protocol::frame::{AMQPFrame, gen_frame};
use amq_protocol::protocol::{AMQPClass, channel, connection};
use anyhow::{Context, Result, ensure};
use edeposit_testkit::Vhost;
use edeposit_tests::PATIENCE;
use lapin::types::FieldTable;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// A publisher that writes its frames by itself.
struct RawPublisher(TcpStream);

impl RawPublisher {
    async fn connect(vhost: &Vhost) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", vhost.amqp_port())).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        let mut publisher = Self(stream);
        publisher.expect([10, 10]).await?;
        let start_ok = connection::StartOk {
            client_properties: FieldTable::default(),
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
        };
        publisher
            .method(
                0,
                AMQPClass::Connection(connection::AMQPMethod::StartOk(start_ok)),
            )
            .await?;
        publisher.expect([10, 30]).await?;
        let tune_ok = connection::TuneOk {
            channel_max: 10,
            frame_max: 131_072,
            heartbeat: 0,
        };
        publisher
            .method(
                0,
                AMQPClass::Connection(connection::AMQPMethod::TuneOk(tune_ok)),
            )
            .await?;
        let open = connection::Open {
            virtual_host: vhost.name().into(),
        };
        publisher
            .method(0, AMQPClass::Connection(connection::AMQPMethod::Open(open)))
            .await?;
        publisher.expect([10, 41]).await?;
        publisher
            .method(
                1,
                AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
            )
            .await?;
        publisher.expect([20, 11]).await?;
        Ok(publisher)
    }

    async fn method(&mut self, channel: u16, method: AMQPClass) -> Result<()> {
        let mut bytes = vec![0; 8192];
        let (_, end) = gen_frame(&AMQPFrame::Method(channel, method))(bytes.as_mut_slice().into())
            .map_err(|error| anyhow::anyhow!("{error:?}"))?
            .into_inner();
        self.0.write_all(&bytes[..usize::try_from(end)?]).await?;
        Ok(())
    }

    /// The next frame must be this method: class and method.
    async fn expect(&mut self, method: [u8; 2]) -> Result<()> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut payload = vec![0; usize::try_from(length)? + 1];
        self.0.read_exact(&mut payload).await?;
        ensure!(
            head[0] == 1 && [payload[1], payload[3]] == method,
            "{payload:?}"
        );
        Ok(())
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len())?.to_be_bytes();
        self.0
            .write_all(&[&[kind, 0, 1], &length[..], payload, &[0xce]].concat())
            .await?;
        Ok(())
    }

    /// Publishes a message with these flags and properties, just as they are, then waits until the broker has dealt with
    /// it: false if it has refused it.
    async fn publish(mut self, key: &[u8], flags: u16, properties: &[u8]) -> Result<bool> {
        let key = [&[u8::try_from(key.len())?], key].concat();
        let publish = [&b"\0\x3c\0\x28\0\0\x06puppet"[..], &key, &[0]].concat();
        self.frame(1, &publish).await?;
        let size = u64::try_from(ECHO.len())?.to_be_bytes();
        self.frame(
            2,
            &[&b"\0\x3c\0\0"[..], &size, &flags.to_be_bytes(), properties].concat(),
        )
        .await?;
        self.frame(3, ECHO.as_bytes()).await?;
        let close = channel::Close {
            reply_code: 200,
            reply_text: "OK".into(),
            class_id: 0,
            method_id: 0,
        };
        self.method(1, AMQPClass::Channel(channel::AMQPMethod::Close(close)))
            .await?;
        Ok(timeout(PATIENCE, self.expect([20, 41])).await?.is_ok())
    }
}

/// Frames that no client library would write: names and texts of any bytes, unknown types, lengths that lie, unknown
/// flags. What the broker refuses does not arrive; what it passes on does no harm.
#[tokio::test]
async fn fault_33_properties_of_any_bytes() -> Result<()> {
    const HEADERS: u16 = 1 << 13;
    let target = Target::new(&json!({})).await?;
    target
        .world
        .vhost
        .bind("daemon", "puppet", "#.request")
        .await?;
    target
        .world
        .vhost
        .bind("plone", "puppet", "#.result")
        .await?;
    let table = |fields: &[u8]| {
        [
            &u32::try_from(fields.len()).unwrap_or(0).to_be_bytes()[..],
            fields,
        ]
        .concat()
    };
    let uuid = b"\x04UUIDS\0\0\0\x03abc";
    let with_uuid = |field: &[u8]| table(&[&uuid[..], field].concat());
    let long_name = [&[255][..], &[0xff; 255], b"V"].concat();
    let longest_key = [&[0xfe; 247][..], b".request"].concat();
    let cases: Vec<(&str, &[u8], u16, Vec<u8>)> = vec![
        ("good", b"request", HEADERS, with_uuid(b"")),
        (
            "name not UTF-8",
            b"request",
            HEADERS,
            with_uuid(b"\x02\xff\xfeV"),
        ),
        (
            "longest name, not UTF-8",
            b"request",
            HEADERS,
            with_uuid(&long_name),
        ),
        ("empty name", b"request", HEADERS, with_uuid(b"\0V")),
        (
            "key not UTF-8",
            b"\xff\xfe.request",
            HEADERS,
            with_uuid(b""),
        ),
        (
            "longest key, not UTF-8",
            &longest_key,
            HEADERS,
            with_uuid(b""),
        ),
        ("unknown type", b"request", HEADERS, with_uuid(b"\x01aZ")),
        (
            "type of no AMQP",
            b"request",
            HEADERS,
            with_uuid(b"\x01a\xff\0\0"),
        ),
        (
            "a table longer than its frame",
            b"request",
            HEADERS,
            b"\xff\xff\xff\xff".to_vec(),
        ),
        (
            "a text longer than its table",
            b"request",
            HEADERS,
            with_uuid(b"\x01aS\0\0\xff\xff"),
        ),
        (
            "a table that ends in a name",
            b"request",
            HEADERS,
            with_uuid(b"\x09a"),
        ),
        ("every flag", b"request", 0xffff, with_uuid(b"")),
        ("flags and nothing", b"request", 0xfffc, Vec::new()),
        (
            "texts of any bytes",
            b"request",
            0xcafc & !HEADERS,
            vec![0xff; 40],
        ),
        (
            "reply_to not UTF-8",
            b"request",
            HEADERS | 1 << 9,
            [with_uuid(b""), b"\x02\xff\xfe".to_vec()].concat(),
        ),
        (
            "correlation_id not UTF-8",
            b"request",
            HEADERS | 1 << 10,
            [with_uuid(b""), b"\x02\xff\xfe".to_vec()].concat(),
        ),
    ];
    let mut passed = Vec::new();
    for (what, key, flags, properties) in cases {
        let publisher = RawPublisher::connect(&target.world.vhost).await?;
        if publisher
            .publish(key, flags, &properties)
            .await
            .unwrap_or(false)
        {
            passed.push(what);
        }
        target.lives().await.with_context(|| what.to_owned())?;
    }
    println!("passed on by the broker: {passed:?}");
    for expected in [
        "good",
        "name not UTF-8",
        "key not UTF-8",
        "longest key, not UTF-8",
        "correlation_id not UTF-8",
    ] {
        assert!(
            passed.contains(&expected),
            "{expected} did not arrive: {passed:?}"
        );
    }
    target.is_unharmed().await
}

/// Tables and arrays deeper than anybody reads: the message loses its properties, so it is dropped; the daemon goes on.
#[tokio::test]
async fn fault_33_deep_tables() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    for (depth, array) in [
        (33, true),
        (33, false),
        (1000, true),
        (15_000, false),
        (20_000, true),
    ] {
        let mut field = b"V".to_vec();
        for _ in 0..depth {
            let name: &[u8] = if array { b"" } else { b"\0" };
            let length = u32::try_from(field.len() + name.len())?.to_be_bytes();
            let kind = if array { b"A" } else { b"F" };
            field = [&kind[..], &length, name, &field].concat();
        }
        let length = u32::try_from(field.len() + 5)?.to_be_bytes();
        let headers = [&length[..], b"\x04deep", &field].concat();
        let publisher = RawPublisher::connect(&target.world.vhost).await?;
        assert!(
            publisher.publish(b"request", 1 << 13, &headers).await?,
            "{depth}"
        );
        target.lives().await?;
    }
    target.is_unharmed().await?;
    assert!(target.caller.unclaimed().is_empty());
    let log = target.world.daemon.log();
    assert_eq!(log.matches("properties cannot be read").count(), 5, "{log}");
    Ok(())
}
