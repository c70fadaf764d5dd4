//! The daemon that the tests run: it writes down what it does and misbehaves on demand.
//!
//! `probe ACTION DIRECTORY [OPTION...]`; PID file and log are in the directory. Options: `-f` (foreground), `--force`,
//! `name=NAME`, `drain=SECONDS`, `timeout=SECONDS` (for the start), `watch=SECONDS`, `default-log`, `default-pid`, `status` (a status file), `early-thread`, `unfit` and
//! `warns` (says `check`), and `mode=` with one of `serve`, `fail` (before ready), `fail-later`, `fail-75`, `panic`, `panic-later`,
//! `panic-in-thread`, `slow` (needs 200 ms after the signal), `slower` (needs 2 s), `deaf` (never ends by itself), `never-ready`, `finish` (before ready), `abort` (before ready).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use edeposit_daemonwrapper::{Action, Context, DaemonRunnerWrapper, ExitWith, LogTarget, Runner};

struct Probe {
    mode: String,
    unfit: bool,
    warns: bool,
    events: PathBuf,
    /// Locked till the end of the process: tells when two of them live at once.
    only: Option<File>,
}

impl Probe {
    fn event(&self, event: &str) {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.events);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{event}")) {
            tracing::error!("cannot write the event {event}: {error}");
        }
    }
}

impl DaemonRunnerWrapper for Probe {
    fn check(&mut self) -> anyhow::Result<Vec<String>> {
        if self.unfit {
            bail!("the probe was told to be unfit");
        }
        let warning = "the probe was told to warn".to_owned();
        Ok(Vec::from_iter(self.warns.then_some(warning)))
    }

    fn body(&mut self, context: &Context) -> anyhow::Result<()> {
        self.event("body");
        let only = File::create(self.events.with_file_name("only"))?;
        if only.try_lock().is_err() {
            self.event("beside-another");
        }
        self.only = Some(only);
        match self.mode.as_str() {
            "fail" => bail!("the probe was told to fail"),
            "panic" => panic!("the probe was told to panic"),
            "finish" => return Ok(()),
            "abort" => std::process::abort(),
            "never-ready" => {}
            _ => context.ready("at your service"),
        }
        match self.mode.as_str() {
            "fail-later" => bail!("the probe was told to fail later"),
            "fail-75" => bail!(ExitWith {
                code: 75,
                reason: "the probe was told to fail with 75".to_owned(),
            }),
            "panic-later" => panic!("the probe was told to panic later"),
            "panic-in-thread" => {
                let thread = std::thread::Builder::new()
                    .name("helper".into())
                    .spawn(|| panic!("in a thread"));
                let _ = thread.context("spawning")?.join();
            }
            _ => {}
        }
        while !context.wait(Duration::MAX) {}
        self.event("stopping");
        match self.mode.as_str() {
            "slow" => std::thread::sleep(Duration::from_millis(200)),
            "slower" => std::thread::sleep(Duration::from_secs(2)),
            "deaf" => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            _ => {}
        }
        self.event("finished");
        Ok(())
    }

    fn on_exit(&mut self) {
        self.event("on_exit");
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(action), Some(directory)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: probe ACTION DIRECTORY [OPTION...]");
        return ExitCode::from(2);
    };
    let action: Action = match action.parse() {
        Ok(action) => action,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let options: Vec<String> = arguments.collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    let value = |key: &str| {
        options
            .iter()
            .find_map(|option| option.strip_prefix(key)?.strip_prefix('='))
    };
    let seconds = |key: &str, default| {
        Duration::from_secs_f64(
            value(key)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default),
        )
    };
    let directory = PathBuf::from(directory);
    let name = value("name").unwrap_or("probe");
    let mut runner = Runner::new(name)
        .drain_time(seconds("drain", 10.0))
        .start_timeout(seconds("timeout", 10.0))
        .pidfile_timeout(Duration::from_secs(3))
        .watch_interval(seconds("watch", 30.0))
        .force(has("--force"));
    if !has("default-pid") {
        runner = runner.pid_file(directory.join(format!("{name}.pid")));
    }
    if has("status") {
        runner = runner.status_file(directory.join("state").join(format!("{name}.status")));
    }
    if !has("default-log") && !has("-f") {
        runner = runner.log(LogTarget::File(directory.join("probe.log")));
    }
    let mut probe = Probe {
        mode: value("mode").unwrap_or("serve").to_owned(),
        unfit: has("unfit"),
        warns: has("warns"),
        only: None,
        events: std::path::absolute(directory.join("events")).unwrap_or_default(),
    };
    if has("early-thread") {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(60)));
    }
    runner.run(action, has("-f"), &mut probe)
}
