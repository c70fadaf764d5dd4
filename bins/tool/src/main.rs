//! `edeposit_amqp_tool`: the operator's and the caller's side of E-deposit's daemons.
//!
//! It makes and checks what a submodule needs in RabbitMQ, and sends, reads, calls, replays and
//! purges messages. `cli` is the command line; each action is a module of its name. `schema` says
//! what a submodule needs, `broker` is the connection, `publish` sends so that it is known where a
//! message ended, `message` and `python` are how messages are printed, `management` is RabbitMQ's
//! HTTP API for what AMQP cannot do.

mod broker;
mod call;
mod check;
mod cli;
mod context;
mod create;
mod definitions;
mod get;
mod limits;
mod management;
mod message;
mod output;
mod publish;
mod purge;
mod put;
mod python;
mod replay;
mod report;
mod schema;
mod vhost;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{CommandFactory, Parser};
use edeposit_settings::{Settings, Submodule};

use cli::{Args, Host};
use context::Context;
use get::Ended;
use output::{remark, say};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            remark(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode> {
    args.check();
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(
            shell,
            &mut Args::command(),
            "edeposit_amqp_tool",
            &mut script,
        );
        // A reader that is gone needs no completions.
        let _ = output::write(&String::from_utf8_lossy(&script));
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::load_from(args.settings.as_deref())?;
    for warning in settings.warnings() {
        remark(&format!("warning: {warning}"));
    }
    let host = args.host(&settings);
    if args.list {
        for name in settings.submodule_names() {
            say(&name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(option) = args.wants_host() else {
        return Ok(ExitCode::SUCCESS);
    };
    let Some(host) = host else {
        bail!("--host is required parameter to {option}");
    };
    let context = Context {
        settings,
        file: args.settings.clone(),
    };
    if args.export_definitions {
        let submodules = chosen(&context.settings, &host)?;
        let definitions = definitions::definitions(&submodules, args.shape())?;
        say(&format!("{definitions:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    act(&context, &host, args).await
}

/// Carries out what is asked for, in the order that the help tells. The first failure ends it.
async fn act(context: &Context, host: &Host, args: &Args) -> Result<ExitCode> {
    let one = |verb: &str| match host {
        Host::All => bail!("Can't {verb} all hosts!"),
        Host::One(name) => Ok(context.settings.submodule(name)?),
    };
    let timeout = args.timeout;
    if args.create {
        if let Some(limit) = args.delivery_limit.filter(|_| !args.dead_letter) {
            remark(&format!(
                "warning: without --dead-letter RabbitMQ deletes a request that was delivered \
                 more than {limit} times"
            ));
        }
        let submodules = chosen(&context.settings, host)?;
        create::create(context, &submodules, args.shape()).await?;
    }
    if let Some(file) = &args.put {
        put::put(context, &one("send to")?, file, timeout).await?;
    }
    if let Some(file) = &args.call {
        let code = call::call(context, &one("call")?, file, timeout).await?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    if let Some(reading) = args.reading() {
        match get::get(context, &one("receive")?, &reading).await? {
            Ended::Done => {}
            Ended::Interrupted => say(""),
            Ended::Timeout(came) if came > 0 && !args.timeout_fails => {}
            Ended::Timeout(_) => bail!("Timeouted!"),
        }
    }
    if let Some(queue) = &args.replay
        && !replay::replay(context, &one("replay")?, queue, args.count).await?
    {
        return Ok(ExitCode::FAILURE);
    }
    if let Some(queue) = &args.purge {
        purge::purge(context, &one("purge")?, queue, args.yes).await?;
    }
    if args.check {
        return check(context, &chosen(&context.settings, host)?, args).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks each submodule in turn and prints what was found.
async fn check(context: &Context, submodules: &[Submodule], args: &Args) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for submodule in submodules {
        let report = check::check(context, submodule, args.shape()).await?;
        let text = if args.json {
            report.json()
        } else {
            report.table()
        };
        // The exit code says enough if nobody reads.
        let _ = output::write(&text);
        report.remarks().iter().for_each(|one| remark(one));
        if !report.is_ok() {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn chosen(settings: &Settings, host: &Host) -> Result<Vec<Submodule>> {
    let names = match host {
        Host::All => settings.submodule_names(),
        Host::One(name) => vec![name.clone()],
    };
    let submodules = names.iter().map(|name| settings.submodule(name));
    Ok(submodules.collect::<Result<_, _>>()?)
}
