//! What a message can do to a daemon: nothing. Its caller hears of it, memory stays bounded, and the same process goes on.

use std::fs;
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, gen_frame};
use amq_protocol::protocol::{AMQPClass, channel, connection};
use anyhow::{Context, Result, ensure};
use edeposit_testkit::{Answer, Caller, RabbitNode, Schema, Vhost, wait_until};
use edeposit_tests::{PATIENCE, World};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;

/// With so many handlers that block their threads for ever, a daemon ends.
const MOST_STUCK: usize = 8;

/// A daemon that is attacked, and must be the same process in the same session afterwards.
struct Target {
    world: World,
    caller: Caller,
    pid: i32,
}

impl Target {
    async fn new(settings: &serde_json::Value) -> Result<Self> {
        Self::start(World::puppet(settings).await?).await
    }

    async fn start(world: World) -> Result<Self> {
        let caller = world.start().await?;
        let pid = world.daemon.pid().context("a pid")?;
        Ok(Self { world, caller, pid })
    }

    /// A good request is answered by the same process.
    async fn lives(&self) -> Result<()> {
        let answer = self.caller.call(ECHO).await?;
        ensure!(answer.json()?["text"] == "x", "{}", answer.text());
        ensure!(self.world.daemon.pid() == Some(self.pid), "another process");
        Ok(())
    }

    /// At the end: everything is settled, and no session was lost.
    async fn is_unharmed(&self) -> Result<()> {
        self.lives().await?;
        wait_until("all requests are settled", PATIENCE, async || {
            matches!(self.world.vhost.queue("daemon"), Ok(Some(queue)) if queue.ready + queue.unacked == 0)
        })
        .await?;
        let log = self.world.daemon.log();
        ensure!(!log.contains("no session with RabbitMQ"), "{log}");
        ensure!(!log.contains("panic in thread amqp"), "{log}");
        Ok(())
    }

    /// Asks for an answer of so many bytes, and is told that the broker denies it.
    async fn is_denied(&self, bytes: u64) -> Result<()> {
        let body = format!(r#"{{"__nt_name": "Large", "bytes": {bytes}}}"#);
        let request = self.caller.request(body);
        self.caller.publish(&request).await?;
        let uuid = request.uuid().context("a UUID")?;
        let answer = self
            .caller
            .answer_to(&uuid, Duration::from_secs(200))
            .await?;
        let (name, text) = exception(&answer);
        ensure!(name == "OverflowError", "{name}: {text}");
        ensure!(text.contains("RabbitMQ denies the answer"), "{text}");
        self.lives().await
    }

    /// The most memory the daemon has had so far, in kB.
    fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("VmHWM")?.parse()?)
    }
}

/// Name and text of the exception in an answer.
fn exception(answer: &Answer) -> (String, String) {
    let header = |name| answer.header(name).unwrap_or_default();
    (header("exception_name"), header("exception"))
}

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

/// Bodies that are no request: each is answered with an exception that says why.
#[tokio::test]
async fn fault_32_bodies_that_are_no_request() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "No JSON object could be decoded"),
        (b"\0".to_vec(), "No JSON object could be decoded"),
        (vec![0; 100_000], "No JSON object could be decoded"),
        (b"asd".to_vec(), "No JSON object could be decoded"),
        (b"NaN".to_vec(), "No JSON object could be decoded"),
        (
            b"\xff\xfe\xfd".to_vec(),
            "'utf8' codec can't decode byte 0xff in position 0",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": \"\xe9\"}".to_vec(),
            "byte 0xe9 in position 31",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": \"\0\"}".to_vec(),
            "control character",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\"".to_vec(),
            "EOF while parsing",
        ),
        (b"{} {}".to_vec(), "Extra data"),
        (b"[]".to_vec(), "Unknown type of request"),
        (b"{}".to_vec(), "Unknown type of request"),
        (b"{\"__nt_name\": \"Nope\"}".to_vec(), "Nope"),
        (b"{\"__nt_name\": [[]]}".to_vec(), "[[]]"),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": 1e999}".to_vec(),
            "number out of range",
        ),
        (
            b"{\"__nt_name\": \"Echo\", \"text\": 5}".to_vec(),
            "text: expected a string",
        ),
        (b"{\"__nt_name\": \"Echo\"}".to_vec(), "Echo lacks text"),
        (deep("[", "]").into_bytes(), "nested deeper than"),
        (deep("{\"a\":", "}").into_bytes(), "nested deeper than"),
        ("[".repeat(1_000_000).into_bytes(), "nested deeper than"),
    ];
    for (body, words) in cases {
        let answer = target.caller.call(body).await?;
        let (name, text) = exception(&answer);
        assert!(
            !name.is_empty() && text.contains(words),
            "{name}: {text} has no {words:?}"
        );
        target.lives().await?;
    }
    target.is_unharmed().await
}

