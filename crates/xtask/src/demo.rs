//! `cargo xtask demo`: the main job as a user sees it, on a private RabbitMQ and a catalogue of made-up books.

use anyhow::{Context, Result, bail, ensure};
use edeposit_testkit::xserver::{Catalogue, XServer};
use edeposit_testkit::{Answer, Caller, DaemonUnderTest, RabbitNode, Schema};
use serde_json::{Value, json};

use crate::cargo::{cargo, run as run_command};
use crate::setup;
use crate::view;

const DAEMON: &str = "edeposit_amqp_alephdaemon";
const TOOL: &str = "edeposit_amqp_tool";

pub async fn run() -> Result<()> {
    heading("What is needed");
    setup::make()?;
    setup::rabbitmq()?;
    run_command(&mut cargo(&[
        "build",
        "--package",
        DAEMON,
        "--package",
        TOOL,
    ]))?;
    println!("Starting a private RabbitMQ, about five seconds.");
    let node = RabbitNode::start()?;
    println!("It listens on 127.0.0.1:{}.", node.amqp_port());
    let catalogue = XServer::start(Catalogue::built_in()?)?;
    println!(
        "A catalogue of made-up books answers on {}.",
        catalogue.url()
    );

    let daemon = DaemonUnderTest::new(DAEMON)?.without_log();
    write_settings(&daemon, &node, &catalogue)?;

    let result = show(&daemon, &node).await;
    if result.is_err() && !daemon.log().is_empty() {
        eprintln!("--- the daemon's log\n{}--- end of log", daemon.log());
    }
    result?;
    let left = daemon.processes();
    ensure!(left.is_empty(), "processes {left:?} are still there");
    drop((daemon, catalogue));
    node.stop();
    println!("\nAll answers were as expected, and nothing is left running.");
    Ok(())
}

/// The part worth looking at.
async fn show(daemon: &DaemonUnderTest, node: &RabbitNode) -> Result<()> {
    heading("Create virtual host, exchange and queues");
    run_shown(daemon, TOOL, &["--host", "aleph", "--create"])?;

    heading("Start the daemon");
    let files = [
        "--pid-file",
        &daemon.pid_file().display().to_string(),
        "--log-file",
        &daemon.log_file().display().to_string(),
    ]
    .map(str::to_owned);
    let with_files = |word| {
        let mut arguments = vec![word];
        arguments.extend(files.iter().map(String::as_str));
        arguments
    };
    run_shown(daemon, DAEMON, &with_files("start"))?;

    let schema = Schema::aleph();
    let caller = Caller::connect(&node.open_vhost("aleph"), &schema).await?;
    println!(
        "\nRequests go to exchange '{}' with key '{}'; answers come from queue '{}'.",
        schema.exchange, schema.in_key, schema.output_queue
    );
    for question in questions() {
        ask(&caller, &question).await?;
    }

    heading("Stop the daemon");
    run_shown(daemon, DAEMON, &with_files("status"))?;
    run_shown(daemon, DAEMON, &with_files("stop"))?;
    Ok(())
}

/// One home for both programs: they read the same settings.
fn write_settings(daemon: &DaemonUnderTest, node: &RabbitNode, catalogue: &XServer) -> Result<()> {
    let amqp = json!({
        "RABBITMQ_HOST": "127.0.0.1",
        "RABBITMQ_PORT": node.amqp_port(),
        "RABBITMQ_MANAGEMENT_URL": node.management_url(),
    });
    let aleph = json!({"ALEPH_URL": catalogue.url()});
    for (file, settings) in [("amqp.json", amqp), ("aleph.json", aleph)] {
        let path = daemon.write_settings(file, &settings)?;
        println!("{}: {settings}", path.display());
    }
    Ok(())
}

/// A request, and whether its answer is the one to be expected.
struct Question {
    title: &'static str,
    request: Value,
    expected: fn(&Answer) -> Result<bool>,
}

fn questions() -> [Question; 5] {
    [
        Question {
            title: "A book that is there",
            request: json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "ISBNQuery", "ISBN": "80-251-0225-4"}}),
            expected: |answer| {
                let found = &answer.json()?["records"];
                let info = &found[0]["parsed_info"];
                Ok(found.as_array().is_some_and(|records| records.len() == 1)
                    && info["ISBN"][0] == "80-251-0225-4"
                    && info["nazev"] == "Žlutá včela na rozhraní"
                    && info["autori"][0]["lastName"] == "Svoboda"
                    && info["datumVydani"] == "2004")
            },
        },
        Question {
            title: "A book that is not there",
            request: json!({"__nt_name": "SearchRequest", "query": {"__nt_name": "TitleQuery", "title": "Nenapsaná kniha", "base": "nkc"}}),
            expected: |answer| {
                let answer = answer.json()?;
                Ok(answer["__nt_name"] == "SearchResult" && answer["records"] == json!([]))
            },
        },
        Question {
            title: "How many by this author",
            request: json!({"__nt_name": "CountRequest", "query": {"__nt_name": "AuthorQuery", "author": "Řehoř Svoboda", "base": "nkc"}}),
            expected: |answer| {
                Ok(answer.json()? == json!({"__nt_name": "CountResult", "num_of_records": 2}))
            },
        },
        Question {
            title: "An ISBN with a wrong check digit",
            request: json!({"__nt_name": "ISBNValidationRequest", "ISBN": "80-251-0225-5"}),
            expected: |answer| {
                Ok(answer.json()?
                    == json!({"__nt_name": "ISBNValidationResult", "is_valid": false}))
            },
        },
        Question {
            title: "A request nobody knows",
            request: json!({"__nt_name": "MakeCoffeeRequest", "sugar": true}),
            expected: |answer| Ok(answer.header("exception_name").as_deref() == Some("KeyError")),
        },
    ]
}

async fn ask(caller: &Caller, question: &Question) -> Result<()> {
    heading(question.title);
    println!("--> {}", question.request);
    let answer = caller.call(question.request.to_string()).await?;
    println!("<-- {}", view::show(&answer));
    if !(question.expected)(&answer)? {
        bail!("this is not the expected answer: {}", answer.text());
    }
    Ok(())
}

/// Runs a program, shows the command line and what it printed, and errs if it failed.
fn run_shown(daemon: &DaemonUnderTest, program: &str, arguments: &[&str]) -> Result<()> {
    println!("$ {program} {}", arguments.join(" "));
    let outcome = daemon.run_other(program, arguments)?;
    print!("{}{}", outcome.stderr, outcome.stdout);
    outcome
        .success()
        .map(drop)
        .with_context(|| format!("{program} {}", arguments.join(" ")))
}

fn heading(title: &str) {
    println!("\n==> {title}");
}
