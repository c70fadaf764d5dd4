//! A daemon for the tests whose handler does what its request says: answer, report progress, fail, panic, never end.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use edeposit_amqpdaemon::{AmqpDaemon, Exception, Sendback};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Deserialize)]
enum Request {
    /// Answers the text.
    Echo { text: String },
    /// Answers after some time.
    Sleep { milliseconds: u64 },
    /// Answers once there is this file.
    Wait { file: PathBuf },
    /// Blocks its thread, as no handler should.
    Block { milliseconds: u64 },
    /// Panics.
    Panic { message: String },
    /// Ends the process on the spot.
    Abort,
    /// Answers with the id of this very execution, and notes it in the journal first.
    Count { number: u64, milliseconds: u64 },
    /// Answers so many bytes.
    Large { bytes: usize },
    /// Does what the handler of the recorded cases did.
    Vyhod { co: String },
}

#[derive(Serialize)]
enum Response {
    Echoed { text: String, redelivered: bool },
    Counted { number: u64, execution: String },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Anything {
    Record(Response),
    Text(String),
    Number(f64),
    Nothing,
}

async fn react(request: Request, sendback: Sendback) -> Result<Anything, Exception> {
    let echo = |text: String| {
        Ok(Anything::Record(Response::Echoed {
            text,
            redelivered: sendback.redelivered(),
        }))
    };
    match request {
        Request::Echo { text } => echo(text),
        Request::Sleep { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            echo("slept".to_owned())
        }
        Request::Wait { file } => {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            echo("waited".to_owned())
        }
        Request::Block { milliseconds } => {
            std::thread::sleep(Duration::from_millis(milliseconds));
            echo("blocked".to_owned())
        }
        Request::Count {
            number,
            milliseconds,
        } => {
            let execution = Uuid::new_v4().to_string();
            note(&format!("{} {execution}\n", sendback.uuid()))?;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(Anything::Record(Response::Counted { number, execution }))
        }
        Request::Panic { message } => panic!("{message}"),
        Request::Abort => std::process::abort(),
        Request::Large { bytes } => echo("x".repeat(bytes)),
        Request::Vyhod { co } => recorded(&co, &sendback).await,
    }
}

/// Adds a line to the journal of executions, if the environment names one.
fn note(line: &str) -> std::io::Result<()> {
    let Some(journal) = std::env::var_os("EDEPOSIT_PUPPET_JOURNAL") else {
        return Ok(());
    };
    let mut journal = OpenOptions::new().create(true).append(true).open(journal)?;
    // In one go: other requests write too.
    journal.write_all(line.as_bytes())
}

/// The handler of the recorded cases: each raises what the original's handler raised.
async fn recorded(co: &str, sendback: &Sendback) -> Result<Anything, Exception> {
    Err(match co {
        "valueerror-bytes" => Exception::value_error("Příliš žluťoučký kůň \"úpěl\""),
        "valueerror-unicode" => Exception::value_error("Příliš žluťoučký kůň"),
        "valueerror-unicode-ascii" => Exception::value_error("ascii only"),
        "keyerror" => Exception::key_error("klíč"),
        "ioerror" => std::fs::read("/nic/tu/neni")
            .map_or_else(Exception::from, |_| Exception::value_error("it exists")),
        "assertion" => Exception::assertion_error("Invalid format of username 'špatné jméno'!"),
        "usermwarning-multiline" => {
            Exception::builtin("UserWarning", "Conversion failed:\nřádek 1\nřádek 2")
        }
        "notfound" => Exception::class(
            "edeposit.amqp.aleph.aleph.DocumentNotFoundException",
            "Document was deleted.",
        ),
        "rejected" => Exception::class(
            "edeposit.amqp.aleph.export.ExportRejectedException",
            "Export request was rejected by import webform: error: špatné ISBN",
        ),
        "metaparsing" => Exception::class(
            "edeposit.amqp.ftp.decoders.meta_exceptions.MetaParsingException",
            "Missing field(s):\n\tKeyword 'isbn' (ISBN) not found.",
        ),
        "hnas" => Exception::class(
            "edeposit.amqp.storage.HNASNotMountedException",
            "Indicator file `/mnt/hnas/ok` not found!",
        ),
        "zerodiv" => Exception::builtin("ZeroDivisionError", "integer division or modulo by zero"),
        "unserializable" => return Ok(Anything::Number(f64::NAN)),
        "send_back" | "send_back-then-raise" => {
            sendback.send(&serde_json::json!({ "krok": 1 })).await?;
            if co == "send_back" {
                sendback.send("žluť").await?;
                return Ok(Anything::Nothing);
            }
            Exception::value_error("až potom")
        }
        text => return Ok(Anything::Text(text.to_owned())),
    })
}

fn main() -> ExitCode {
    AmqpDaemon::new("puppet", react)
        .about("Does what the tests say.")
        .run_from_args()
}
