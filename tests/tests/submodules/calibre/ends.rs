//! calibredaemon is stopped or killed: requests are answered all the same, and neither files nor processes are left.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_testkit::{Tripwire, wait_until};
use edeposit_tests::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::world::*;

/// Stopped in the middle: each request is answered once, and nothing is left.
#[tokio::test]
async fn fifty_books_across_a_stop() -> Result<()> {
    let world = world(json!({})).await?;
    let caller = world.start().await?;
    let mut waiting = publish(&caller, BOOKS, &request("txt", "txt", CZECH.as_bytes())).await?;
    for _ in 0..5 {
        let answer = caller.next(PATIENCE).await?;
        book(&answer)?;
        assert!(waiting.remove(&uuid(&answer)?));
    }
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    world.daemon.start()?.success()?;
    let number = waiting.len();
    assert_eq!(answers(&caller, waiting).await?, number);
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    assert!(caller.unclaimed().is_empty());
    Ok(())
}

/// Killed in the middle, several times at other moments of a conversion: its processes end with the daemon, the next one
/// removes the files, and each request is answered.
#[tokio::test]
async fn fifty_books_across_kills() -> Result<()> {
    let world = world(json!({})).await?;
    let caller = world.start().await?;
    let mut waiting = publish(&caller, BOOKS, &request("txt", "txt", CZECH.as_bytes())).await?;
    let mut swept = 0;
    for delay in [0, 5, 20, 100, 400] {
        // No request that a daemon died with is in hand any more: one that three died with would be set aside.
        for _ in 0..2 * JOBS {
            let answer = caller.next(PATIENCE).await?;
            book(&answer)?;
            waiting.remove(&uuid(&answer)?);
        }
        // The next conversion is being set up, or runs.
        tokio::time::sleep(Duration::from_millis(delay)).await;
        world.daemon.signal(Signal::KILL)?;
        until_no_process_is_left(&world).await?;
        let left: HashSet<_> = fs::read_dir(jobs(&world))?
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        swept += left.len();
        world.daemon.start()?.success()?;
        let now = fs::read_dir(jobs(&world))?.flatten();
        assert!(
            now.map(|entry| entry.file_name())
                .all(|name| !left.contains(&name))
        );
    }
    assert!(swept > 0);
    answers(&caller, waiting).await?;
    world.daemon.stop()?.success()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    Ok(())
}

/// Killed while the sandbox is set up, which takes some milliseconds: bubblewrap alone would leave a process behind then.
#[tokio::test]
async fn no_process_is_left_by_a_kill_at_the_beginning() -> Result<()> {
    let world = world(json!({})).await?;
    let caller = world.caller().await?;
    for round in 0..12 {
        world.daemon.start()?.success()?;
        publish(&caller, 2, &request("txt", "txt", b"x")).await?;
        wait_until("a conversion begins", PATIENCE, async || {
            !processes(&world).is_empty()
        })
        .await?;
        tokio::time::sleep(Duration::from_millis(round)).await;
        world.daemon.signal(Signal::KILL)?;
        until_no_process_is_left(&world).await?;
    }
    world.daemon.start()?.success()?;
    world.daemon.stop()?.success()?;
    until_nothing_is_left(&world).await
}

/// Killed while a conversion's directory is removed: the next one goes on with what is left.
#[tokio::test]
async fn a_removal_that_was_cut_off_is_finished() -> Result<()> {
    const FILES: usize = 10_000;
    let script = format!(
        r#"d="$(dirname "$0")"; [ -e "$d/made" ] || {{ (cd tmp && seq {FILES} | xargs touch); touch "$d/made"; }}
        echo "EPUB output written to $2"; echo book >"$2""#
    );
    let world = world_with_script(&script, json!({})).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid().context("no pid")?;
    let _tripwire = Tripwire::kill_at(pid, "unlinkat", FILES / 2)?;
    let waiting = publish(&caller, 1, &request("txt", "epub", b"x")).await?;
    wait_until("the daemon is killed", PATIENCE, async || {
        world.daemon.processes().is_empty()
    })
    .await?;
    let job = fs::read_dir(jobs(&world))?.next().context("no job")??;
    let left = files(&job.path().join("work/tmp"));
    assert!((100..FILES - 100).contains(&left), "{left} are left");
    world.daemon.start()?.success()?;
    assert!(!job.path().exists());
    answers(&caller, waiting).await?;
    until_nothing_is_left(&world).await
}

