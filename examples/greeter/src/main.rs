//! A complete daemon: `cargo run -p greeter -- start -f`
//!
//! It needs its schema in RabbitMQ first: `RABBITMQ_GREETER_VIRTUALHOST=greeter edeposit_amqp_tool --host greeter --create`

use std::process::ExitCode;

use edeposit_amqpdaemon::{AmqpDaemon, Exception, Sendback};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "__nt_name")]
enum Request {
    Greet { name: String },
}

#[derive(Serialize)]
#[serde(tag = "__nt_name")]
enum Response {
    Greeting { text: String },
    Progress { percent: u8 },
}

async fn react(request: Request, sendback: Sendback) -> Result<Response, Exception> {
    let Request::Greet { name } = request;
    sendback.send(&Response::Progress { percent: 50 }).await?;
    Ok(Response::Greeting {
        text: format!("Hello {name}"),
    })
}

fn main() -> ExitCode {
    AmqpDaemon::new("greeter", react)
        .about("Greets people.")
        .run_from_args()
}
