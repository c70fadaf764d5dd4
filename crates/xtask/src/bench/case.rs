//! The situations the subjects are compared in.

use std::fmt;

use clap::ValueEnum;

/// A situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// Throughput with 256 requests in flight.
    #[value(name = "window-256")]
    Window256,
    /// The same with requests that the broker keeps on disk.
    Persistent,
    /// Throughput with 64 requests in flight.
    #[value(name = "window-64")]
    Window64,
    /// Latency: one request in flight.
    #[value(name = "latency")]
    Latency,
    /// A handler that waits 50 ms.
    #[value(name = "slow")]
    Slow,
    /// Bodies of 64 KiB.
    #[value(name = "64k")]
    Body64K,
    /// Bodies of 5 MB.
    #[value(name = "5m")]
    Body5M,
    /// Several processes on one queue, with nothing to do but answer.
    #[value(name = "processes")]
    Processes,
    /// Several processes on one queue, with a handler that waits.
    #[value(name = "scaling")]
    Scaling,
    /// From the start of a process to its first answer.
    #[value(name = "start")]
    Start,
    /// Memory over two million requests.
    #[value(name = "soak")]
    Soak,
}

/// What the driver does in a case.
#[derive(Clone, Copy)]
pub struct Load {
    /// Requests in flight, and the daemon's prefetch.
    pub window: usize,
    /// Length of the echoed text in bytes.
    pub bytes: usize,
    /// The handler's pause in milliseconds.
    pub pause: u32,
    /// Whether the broker keeps requests on disk.
    pub persistent: bool,
}

impl Case {
    pub fn load(self) -> Load {
        let (window, bytes, pause) = match self {
            Case::Window256 | Case::Persistent | Case::Soak => (256, 200, 0),
            Case::Window64 => (64, 200, 0),
            Case::Latency | Case::Start => (1, 200, 0),
            Case::Slow => (200, 200, 50),
            Case::Body64K => (16, 64 * 1024, 0),
            Case::Body5M => (4, 5_000_000, 0),
            Case::Processes => (256, 200, 0),
            Case::Scaling => (80, 200, 50),
        };
        Load {
            window,
            bytes,
            pause,
            persistent: self == Case::Persistent,
        }
    }

    /// How many turns each subject has in a round, and how long one is as a share of the usual. What else the machine does
    /// comes and goes, and single turns scatter by a tenth and more: many short ones tell more than a few long ones. The cases
    /// whose goals are near have the most. What answers few times a second needs long ones.
    pub fn turns(self) -> (usize, f64) {
        match self {
            Case::Latency | Case::Window256 => (10, 0.25),
            Case::Persistent | Case::Window64 | Case::Body64K => (4, 0.25),
            _ => (1, 1.0),
        }
    }

    /// Whether rates and latencies of all subjects are compared in it.
    pub fn compares(self) -> bool {
        !matches!(
            self,
            Case::Processes | Case::Scaling | Case::Start | Case::Soak
        )
    }

    pub fn about(self) -> &'static str {
        match self {
            Case::Window256 => "256 requests of 200 bytes in flight",
            Case::Persistent => "256 persistent requests of 200 bytes in flight",
            Case::Window64 => "64 requests of 200 bytes in flight",
            Case::Latency => "one request of 200 bytes at a time",
            Case::Slow => "a handler that waits 50 ms, 200 requests in flight",
            Case::Body64K => "bodies of 64 KiB, 16 requests in flight",
            Case::Body5M => "bodies of 5 MB, 4 requests in flight",
            Case::Processes => {
                "several processes on one queue, 256 requests of 200 bytes in flight"
            }
            Case::Scaling => {
                "several processes on one queue, 64 at once in each, a handler that waits 50 ms"
            }
            Case::Start => "from exec to the first answer, the request waiting in the queue",
            Case::Soak => "memory over many requests, 256 of 200 bytes in flight",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