/// Without a sandbox the converter and what it started end with the daemon, and what left its process group at the next start.
#[tokio::test]
async fn without_a_sandbox_nothing_is_left_after_a_kill_and_a_start() -> Result<()> {
    let script = r#"d="$(dirname "$0")"
        [ -e "$d/begun" ] && { echo "EPUB output written to $2"; echo book >"$2"; exit; }
        setsid sh -c 'trap "" TERM; while :; do sleep 1; done' &
        touch "$d/begun"; while :; do sleep 1; done"#;
    let world = world_with_script(script, json!({ "RABBITMQ_CALIBRE_PREFETCH": 1 })).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 1, &request("txt", "epub", b"x")).await?;
    let begun = world.daemon.home().join("begun");
    wait_until("it has begun", PATIENCE, async || begun.exists()).await?;
    world.daemon.signal(Signal::KILL)?;
    wait_until("the converter ends", PATIENCE, async || {
        let left = processes(&world);
        !left.is_empty() && left.iter().all(|line| !line.contains("ebook-convert"))
    })
    .await?;
    assert_eq!(files(&jobs(&world)), 1);
    world.daemon.start()?.success()?;
    answers(&caller, waiting).await?;
    until_nothing_is_left(&world).await
}

/// Defect 10: a conversion that does not end in the time to stop is ended, and its request goes back to the queue.
#[tokio::test]
async fn a_stop_ends_conversions_that_do_not_end() -> Result<()> {
    let script = r#"trap '' TERM INT; d="$(dirname "$0")"
        [ -e "$d/quick" ] && { echo "EPUB output written to $2"; echo book >"$2"; exit; }
        setsid sleep 1000 & touch "$d/begun.$$"; while :; do sleep 1; done"#;
    let world = world_with_script(script, json!({ "RABBITMQ_CALIBRE_DRAIN_TIMEOUT": 1 })).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 2, &request("txt", "epub", b"x")).await?;
    until_files(&jobs(&world), 2).await?;
    world.daemon.stop()?;
    assert_eq!(processes(&world), Vec::<String>::new());
    assert_eq!(files(&jobs(&world)), 0);
    fs::write(world.daemon.home().join("quick"), "")?;
    world.daemon.start()?.success()?;
    assert_eq!(answers(&caller, waiting).await?, 2);
    until_nothing_is_left(&world).await
}

/// systemd sends SIGTERM to all processes of a unit: the daemon finishes what it has in hand all the same.
#[tokio::test]
async fn a_signal_to_all_processes_ends_no_conversion() -> Result<()> {
    let world = world(json!({})).await?;
    let caller = world.start().await?;
    let waiting = publish(&caller, 2, &request("txt", "pdf", CZECH.as_bytes())).await?;
    wait_until("the converters run", PATIENCE, async || {
        let converters = processes(&world)
            .iter()
            .filter(|line| line.contains("python"))
            .count();
        converters >= 2
    })
    .await?;
    world.daemon.signal(Signal::TERM)?;
    for process in processes(&world) {
        let pid = process.split('"').nth(1).and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw).context("no pid")?;
        // Some of them are short-lived.
        let _ = kill_process(pid, Signal::TERM);
    }
    assert_eq!(answers(&caller, waiting).await?, 2);
    wait_until("the daemon ends", PATIENCE, async || {
        world.daemon.pid().is_none()
    })
    .await?;
    until_nothing_is_left(&world).await
}