/// Bodies of 100 MB, good and bad: memory stays within some copies of the body, and is given back.
#[tokio::test]
async fn fault_32_a_body_of_100_mb() -> Result<()> {
    const SIZE: usize = 100_000_000;
    let target = Target::new(&json!({ "RABBITMQ_PREFETCH": 1 })).await?;
    let with_text = |text: String| format!(r#"{{"__nt_name": "Echo", "text": "{text}"}}"#);
    let cases = [
        ("one text", with_text("x".repeat(SIZE)), None),
        (
            "garbage",
            "?".repeat(SIZE),
            Some("No JSON object could be decoded"),
        ),
        (
            "small values",
            format!("[{}1]", "1,".repeat(SIZE / 2)),
            Some("more than 500000 values"),
        ),
        (
            "small objects",
            format!("[{}1]", "{\"\":1},".repeat(SIZE / 7)),
            Some("more than 500000 values"),
        ),
    ];
    for (what, body, refused) in cases {
        let request = target.caller.request(body);
        target.caller.publish(&request).await?;
        let answer = target
            .caller
            .answer_to(&request.uuid().context("a UUID")?, Duration::from_secs(120))
            .await?;
        match refused {
            Some(words) => assert!(
                exception(&answer).1.contains(words),
                "{what}: {}",
                exception(&answer).1
            ),
            None => assert!(!answer.is_exception() && answer.body.len() > SIZE, "{what}"),
        }
        let peak = target.peak()?;
        println!("{what}: at most {peak} kB so far");
        assert!(peak < 8 * 100_000, "{what}: {peak} kB");
        target.lives().await?;
    }
    target.is_unharmed().await
}

/// Larger than the setting allows: refused with the limit, the body is not even looked at.
#[tokio::test]
async fn fault_32_too_large_a_request_is_refused_with_the_limit() -> Result<()> {
    let target = Target::new(&json!({ "RABBITMQ_MAX_REQUEST_SIZE": 1000 })).await?;
    let text = "x".repeat(1000);
    let answer = target
        .caller
        .call(format!(r#"{{"__nt_name": "Echo", "text": "{text}"}}"#))
        .await?;
    let (name, text) = exception(&answer);
    assert_eq!(name, "ValueError");
    assert!(
        text.contains("accepts 1000 (RABBITMQ_MAX_REQUEST_SIZE)"),
        "{text}"
    );
    target.is_unharmed().await
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

/// A handler that panics: its caller has an exception, the others are served.
#[tokio::test]
async fn fault_35_a_handler_that_panics_costs_its_caller_an_exception_only() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    for _ in 0..20 {
        let answer = target
            .caller
            .call(r#"{"__nt_name": "Panic", "message": "oh no"}"#)
            .await?;
        let expected = (
            "RuntimeError".to_owned(),
            "The request made its handler fail: oh no".to_owned(),
        );
        assert_eq!(exception(&answer), expected);
    }
    assert!(target.world.daemon.log().contains("oh no"));
    target.is_unharmed().await
}

/// Handlers that wait for ever: each caller has a TimeoutError, and the places of all are free again.
#[tokio::test]
async fn fault_36_a_handler_that_never_returns() -> Result<()> {
    never_returns("Sleep").await
}

/// Handlers that block their thread for ever, one fewer than the daemon bears: the same.
#[tokio::test]
async fn fault_36_a_handler_that_blocks_for_ever() -> Result<()> {
    never_returns("Block").await
}

/// One more: the daemon finishes what else is in hand and ends with an exit code that has it started anew. Nothing is lost
/// or carried out twice.
#[tokio::test]
async fn fault_36_too_many_handlers_block_for_ever() -> Result<()> {
    let settings = json!({ "RABBITMQ_PUPPET_HANDLER_TIMEOUT": 1, "RABBITMQ_PREFETCH": 4 });
    let mut world = World::puppet(&settings).await?;
    let caller = world.caller().await?;
    world.daemon.start_in_foreground(&[])?;
    for _ in 0..MOST_STUCK {
        let block = json!({ "__nt_name": "Block", "milliseconds": 600_000 });
        caller.publish(&caller.request(block.to_string())).await?;
    }
    for _ in 0..MOST_STUCK - 1 {
        let (name, _) = exception(&caller.next(PATIENCE).await?);
        assert_eq!(name, "TimeoutError");
    }
    // Jobs come and go until it has ended.
    let mut jobs = Vec::new();
    while world.daemon.pid().is_some() {
        let job = json!({ "__nt_name": "Sleep", "milliseconds": 200 });
        let job = caller.request(job.to_string());
        caller.publish(&job).await?;
        jobs.push(job.uuid().context("a UUID")?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.daemon.wait_foreground(PATIENCE)?, Some(70));
    world.daemon.start()?.success()?;
    for job in &jobs {
        let answer = caller.answer_to(job, PATIENCE).await?;
        assert_eq!(answer.json()?["redelivered"], false, "{}", answer.text());
    }
    let (name, _) = exception(&caller.next(PATIENCE).await?);
    assert_eq!(name, "TimeoutError");
    assert!(caller.unclaimed().is_empty());
    let log = world.daemon.log();
    for line in [
        "with 8 the daemon ends",
        "finishing the requests in hand",
        "ended with exit code 70",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    Ok(())
}

async fn never_returns(kind: &str) -> Result<()> {
    for prefetch in [1, 2] {
        none_returns(kind, prefetch)
            .await
            .with_context(|| format!("with a prefetch of {prefetch}"))?;
    }
    Ok(())
}

async fn none_returns(kind: &str, prefetch: u16) -> Result<()> {
    let settings = json!({ "RABBITMQ_PUPPET_HANDLER_TIMEOUT": 0.5, "RABBITMQ_PREFETCH": prefetch, "RABBITMQ_DRAIN_TIMEOUT": 1 });
    let target = Target::new(&settings).await?;
    for _ in 0..MOST_STUCK - 1 {
        let request = target.caller.request(format!(
            r#"{{"__nt_name": "{kind}", "milliseconds": 600000}}"#
        ));
        target.caller.publish(&request).await?;
    }
    for _ in 0..MOST_STUCK - 1 {
        let (name, text) = exception(&target.caller.next(PATIENCE).await?);
        assert_eq!(name, "TimeoutError");
        assert!(text.contains("0.5 s (RABBITMQ_HANDLER_TIMEOUT)"), "{text}");
    }
    target.is_unharmed().await?;
    target.world.daemon.stop()?.success()?;
    Ok(())
}

/// An answer that JSON has no form for: an exception in its place.
#[tokio::test]
async fn fault_37_an_answer_that_is_no_json() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    let answer = target
        .caller
        .call(r#"{"__nt_name": "Vyhod", "co": "unserializable"}"#)
        .await?;
    let expected = (
        "TypeError".to_owned(),
        "NaN is not JSON serializable".to_owned(),
    );
    assert_eq!(exception(&answer), expected);
    target.is_unharmed().await
}

/// A world on a node of its own.
async fn on(node: &RabbitNode) -> Result<World> {
    let vhost = node.vhost("puppet")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = edeposit_testkit::DaemonUnderTest::new("edeposit-test-puppet")?;
    daemon.connect_to(
        &vhost,
        "PUPPET",
        &json!({ "RABBITMQ_PUPPET_EXCHANGE": "puppet" }),
    )?;
    Ok(World {
        daemon,
        vhost,
        schema,
    })
}

/// Answers larger than the broker takes: an exception in their place, in the same session.
#[tokio::test]
async fn fault_37_an_answer_larger_than_the_broker_takes() -> Result<()> {
    let node = RabbitNode::start()?;
    node.ctl(&[
        "eval",
        "application:set_env(rabbit, max_message_size, 100000).",
    ])?;
    let target = Target::start(on(&node).await?).await?;
    for bytes in [100_001, 10_000_000] {
        target.is_denied(bytes).await?;
    }
    target.is_unharmed().await
}

/// An answer of 1 GB, eight times what the broker takes by default: the same.
#[tokio::test]
async fn fault_37_an_answer_of_1_gb() -> Result<()> {
    const NEEDED_KB: u64 = 8_000_000;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let available = memory
        .lines()
        .find(|line| line.starts_with("MemAvailable:"));
    let available = available.and_then(|line| line.split_whitespace().nth(1));
    if available.context("MemAvailable")?.parse::<u64>()? < NEEDED_KB {
        eprintln!("not checked: this takes {NEEDED_KB} kB of memory");
        return Ok(());
    }
    let node = RabbitNode::start()?;
    let target = Target::start(on(&node).await?).await?;
    target.is_denied(1_000_000_000).await?;
    println!("at most {} kB", target.peak()?);
    target.is_unharmed().await
}

/// The output queue is gone: answers are parked, requests settled, and with the queue back all is as before.
#[tokio::test]
async fn fault_39_the_output_queue_is_gone() -> Result<()> {
    let target = Target::new(&json!({})).await?;
    target.world.vhost.delete_queue("plone")?;
    target.caller.publish(&target.caller.request(ECHO)).await?;
    target
        .caller
        .publish(&target.caller.request("no JSON"))
        .await?;
    wait_until("both answers are parked", PATIENCE, async || {
        matches!(target.world.vhost.queue("daemon.parked"), Ok(Some(queue)) if queue.ready == 2)
    })
    .await?;
    target.world.vhost.declare(&target.world.schema).await?;
    let world = &target.world;
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    assert_eq!(world.daemon.pid(), Some(target.pid));
    assert!(!world.daemon.log().contains("no session with RabbitMQ"));
    world.daemon.stop()?.success()?;
    let log = world.daemon.log();
    let parked = "no queue takes this answer; it is parked";
    assert_eq!(log.matches(parked).count(), 1, "once for the same reason");
    assert!(log.contains("1 more answers were parked"), "{log}");
    assert!(log.contains(" 2 parked"), "{log}");
    Ok(())
}
