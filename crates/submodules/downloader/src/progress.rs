//! When a progress message is due.
//!
//! A file of `n` bytes is divided into `steps` parts; a message is due when another part is complete. The bytes are looked
//! at in pieces of 5120, as the original did: one piece may complete several parts, and then only the last is told. If
//! nobody knows `n`, the parts are those of the largest file there may be, and the last one is told at the end.

use edeposit_amqpdaemon::{Exception, Sendback};

use crate::messages::Progress;

const PIECE: u64 = 5120;

/// Where a download is.
#[derive(Debug)]
pub(crate) struct Steps {
    steps: u64,
    length: Option<u64>,
    /// What the parts are parts of.
    whole: u64,
    received: u64,
    /// So many of the received bytes were looked at.
    counted: u64,
    told: u64,
}

impl Steps {
    pub fn new(steps: u64, length: Option<u64>, max_size: u64) -> Self {
        Self {
            steps,
            length,
            whole: length.unwrap_or(max_size).max(1),
            received: 0,
            counted: 0,
            told: 0,
        }
    }

    pub fn receive(&mut self, bytes: u64) {
        self.received += bytes;
    }

    /// The next message that is due: step, and bytes by then.
    pub fn due(&mut self) -> Option<(u64, u64)> {
        let is_end = self.length == Some(self.received);
        while self.counted + PIECE <= self.received || (is_end && self.counted < self.received) {
            self.counted = self.received.min(self.counted + PIECE);
            let parts = u128::from(self.counted) * u128::from(self.steps) / u128::from(self.whole);
            let last = match self.length {
                Some(_) => self.steps,
                None => self.steps - 1,
            };
            let step = u64::try_from(parts).unwrap_or(u64::MAX).min(last);
            if step > self.told {
                self.told = step;
                return Some((step, self.counted));
            }
        }
        None
    }

    /// The last message, if it was not due before: step, and bytes in all.
    pub fn end(&self) -> Option<(u64, u64)> {
        let is_missing = self.received > 0 && self.told < self.steps;
        is_missing.then_some((self.steps, self.received))
    }
}

/// Sends the messages that are due.
pub(crate) struct Reporter<'a> {
    sendback: &'a Sendback,
    url: Option<&'a str>,
    steps: Steps,
}

impl<'a> Reporter<'a> {
    pub fn new(sendback: &'a Sendback, url: Option<&'a str>, steps: Steps) -> Self {
        Self {
            sendback,
            url,
            steps,
        }
    }

    /// So many more bytes have come.
    pub async fn receive(&mut self, bytes: u64) -> Result<(), Exception> {
        self.steps.receive(bytes);
        while let Some(due) = self.steps.due() {
            self.send(due, self.steps.length).await?;
        }
        Ok(())
    }

    /// That was all.
    pub async fn end(self) -> Result<(), Exception> {
        match self.steps.end() {
            Some(last) => self.send(last, Some(last.1)).await,
            None => Ok(()),
        }
    }

    async fn send(
        &self,
        (step, downloaded): (u64, u64),
        content_length: Option<u64>,
    ) -> Result<(), Exception> {
        let progress = Progress {
            url: self.url.map(str::to_owned),
            step,
            downloaded,
            content_length,
        };
        self.sendback.send(&progress).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: u64, length: Option<u64>, arrivals: &[u64]) -> Vec<(u64, u64)> {
        let mut progress = Steps::new(steps, length, 100_000);
        let mut told = Vec::new();
        for bytes in arrivals {
            progress.receive(*bytes);
            told.extend(std::iter::from_fn(|| progress.due()));
        }
        told.extend(progress.end());
        told
    }

    #[test]
    fn the_originals_table_made_total() {
        let mb = 1 << 20;
        for (length, steps, expected) in [
            (
                20000,
                4,
                vec![(1, 5120), (2, 10240), (3, 15360), (4, 20000)],
            ),
            (
                5 * mb,
                5,
                vec![
                    (1, 1_049_600),
                    (2, 2_099_200),
                    (3, 3_148_800),
                    (4, 4_198_400),
                    (5, 5_242_880),
                ],
            ),
            (100_000, 3, vec![(1, 35840), (2, 71680), (3, 100_000)]),
            (12345, 10, vec![(4, 5120), (8, 10240), (10, 12345)]),
            (10, 5, vec![(5, 10)]),
            (15, 4, vec![(4, 15)]),
            (1099, 100, vec![(100, 1099)]),
            (3, 5, vec![(5, 3)]),
            (0, 5, vec![]),
        ] {
            // all at once, and in many small arrivals
            assert_eq!(told(steps, Some(length), &[length]), expected);
            if length <= 100_000 {
                let single = vec![1; usize::try_from(length).unwrap()];
                assert_eq!(told(steps, Some(length), &single), expected);
            }
        }
    }

    #[test]
    fn without_a_length() {
        assert_eq!(
            told(4, None, &[60_000, 1000]),
            [(1, 25_600), (2, 51_200), (4, 61_000)]
        );
        assert_eq!(told(1, None, &[60_000]), [(1, 60_000)]);
        assert_eq!(told(2, None, &[100_000]), [(1, 51_200), (2, 100_000)]);
        assert_eq!(told(7, None, &[]), []);
        // more steps than bytes, and the largest number of all
        for steps in [1, 2, 1000, u64::MAX] {
            for arrivals in [&[1_u64][..], &[99_999, 1], &[5120, 5120]] {
                for length in [None, Some(arrivals.iter().sum())] {
                    let told = told(steps, length, arrivals);
                    assert!(told.len() as u64 <= steps);
                    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0));
                    assert_eq!(told.last(), Some(&(steps, arrivals.iter().sum())));
                }
            }
        }
    }
}
