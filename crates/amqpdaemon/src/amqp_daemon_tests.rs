use std::net::TcpListener;

use super::*;
use crate::{Exception, Sendback};

async fn echo(text: String, _: Sendback) -> Result<String, Exception> {
    Ok(text)
}

fn run(daemon: &mut AmqpDaemon) -> String {
    let context = Context::new(Duration::from_secs(1));
    let error = daemon.run(&context).expect_err("there is no broker");
    format!("{error:#}")
}

/// Settings that name a broker that is not there.
fn settings(more: &str) -> tempfile::NamedTempFile {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(r#"{{"RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": {port}{more}}}"#);
    std::fs::write(file.path(), text).unwrap();
    file
}

fn with_settings(mut daemon: AmqpDaemon, file: &tempfile::NamedTempFile) -> AmqpDaemon {
    daemon.settings_file = Some(file.path().to_owned());
    daemon
}

#[test]
fn it_runs_once_and_says_why_it_cannot() {
    let file = settings("");
    let mut daemon = with_settings(AmqpDaemon::new("echo", echo), &file);
    let error = run(&mut daemon);
    assert!(error.contains("can't reach RabbitMQ"), "{error}");
    assert_eq!(run(&mut daemon), "a daemon runs only once");
}

#[test]
fn settings_come_before_the_set_up() {
    let file = settings(r#", "RABBITMQ_PREFETCH": "many""#);
    let setup = || {
        let never: anyhow::Result<_> = Ok(echo);
        assert!(never.is_err(), "it was set up");
        never
    };
    let daemon = AmqpDaemon::with_setup("echo", setup);
    let error = run(&mut with_settings(daemon, &file));
    assert!(error.contains("RABBITMQ_PREFETCH"), "{error}");
}

#[test]
fn a_failed_set_up_is_told_with_its_submodule() {
    let file = settings("");
    let setup = || {
        // Inside a runtime, as promised.
        tokio::spawn(async {});
        anyhow::ensure!(false, "no catalogue");
        Ok(echo)
    };
    let error = run(&mut with_settings(
        AmqpDaemon::with_setup("echo", setup),
        &file,
    ));
    assert_eq!(error, "setting up echo: no catalogue");
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let code = |ended: anyhow::Result<()>| {
        let error = ended.err()?;
        error.downcast_ref::<ExitWith>().map(|exit| exit.code)
    };
    assert_eq!(code(ending(0, None)), None);
    assert_eq!(code(ending(1, None)), Some(75));
    // Even if others could not be finished: the reason is the same.
    let ended = ending(2, Some(8));
    let text = "8 handlers keep their threads for ever; only a new process can go on";
    assert_eq!(ended.as_ref().unwrap_err().to_string(), text);
    assert_eq!(code(ended), Some(70));
}
