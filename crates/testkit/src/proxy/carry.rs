//! Carries the bytes of one direction.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::fault::{End, Hole};

/// The most bytes carried at once.
const CHUNK: usize = 16 * 1024;
/// How many chunks may be under way when there is a delay: a megabyte.
const UNDER_WAY: usize = 64;

/// What holds for one direction of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) hole: Option<Hole>,
    pub(super) delay: Duration,
    /// Bytes a second.
    pub(super) rate: Option<u32>,
    /// Nothing more is sent to the receiver.
    pub(super) half_closed: bool,
}

/// How many bytes may pass, and how the connection ends then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) bytes: u64,
    pub(super) how: End,
}

/// Carries bytes by the rules as they change, until `from` ends; then `to` is told so. An error says how the whole
/// connection must end.
pub(super) async fn carry(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    rules: watch::Receiver<Rules>,
    budget: Option<Budget>,
    arrived: impl Fn(usize),
) -> Result<(), End> {
    let (chunks, due) = mpsc::channel(UNDER_WAY);
    tokio::try_join!(
        receive(from, rules.clone(), chunks),
        send(to, rules, budget, due, arrived)
    )?;
    Ok(())
}

async fn receive(
    mut from: impl AsyncRead + Unpin,
    mut rules: watch::Receiver<Rules>,
    chunks: mpsc::Sender<(Instant, Vec<u8>)>,
) -> Result<(), End> {
    let mut buffer = vec![0; CHUNK];
    loop {
        // What is held stays with its sender, as far as possible: its buffers fill, as they would on a real network.
        let rate = not_held(&mut rules).await?.rate;
        let most = rate.map_or(CHUNK, |rate| (rate as usize / 20).clamp(1, CHUNK));
        let read = tokio::select! {
            biased;
            // Not by rules that hold no more.
            Ok(()) = rules.changed() => continue,
            read = from.read(&mut buffer[..most]) => read,
        };
        let count = match read {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(_) => return Err(End::Reset),
        };
        let now = *rules.borrow();
        if now.hole == Some(Hole::Swallow) {
            continue;
        }
        let chunk = (Instant::now() + now.delay, buffer[..count].to_vec());
        if chunks.send(chunk).await.is_err() {
            return Ok(());
        }
        if let Some(rate) = rate {
            sleep(Duration::from_secs_f64(count as f64 / f64::from(rate))).await;
        }
    }
}

async fn send(
    mut to: impl AsyncWrite + Unpin,
    mut rules: watch::Receiver<Rules>,
    budget: Option<Budget>,
    mut due: mpsc::Receiver<(Instant, Vec<u8>)>,
    arrived: impl Fn(usize),
) -> Result<(), End> {
    let mut left = budget.map(|budget| budget.bytes);
    let mut half_closed = false;
    loop {
        if let (Some(0), Some(budget)) = (left, budget) {
            return Err(budget.how);
        }
        let chunk = tokio::select! {
            () = told_to_half_close(&mut rules), if !half_closed => {
                half_closed = true;
                let _ = to.shutdown().await;
                continue;
            }
            chunk = due.recv() => chunk,
        };
        let Some((when, bytes)) = chunk else { break };
        sleep_until(when).await;
        if not_held(&mut rules).await?.half_closed || half_closed {
            continue;
        }
        let count = left.map_or(bytes.len(), |left| {
            bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
        });
        if to.write_all(&bytes[..count]).await.is_err() {
            return Err(End::Reset);
        }
        arrived(count);
        left = left.map(|left| left - count as u64);
    }
    // Not before the hole is healed: nor would an end of file get through.
    not_held(&mut rules).await?;
    let _ = to.shutdown().await;
    Ok(())
}

async fn told_to_half_close(rules: &mut watch::Receiver<Rules>) {
    let _ = rules.wait_for(|rules| rules.half_closed).await;
}

/// The rules, once they let bytes pass.
async fn not_held(rules: &mut watch::Receiver<Rules>) -> Result<Rules, End> {
    let passing = rules.wait_for(|rules| rules.hole != Some(Hole::Hold));
    passing.await.map(|rules| *rules).map_err(|_| End::Reset)
}
