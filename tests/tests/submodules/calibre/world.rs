//! What the tests of calibredaemon share: its world, its processes and files, its callers.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::{Answer, Caller, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

pub const BOOKS: usize = 50;
pub const JOBS: u32 = 2;

pub const CZECH: &str = "Příklad\n\nPříliš žluťoučký kůň úpěl ďábelské ódy.\n";

/// The daemon, with a directory of its own for temporary files. `amqp` are further settings.
pub async fn world(amqp: Value) -> Result<World> {
    let schema = Schema::new("convert");
    let world = World::new("edeposit_amqp_calibredaemon", "CALIBRE", schema, &amqp).await?;
    fs::create_dir(jobs(&world))?;
    set(&world, json!({ "SANDBOX": "required" }))?;
    Ok(world)
}

/// With a shell script in place of the converter, and without a sandbox, so that test and script can see each other. It
/// converts; the question for its version, which `start` asks, is answered without it.
pub async fn world_with_script(script: &str, amqp: Value) -> Result<World> {
    let world = world(amqp).await?;
    let path = script_path(&world);
    fs::write(
        &path,
        format!("#!/bin/sh\n[ \"$1\" = --version ] && exit\n{script}\n"),
    )?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    set(&world, json!({ "SANDBOX": "off", "EBOOK_CONVERT": path }))?;
    Ok(world)
}

/// Sets these for the daemon's next start, beside what all worlds have.
pub fn set(world: &World, mut settings: Value) -> Result<()> {
    settings["TEMP_DIR"] = json!(jobs(world));
    settings["MAX_JOBS"] = json!(JOBS);
    world.daemon.write_settings("calibre.json", &settings)?;
    Ok(())
}

pub fn script_path(world: &World) -> PathBuf {
    world.daemon.home().join("ebook-convert")
}

pub fn jobs(world: &World) -> PathBuf {
    world.daemon.home().join("jobs")
}

pub fn files(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

/// The processes that work for this world's daemon, by all that tells: each has the directory of its conversion in its
/// environment, and while it is set up in its arguments.
pub fn processes(world: &World) -> Vec<String> {
    let jobs = jobs(world).into_os_string().into_encoded_bytes();
    let has = |bytes: &[u8]| bytes.windows(jobs.len()).any(|part| part == jobs);
    let dirs = fs::read_dir("/proc").into_iter().flatten().flatten();
    dirs.filter_map(|entry| {
        let file = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let (environment, arguments) = (file("environ"), file("cmdline"));
        (has(&environment) || has(&arguments)).then(|| {
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            format!("{:?} {arguments}", entry.file_name())
        })
    })
    .collect()
}

/// No process and no file of a conversion; for a moment there may be one that has just been killed.
pub async fn until_nothing_is_left(world: &World) -> Result<()> {
    until_no_process_is_left(world).await?;
    assert_eq!(files(&jobs(world)), 0);
    Ok(())
}

pub async fn until_no_process_is_left(world: &World) -> Result<()> {
    let gone = wait_until("no process is left", PATIENCE, async || {
        processes(world).is_empty()
    });
    gone.await.with_context(|| processes(world).join("\n"))
}

pub async fn until_files(dir: &Path, number: usize) -> Result<()> {
    let what = format!("{number} files in {}", dir.display());
    wait_until(&what, PATIENCE, async || files(dir) == number).await
}

pub fn request(from: &str, to: &str, book: &[u8]) -> String {
    json!({"__nt_name": "ConversionRequest", "input_format": from, "output_format": to, "b64_data": BASE64_STANDARD.encode(book)}).to_string()
}

/// The book of an answer.
pub fn book(answer: &Answer) -> Result<Vec<u8>> {
    let response = answer
        .json()
        .with_context(|| format!("{:?}", answer.header("exception")))?;
    assert_eq!(response["__nt_name"], "ConversionResponse", "{response}");
    let text = response["b64_data"].as_str().context("no book")?;
    assert!(text.lines().rev().skip(1).all(|line| line.len() == 80));
    Ok(BASE64_STANDARD.decode(text.replace('\n', ""))?)
}

pub async fn answer(caller: &Caller, body: String) -> Result<Answer> {
    let request = caller.request(body);
    caller.publish(&request).await?;
    let uuid = request.uuid().context("no UUID")?;
    caller.answer_to(&uuid, PATIENCE).await
}

/// Publishes requests, and returns their UUIDs.
pub async fn publish(caller: &Caller, number: usize, body: &str) -> Result<HashSet<String>> {
    let mut uuids = HashSet::new();
    for _ in 0..number {
        let request = caller.request(body);
        caller.publish(&request).await?;
        uuids.insert(request.uuid().context("no UUID")?);
    }
    Ok(uuids)
}

/// Takes answers until each of these is answered, with a book. Returns the number of answers.
pub async fn answers(caller: &Caller, mut waiting: HashSet<String>) -> Result<usize> {
    let mut number = 0;
    while !waiting.is_empty() {
        let answer = caller.next(PATIENCE).await?;
        assert!(!book(&answer)?.is_empty());
        waiting.remove(&uuid(&answer)?);
        number += 1;
    }
    Ok(number)
}

pub fn uuid(answer: &Answer) -> Result<String> {
    let uuid = answer.uuid().context("an answer without UUID")?;
    Ok(uuid.as_long_string().context("no text")?.to_string())
}
