//! A daemon that remembers: `cargo run -p counter -- start -f`
//!
//! It needs its schema in RabbitMQ first: `RABBITMQ_COUNTER_VIRTUALHOST=counter edeposit_amqp_tool --host counter --create`

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use edeposit_amqpdaemon::{AmqpDaemon, Exception, Handler, Sendback};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
enum Request {
    Count { what: String },
    Forget { what: String },
}

#[derive(Serialize)]
struct Total {
    seen: u64,
}

/// Requests come side by side, so what they share is behind a lock. It lasts as long as the process; what must last longer
/// belongs in a file or a database, together with the UUID of the request: one that is delivered twice
/// (`sendback.redelivered()`) would otherwise count twice.
#[derive(Default)]
struct Counter {
    seen: Mutex<HashMap<String, u64>>,
}

impl Handler for Counter {
    type Request = Request;
    type Response = Total;

    async fn react(&self, request: Request, _sendback: Sendback) -> Result<Total, Exception> {
        let mut counts = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match request {
            Request::Count { what } => {
                let seen = counts.entry(what).or_default();
                *seen += 1;
                *seen
            }
            Request::Forget { what } => counts
                .remove(&what)
                .ok_or_else(|| Exception::key_error(what))?,
        };
        Ok(Total { seen })
    }
}

fn main() -> ExitCode {
    AmqpDaemon::new("counter", Counter::default())
        .about("Counts what it is told.")
        .run_from_args()
}
