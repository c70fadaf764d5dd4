//! Waiting for conditions: asked again every few milliseconds, given up with the name of what did not come.
//!
//! How long a wait may last is decided here, by [`PATIENCE`], and nowhere else. A limit is there so that a test that fails
//! ends; a test that passes never comes near it, however busy the machine.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for what is sure to come. What works takes seconds at most on an idle machine; where fifteen
/// processes compete for two cores everything takes eight times as long, and starting a process of Erlang's more. For
/// what is much work, some multiple of it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long to pause between two questions. Short against what is waited for, long against a round trip.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `condition` until it says true. Errs with `what` when `within` has passed.
///
/// ```
/// # use edeposit_testkit::{PATIENCE, wait_until};
/// # async fn example() -> anyhow::Result<()> {
/// # async fn consumers() -> u32 { 1 }
/// wait_until("the daemon consumes", PATIENCE, async || consumers().await == 1).await?;
/// # Ok(()) }
/// ```
pub async fn wait_until(
    what: &str,
    within: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Result<()> {
    wait_for(what, within, async || Ok(condition().await.then_some(()))).await
}

/// Asks `question` until it has an answer. Errs at the question's first error, or with `what` when `within` has passed.
pub async fn wait_for<T>(
    what: &str,
    within: Duration,
    mut question: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = question().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("waited {within:?} in vain: {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// [`wait_for`] for code that is not asynchronous.
pub fn poll_until<T>(
    what: &str,
    within: Duration,
    mut question: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = question()? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("waited {within:?} in vain: {what}");
        }
        thread::sleep(PAUSE);
    }
}
