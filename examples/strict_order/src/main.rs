//! A daemon that must not overtake itself: `cargo run -p strict_order -- start -f`
//!
//! It needs its schema in RabbitMQ first:
//! `RABBITMQ_STRICT_ORDER_VIRTUALHOST=strict_order edeposit_amqp_tool --host strict_order --create`

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edeposit_amqpdaemon::{AmqpDaemon, Exception, Handler, Sendback};
use serde::{Deserialize, Serialize};

/// Work that takes so long.
#[derive(Deserialize)]
struct Work {
    milliseconds: u64,
}

/// The how-manieth work it was that was done.
#[derive(Serialize)]
struct Done {
    number: u64,
}

#[derive(Default)]
struct Bench {
    done: AtomicU64,
}

impl Handler for Bench {
    type Request = Work;
    type Response = Done;

    /// Side by side, short work would be done before long work that came first.
    async fn react(&self, work: Work, _sendback: Sendback) -> Result<Done, Exception> {
        tokio::time::sleep(Duration::from_millis(work.milliseconds)).await;
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Done { number })
    }
}

fn main() -> ExitCode {
    AmqpDaemon::new("strict_order", Bench::default())
        .about("Does one work after the other.")
        .strict_order()
        .run_from_args()
}
