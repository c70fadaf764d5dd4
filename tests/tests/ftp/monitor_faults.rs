//! ftp_monitord when the broker fails and when it is killed: nothing a user has handed in is lost, and what has been marked
//! as sent is not sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use crate::monitored::{BOOK, CSV, IMPORT_LOG, LOCK, Monitored, PROGRAM, items, next};
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::{
    Caller, DaemonUnderTest, End, FaultProxy, Hole, ProFtpd, RabbitNode, Refusal, Schema, Tripwire,
    Way, wait_until,
};
use edeposit_tests::{PATIENCE, World};
use rustix::process::Signal;
use serde_json::{Value, json};

/// The monitor, which reaches the broker by way of a proxy.
async fn behind_proxy(settings: &Value) -> Result<(Monitored, FaultProxy)> {
    let node = RabbitNode::shared()?;
    let proxy = FaultProxy::to(node.amqp_port())?;
    let amqp = json!({"RABBITMQ_PORT": proxy.port(), "RABBITMQ_PUBLISH_TIMEOUT": 3, "RABBITMQ_CONNECT_TIMEOUT": 3});
    Ok((Monitored::with(settings, &amqp).await?, proxy))
}

/// Defect 1: while the broker is away the user's files stay as they are; when it is back they are imported, once.
#[tokio::test]
async fn broker_down_during_the_trigger() -> Result<()> {
    let (monitored, proxy) = behind_proxy(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    proxy.refuse(Refusal::Closed)?;
    proxy.cut(End::Reset);
    wait_until("the loss is noticed", PATIENCE, async || {
        monitored
            .world
            .daemon
            .status()
            .is_ok_and(|status| status.stdout.contains("waiting for RabbitMQ"))
    })
    .await?;
    session.put("k.csv", CSV.as_bytes())?;
    session.put("k.pdf", BOOK)?;
    session.delete(LOCK)?;
    wait_until("the import waits", PATIENCE, async || {
        monitored.world.daemon.log().contains("the import waits")
    })
    .await?;
    assert_eq!(monitored.names("argo")?, ["k.csv", "k.pdf"]);
    assert_eq!(fs::read(monitored.path("argo", "k.pdf"))?, BOOK);
    // killed and started again while the broker is away
    monitored.world.daemon.signal(Signal::KILL)?;
    assert_eq!(monitored.world.daemon.start()?.code, Some(1));
    monitored
        .world
        .daemon
        .run(&["start", "--wait"])?
        .success()?;
    assert_eq!(monitored.names("argo")?, ["k.csv", "k.pdf"]);
    proxy.accept()?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["k.csv + k.pdf"]);
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Defect 1: what was imported survives a crash of the broker, and an import during it waits.
#[tokio::test]
async fn the_broker_is_killed_and_comes_back() -> Result<()> {
    let node = RabbitNode::start()?;
    let vhost = node.vhost("ftp_monitor")?;
    let schema = Schema::new("ftp");
    vhost.declare(&schema).await?;
    node.flush_schema()?;
    let daemon = DaemonUnderTest::new(PROGRAM)?;
    daemon.connect_to(&vhost, "FTP", &json!({}))?;
    let world = World {
        daemon,
        vhost,
        schema,
    };
    let monitored = Monitored::of(ProFtpd::start()?, world, &json!({}))?;
    let mut session = monitored.user("argo")?;
    session.put("1.epub", BOOK)?;
    monitored.world.daemon.start()?.success()?;
    session.delete(LOCK)?;
    monitored.imported("argo").await?;
    node.kill()?;
    session.put("2.epub", BOOK)?;
    session.delete(LOCK)?;
    wait_until("the import waits", PATIENCE, async || {
        monitored.world.daemon.log().contains("the import waits")
    })
    .await?;
    assert_eq!(monitored.names("argo")?, ["2.epub", IMPORT_LOG]);
    node.start_again()?;
    let reader = monitored.world.caller().await?;
    for book in ["1.epub", "2.epub"] {
        let (_, message) = next(&reader).await?;
        assert_eq!(items(&message), [format!("EbookFile {book}")]);
    }
    monitored.imported("argo").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Defect 1: a message that no queue takes, and one whose confirm does not come, delete nothing.
#[tokio::test]
async fn unroutable_and_unconfirmed() -> Result<()> {
    let (monitored, proxy) = behind_proxy(&json!({"SCAN_INTERVAL": 1})).await?;
    let mut session = monitored.user("argo")?;
    session.put("k.pdf", BOOK)?;
    let reader = monitored.world.start().await?;
    drop(reader);
    monitored.world.vhost.delete_queue("plone")?;
    session.delete(LOCK)?;
    let log = || monitored.world.daemon.log();
    wait_until("the message is returned", PATIENCE, async || {
        log().contains("was returned")
    })
    .await?;
    assert_eq!(monitored.names("argo")?, ["k.pdf"]);
    // open to the user all the while
    session.put("k2.pdf", b"second")?;
    proxy.blackhole(Way::Up, Hole::Swallow);
    monitored
        .world
        .vhost
        .declare(&monitored.world.schema)
        .await?;
    wait_until("the connection is given up", PATIENCE, async || {
        log().contains("no connection to RabbitMQ")
    })
    .await?;
    assert!(monitored.path("argo", "k.pdf").exists());
    let reader = monitored.world.caller().await?;
    assert!(reader.unclaimed().is_empty());
    proxy.heal();
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile k.pdf", "EbookFile k2.pdf"]);
    monitored.imported("argo").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Killed when everything has been read, and before the message has got to the broker: imported exactly once.
#[tokio::test]
async fn killed_between_reading_and_publishing() -> Result<()> {
    let (monitored, proxy) = behind_proxy(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    session.put("k.pdf", BOOK)?;
    let reader = monitored.world.start().await?;
    proxy.blackhole(Way::Up, Hole::Swallow);
    session.delete(LOCK)?;
    let journal = monitored.server.path("state/journal/argo");
    wait_until("the import has begun", PATIENCE, async || journal.exists()).await?;
    monitored.world.daemon.signal(Signal::KILL)?;
    assert_eq!(monitored.names("argo")?, ["k.pdf"]);
    proxy.heal();
    proxy.cut(End::Reset);
    start(&monitored.world.daemon).await?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile k.pdf"]);
    monitored.imported("argo").await?;
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Killed in the middle of deleting what is safe in the broker: deleted in the end, and not sent again.
#[tokio::test]
async fn killed_between_publishing_and_deleting() -> Result<()> {
    const FILES: usize = 4000;
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    for number in 0..FILES {
        fs::write(monitored.path("argo", &format!("{number}.epub")), "x")?;
    }
    let pid = monitored.world.daemon.pid().context("no pid")?;
    let _tripwire = Tripwire::kill_at(pid, "unlinkat", FILES / 2)?;
    session.delete(LOCK)?;
    await_end(&monitored.world.daemon).await?;
    let journal = fs::read_to_string(monitored.server.path("state/journal/argo"))?;
    assert!(journal.contains("Published"), "{journal}");
    let left = monitored.names("argo")?.len();
    assert!((100..FILES - 100).contains(&left), "{left} are left");
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message).len(), FILES);
    // what comes later is no part of what was sent, not even by the same name
    let again = monitored.path("argo", "3999.epub");
    let _ = fs::remove_file(&again);
    fs::write(&again, "another")?;
    start(&monitored.world.daemon).await?;
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, ["3999.epub", LOCK, IMPORT_LOG]);
    let report = monitored.read("argo", IMPORT_LOG)?;
    assert!(report.starts_with("Status: Ok\n"));
    assert_eq!(report.lines().count(), FILES + 3);
    assert!(reader.unclaimed().is_empty());
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile 3999.epub"]);
    monitored.imported("argo").await
}

/// Killed at random moments, again and again: every book arrives with its bytes; none that a journal had marked arrives again.
/// (Between a confirm and its mark a kill leads to a second delivery: that is the *at least once*.)
#[tokio::test]
async fn killed_at_random_moments() -> Result<()> {
    const ROUNDS: usize = 20;
    const BOOKS: usize = 12;
    const KILLS: usize = 4;
    let monitored = Monitored::new(&json!({"MAX_MESSAGE_SIZE": 30_000})).await?;
    let daemon = &monitored.world.daemon;
    let mut session = monitored.user("argo")?;
    let mut arrivals = Arrivals {
        reader: monitored.world.caller().await?,
        counts: BTreeMap::new(),
        sealed: BTreeSet::new(),
    };
    let mut moments = BTreeMap::new();
    for round in 0..ROUNDS {
        for book in 0..BOOKS {
            session.put(&format!("{round}-{book}.epub"), &content(round, book))?;
        }
        session.delete(LOCK)?;
        for kill in 0..KILLS {
            start(daemon).await?;
            let pause = (round * 11 + kill * 17) % 40;
            tokio::time::sleep(Duration::from_millis(u64::try_from(pause)?)).await;
            daemon.signal(Signal::KILL)?;
            await_end(daemon).await?;
            let journal = fs::read_to_string(monitored.server.path("state/journal/argo"));
            let moment = match &journal {
                Err(_) if monitored.path("argo", LOCK).exists() => "after",
                Err(_) => "before",
                Ok(text) if text.contains("Complete") => "while deleting",
                Ok(text) if text.contains("Published") => "between messages",
                Ok(_) => "before the first mark",
            };
            *moments.entry(moment).or_insert(0) += 1;
            let marked = marked(&journal.unwrap_or_default());
            arrivals
                .take_until(|counts| marked.iter().all(|name| counts.contains_key(name)))
                .await?;
            arrivals.sealed.extend(marked);
        }
        start(daemon).await?;
        monitored.imported("argo").await?;
        daemon.stop()?.success()?;
        let mut all = (0..BOOKS).map(|book| format!("{round}-{book}.epub"));
        arrivals
            .take_until(|counts| all.all(|name| counts.contains_key(&name)))
            .await?;
        assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
        let report = monitored.read("argo", IMPORT_LOG)?;
        assert!(report.starts_with("Status: Ok\n"), "{report}");
    }
    let again: usize = arrivals.counts.values().map(|count| count - 1).sum();
    println!(
        "{} books, {again} arrived again, {moments:?}",
        arrivals.counts.len()
    );
    assert_eq!(arrivals.counts.len(), ROUNDS * BOOKS);
    assert!(
        moments.contains_key("while deleting") || moments.contains_key("between messages"),
        "{moments:?}"
    );
    Ok(())
}

async fn await_end(daemon: &DaemonUnderTest) -> Result<()> {
    wait_until("it has ended", PATIENCE, async || {
        daemon.processes().is_empty()
    })
    .await
}

/// A process that was killed holds its lock some moments longer than its memory.
async fn start(daemon: &DaemonUnderTest) -> Result<()> {
    wait_until("it starts", PATIENCE, async || {
        daemon.start().is_ok_and(|started| started.code == Some(0))
    })
    .await
}

/// What has arrived how often.
struct Arrivals {
    reader: Caller,
    counts: BTreeMap<String, usize>,
    /// What must not arrive any more.
    sealed: BTreeSet<String>,
}

impl Arrivals {
    /// Takes messages until it is enough, and then those that are there.
    async fn take_until(
        &mut self,
        mut is_enough: impl FnMut(&BTreeMap<String, usize>) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Ok(answer) = self.reader.next(Duration::from_millis(100)).await {
                self.count(&answer.json()?)?;
            }
            if is_enough(&self.counts) {
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < end,
                "lost: only {:?} have arrived",
                self.counts.keys()
            );
        }
    }

    fn count(&mut self, message: &Value) -> Result<()> {
        for item in message["requests"].as_array().into_iter().flatten() {
            let path = item["filename"].as_str().context("no name")?;
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let data = BASE64_STANDARD.decode(item["raw_data"].as_str().context("no data")?)?;
            let number = name.trim_end_matches(".epub").split_once('-');
            let (round, book) = number.context("no number")?;
            assert!(
                data == content(round.parse()?, book.parse()?),
                "{name} has other bytes"
            );
            assert!(
                !self.sealed.contains(&name),
                "{name} was marked as sent and came again"
            );
            *self.counts.entry(name).or_default() += 1;
        }
        Ok(())
    }
}

fn content(round: usize, book: usize) -> Vec<u8> {
    format!("{round}/{book}").repeat(1000).into_bytes()
}

/// The names that the journal has as sent.
fn marked(journal: &str) -> BTreeSet<String> {
    let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
    let steps = whole
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = steps.flat_map(|step| {
        step["Published"]["files"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    });
    files
        .filter_map(|file| file["path"].as_str().map(str::to_owned))
        .collect()
}
