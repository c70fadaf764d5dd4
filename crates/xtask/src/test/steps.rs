//! Steps with a name, and a summary of how they went.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What was done, and how it went.
#[derive(Default)]
pub struct Steps {
    done: Vec<(&'static str, Duration, Result<()>)>,
}

impl Steps {
    /// Does one, and says its name before.
    pub fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        println!("\n==> {name}");
        let start = Instant::now();
        let (value, result) = match work() {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => {
                eprintln!("{error:#}");
                (None, Err(error))
            }
        };
        self.done.push((name, start.elapsed(), result));
        value
    }

    /// Shows the summary.
    ///
    /// # Errors
    /// A step has failed.
    pub fn finish(self) -> Result<()> {
        println!("\n==> summary");
        let mut failed = 0;
        for (name, time, result) in self.done {
            let (word, reason) = match result {
                Ok(()) => ("ok    ", String::new()),
                Err(error) => {
                    failed += 1;
                    let text = error.to_string();
                    let reason = text.lines().next().unwrap_or_default();
                    ("FAILED", format!("  ({reason})"))
                }
            };
            println!("{word} {:6.1} s  {name}{reason}", time.as_secs_f64());
        }
        match failed {
            0 => Ok(()),
            1 => bail!("1 step failed"),
            many => bail!("{many} steps failed"),
        }
    }
}
