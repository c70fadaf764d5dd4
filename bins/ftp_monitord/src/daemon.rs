//! The daemon: a thread that watches and imports, and a runtime that publishes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use edeposit_amqpdaemon::{Checks, CommandLine};
use edeposit_client::{CallError, ConnectError, Sender};
use edeposit_daemonwrapper::{Context, DaemonRunnerWrapper};
use edeposit_ftp::Settings as FtpSettings;
use edeposit_ftp_monitor::{Monitor, Publisher, Surroundings};
use edeposit_settings::{Declared, Settings, Submodule};
use tokio::runtime::{Builder, Handle};
use tracing::{info, warn};

/// What the settings call it.
pub const SUBMODULE: &str = "ftp";

/// How often a daemon that waits for RabbitMQ says why.
const LOOK: Duration = Duration::from_millis(250);

/// The daemon, as it was started.
pub struct FtpMonitord {
    /// How it was called.
    pub command: CommandLine,
    /// Instead of `LOG_FILE`.
    pub log: Option<PathBuf>,
    /// Whether what it needs is there.
    pub checks: Checks,
}

impl FtpMonitord {
    fn settings(&self) -> Result<(Settings, Submodule, FtpSettings)> {
        let settings = Settings::load_from(self.command.settings_file().as_deref())?;
        let submodule = settings.submodule(SUBMODULE)?;
        Ok((settings, submodule, FtpSettings::load()?))
    }

    /// None: told to stop before there was a connection.
    async fn connect(
        &self,
        settings: &Settings,
        context: &Context,
    ) -> Result<Option<Sender>, ConnectError> {
        if !self.command.wait {
            return Sender::connect(settings, SUBMODULE).await.map(Some);
        }
        let sender = Sender::waiting_for_broker(settings, SUBMODULE)?;
        loop {
            tokio::select! {
                connected = sender.connected() => return connected.map(|()| Some(sender)),
                () = context.stop().cancelled() => return Ok(None),
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Some(reason) = sender.waiting_for() {
                context.ready(&format!("waiting for RabbitMQ: {reason}"));
            }
            context.watchdog();
        }
    }
}

impl DaemonRunnerWrapper for FtpMonitord {
    fn check(&mut self) -> Result<Vec<String>> {
        self.checks.before_start(&self.command)
    }

    fn on_check(&mut self) -> ExitCode {
        self.checks.report(&self.command)
    }

    fn body(&mut self, context: &Context) -> Result<()> {
        self.checks.at_start(&self.command, context)?;
        let (settings, submodule, ftp) = self.settings()?;
        for warning in settings.warnings() {
            warn!("{warning}");
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            context.status("connecting to RabbitMQ");
            let Some(sender) = self.connect(&settings, context).await? else {
                return Ok(());
            };
            let sender = sender.header("ebook_encoding", ftp.ebook_encoding.as_str())?;
            let monitor = Monitor::new(ftp, self.log.clone());
            let link = Link {
                sender,
                submodule,
                context: context.clone(),
                runtime: Handle::current(),
                watching: format!("watching {}", monitor.log().display()),
                told: Mutex::new(String::new()),
            };
            info!("Monitoring file '{}'.", monitor.log().display());
            let (end, ended) = tokio::sync::oneshot::channel();
            // A thread of its own: looking at homes must not keep heartbeats waiting.
            let working = thread::Builder::new()
                .name("monitor".into())
                .spawn(move || {
                    let result = monitor.run(&link);
                    // whoever waits is this daemon, which waits for nothing else
                    let _ = end.send(());
                    (link, result)
                });
            let working = working.context("starting the monitor")?;
            // An error is a panic, which joining tells of.
            let _ = ended.await;
            let (link, result) = working
                .join()
                .map_err(|_| anyhow!("the monitor has panicked"))?;
            link.sender.close().await;
            result.context("monitoring")
        })
    }
}

/// The monitor's way to RabbitMQ and to the process.
struct Link {
    sender: Sender,
    submodule: Submodule,
    context: Context,
    runtime: Handle,
    watching: String,
    /// The last status.
    told: Mutex<String>,
}

impl Publisher for Link {
    fn is_ready(&self) -> bool {
        self.sender.is_connected() && !self.is_stopping()
    }

    fn publish(&self, body: Vec<u8>) -> Result<(), String> {
        let Submodule {
            exchange, out_key, ..
        } = &self.submodule;
        let bytes = body.len();
        let sending = self.sender.send_message(exchange, out_key, body);
        let uuid = self
            .runtime
            .block_on(sending)
            .map_err(|error| match error {
                CallError::TimedOut { .. } => format!("RabbitMQ has not confirmed it: {error}"),
                error => error.to_string(),
            })?;
        info!(uuid, bytes, "RabbitMQ has confirmed an ImportRequest");
        Ok(())
    }
}

impl Surroundings for Link {
    fn is_stopping(&self) -> bool {
        self.context.stop().is_cancelled()
    }

    fn turn(&self) {
        self.context.watchdog();
        let status = match self.sender.waiting_for() {
            None => self.watching.clone(),
            Some(reason) => format!("waiting for RabbitMQ: {reason}"),
        };
        if let Ok(mut told) = self.told.lock()
            && *told != status
        {
            self.context.ready(&status);
            *told = status;
        }
    }
}
