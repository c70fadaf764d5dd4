//! calibredaemon over RabbitMQ, with the real converter.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Answer, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

const CONVERSION: Duration = Duration::from_secs(60);
const BOOKS: usize = 50;

/// The daemon, with a directory of its own for temporary files.
async fn world() -> Result<World> {
    let more = json!({ "RABBITMQ_CALIBRE_PREFETCH": 2 });
    let world = World::new(
        "edeposit_amqp_calibredaemon",
        "CALIBRE",
        Schema::new("convert"),
        &more,
    )
    .await?;
    let jobs = world.daemon.home().join("jobs");
    fs::create_dir(&jobs)?;
    world
        .daemon
        .write_settings("calibre.json", &json!({ "TEMP_DIR": jobs, "MAX_JOBS": 2 }))?;
    Ok(world)
}

fn leftovers(world: &World) -> usize {
    fs::read_dir(world.daemon.home().join("jobs")).map_or(0, Iterator::count)
}

/// Converters that work in this world's directory.
fn converters(world: &World) -> usize {
    let jobs = world.daemon.home().join("jobs");
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&*jobs.to_string_lossy()))
        .count()
}

fn request(from: &str, to: &str, b64_data: &str) -> String {
    json!({"__nt_name": "ConversionRequest", "input_format": from, "output_format": to, "b64_data": b64_data}).to_string()
}

fn response(answer: &Answer) -> Result<Value> {
    let response = answer
        .json()
        .with_context(|| format!("{:?}", answer.header("exception")))?;
    assert_eq!(response["__nt_name"], "ConversionResponse", "{response}");
    Ok(response)
}

#[tokio::test]
async fn a_czech_text_becomes_an_epub_and_a_pdf() -> Result<()> {
    let world = world().await?;
    let caller = world.start().await?;
    // "Příliš žluťoučký kůň" and a line feed.
    let sent = caller.request(request(
        "txt",
        "epub",
        "UMWZw61sacWhIMW+bHXFpW91xI1rw70ga8WvxYgK",
    ));
    caller.publish(&sent).await?;
    let epub = response(
        &caller
            .answer_to(&sent.uuid().unwrap_or_default(), CONVERSION)
            .await?,
    )?;
    let epub = epub["b64_data"].as_str().unwrap_or_default();
    let sent = caller.request(request("epub", "pdf", epub));
    caller.publish(&sent).await?;
    let pdf = response(
        &caller
            .answer_to(&sent.uuid().unwrap_or_default(), CONVERSION)
            .await?,
    )?;
    let encoded = world.daemon.home().join("pdf.b64");
    fs::write(&encoded, pdf["b64_data"].as_str().unwrap_or_default())?;
    let decoded = Command::new("base64").arg("-d").arg(&encoded).output()?;
    let path = world.daemon.home().join("book.pdf");
    fs::write(&path, decoded.stdout)?;
    assert!(
        Command::new("pdfinfo")
            .arg(&path)
            .output()?
            .status
            .success()
    );
    let text = Command::new("pdftotext").arg(&path).arg("-").output()?;
    let text = String::from_utf8(text.stdout)?;
    assert!(text.contains("Příliš žluťoučký kůň"), "{text}");

    let refused = caller.call(request("epub", "txt", "eA==")).await?;
    assert_eq!(
        refused.header("exception_name").as_deref(),
        Some("UserWarning")
    );
    world.daemon.stop()?.success()?;
    assert_eq!((leftovers(&world), converters(&world)), (0, 0));
    Ok(())
}

/// Stopped in the middle: each request is answered, and nothing is left.
#[tokio::test]
async fn every_request_is_answered_across_a_stop_and_nothing_is_left() -> Result<()> {
    let world = world().await?;
    let caller = world.start().await?;
    for _ in 0..BOOKS {
        caller
            .publish(&caller.request(request("txt", "txt", "eA==")))
            .await?;
    }
    for _ in 0..5 {
        response(&caller.next(CONVERSION).await?)?;
    }
    world.daemon.stop()?.success()?;
    assert_eq!((leftovers(&world), converters(&world)), (0, 0));
    world.daemon.start()?.success()?;
    for _ in 5..BOOKS {
        response(&caller.next(CONVERSION).await?)?;
    }
    wait_until("nothing is left", PATIENCE, async || {
        leftovers(&world) == 0 && converters(&world) == 0
    })
    .await?;
    world.daemon.stop()?.success()?;
    assert!(caller.unclaimed().is_empty());
    Ok(())
}
