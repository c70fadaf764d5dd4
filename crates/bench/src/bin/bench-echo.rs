//! Our daemon as a user writes it, with an echo for a handler.

use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use edeposit_amqpdaemon::{AmqpDaemon, Exception, Sendback};
use edeposit_bench::{Echo, Echoed, PAUSE_VARIABLE};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
enum Request {
    Echo(Echo),
}

#[derive(Serialize)]
enum Response {
    Echoed(Echoed),
}

static PAUSE: LazyLock<Option<Duration>> = LazyLock::new(|| {
    let pause = std::env::var(PAUSE_VARIABLE).ok()?.parse().ok()?;
    Some(Duration::from_millis(pause)).filter(|pause| !pause.is_zero())
});

async fn react(request: Request, _sendback: Sendback) -> Result<Response, Exception> {
    let Request::Echo(Echo { text }) = request;
    if let Some(pause) = *PAUSE {
        tokio::time::sleep(pause).await;
    }
    Ok(Response::Echoed(Echoed { text }))
}

fn main() -> ExitCode {
    AmqpDaemon::new("echo", react).run_from_args()
}
