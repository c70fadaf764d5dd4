//! `--call`: progress and answer, exception, time-out.

use std::fs;
use std::process::Stdio;

use anyhow::Result;
use edeposit_testkit::{RabbitNode, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::runner::{Ftp, Tool};

/// A daemon that runs, and the tool for it.
struct Running {
    world: World,
    tool: Tool,
    host: &'static str,
}

impl Running {
    async fn new(program: &str, host: &'static str) -> Result<Running> {
        let submodule = host.to_uppercase();
        let world = World::new(program, &submodule, Schema::new(host), &json!({})).await?;
        world.daemon.start()?.success()?;
        let tool = Tool::of(RabbitNode::shared()?, "unused")?.set(
            &format!("RABBITMQ_{submodule}_VIRTUALHOST"),
            world.vhost.name(),
        );
        Ok(Running { world, tool, host })
    }

    fn call(&self, args: &[&str], request: &Value) -> Result<crate::runner::Outcome> {
        let args = [&["--host", self.host, "--call", "-"], args].concat();
        self.tool.run_with(&args, request.to_string().as_bytes())
    }

    /// Queues that clients leave behind.
    async fn left(&self) -> Result<()> {
        wait_until("the queue of the call is gone", PATIENCE, async || {
            let queues = self.world.vhost.list("queues").unwrap_or_default();
            let name = |queue: &Value| queue["name"].as_str().unwrap_or_default().to_owned();
            !queues.is_empty() && !queues.iter().any(|one| name(one).contains("client"))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_comes_first_and_then_the_answer() -> Result<()> {
    let greeter = Running::new("greeter", "greeter").await?;
    let request = json!({"__nt_name": "Greet", "name": "Jan"});
    let expected = "{\"__nt_name\":\"Progress\",\"percent\":50}\n\
                    {\"__nt_name\":\"Greeting\",\"text\":\"Hello Jan\"}\n";
    assert_eq!(greeter.call(&[], &request)?.success()?, expected);

    let file = greeter.tool.home.path().join("request.json");
    fs::write(&file, request.to_string())?;
    let file = file.display().to_string();
    let outcome = greeter.tool.run(&["--host", "greeter", "--call", &file])?;
    assert_eq!(outcome.success()?, expected);

    // Callers of the shared output queue see nothing of it.
    assert_eq!(greeter.world.vhost.depth("plone").await?.0, 0);
    greeter.left().await?;
    let check = greeter.tool.run(&["--host", "greeter", "--check"])?;
    assert_eq!(check.code, Some(0), "{}", check.stdout);
    assert!(
        check.stdout.contains("0 messages, 1 consumer\n"),
        "{}",
        check.stdout
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_goes_to_standard_error() -> Result<()> {
    let greeter = Running::new("greeter", "greeter").await?;
    let tool = &greeter.tool;
    let outcome = tool.run_with(&["--host", "greeter", "--call", "-"], b"asd")?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    let mut lines = outcome.stderr.lines();
    assert_eq!(
        lines.next(),
        Some("ValueError: No JSON object could be decoded")
    );
    assert_eq!(lines.next(), Some("Traceback (most recent call last):"));
    greeter.left().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time_ends_with_3() -> Result<()> {
    let ftp = Ftp::new().await?;
    let outcome = ftp.tool.ftp_with(&["--call", "-", "-t", "0.5"], b"{}")?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""));
    assert_eq!(
        outcome.stderr,
        "Timeouted! no answer within 0.5 s; RabbitMQ has confirmed the request, so it will be \
         carried out. A daemon that answers later parks its answer in queue 'daemon.parked'.\n"
    );
    assert_eq!(ftp.messages("daemon").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_too_late_is_parked() -> Result<()> {
    let puppet = Running::new("edeposit-test-puppet", "puppet").await?;
    let request = json!({"__nt_name": "Sleep", "milliseconds": 2000});
    let outcome = puppet.call(&["-t", "0.5"], &request)?;
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.ends_with("in queue 'daemon.parked'.\n"));
    wait_until("the answer is parked", PATIENCE, async || {
        matches!(puppet.world.vhost.depth("daemon.parked").await, Ok((1, _)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_into_nothing_says_what_to_run() -> Result<()> {
    let create = "edeposit_amqp_tool --host ftp --create";
    let ftp = Ftp::new().await?;
    ftp.vhost.delete_exchange("ftp")?;
    let outcome = ftp.tool.ftp_with(&["--call", "-", "-t", "20"], b"{}")?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(outcome.stderr.contains(create), "{}", outcome.stderr);

    ftp.vhost.delete()?;
    let outcome = ftp.tool.ftp_with(&["--call", "-", "-t", "20"], b"{}")?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    let beginning = "Can't connect to virtuahost!\nMake sure, that virtualhost is created.\n";
    assert!(outcome.stderr.starts_with(beginning), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(create), "{}", outcome.stderr);

    let outcome = ftp.tool.ftp(&["--call", "/nonexistent.json"])?;
    assert_eq!(outcome.stderr, "Can't open '/nonexistent.json'!\n");
    assert_eq!(outcome.code, Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_call_and_leaves_no_queue() -> Result<()> {
    let ftp = Ftp::new().await?;
    let file = ftp.tool.home.path().join("request.json");
    fs::write(&file, "{}")?;
    let file = file.display().to_string();
    let mut child = ftp
        .tool
        .command(&["--host", "ftp", "--call", &file])?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    wait_until("the request is there", PATIENCE, async || {
        ftp.messages("daemon").await.ok() == Some(1)
    })
    .await?;
    kill_process(Pid::from_child(&child), Signal::INT)?;
    assert_eq!(child.wait()?.code(), Some(130));
    wait_until("its queue is gone", PATIENCE, async || {
        ftp.vhost
            .list("queues")
            .is_ok_and(|queues| queues.len() == 2)
    })
    .await
}
