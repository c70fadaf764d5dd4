//! Check before act: whether a daemon could do its work, before anything is touched for it.
//!
//! Two things are looked at: the settings, and the world that they speak of: RabbitMQ, and what the submodule itself needs.
//! What was found is used three times.
//!
//! - The command `check` prints it, with every setting and where its value comes from.
//! - `start` and `restart` show warnings, and refuse what could not come up. `restart` does so before it takes the running
//!   daemon down. They fork later, so the world is looked at by another process (module `child`).
//! - The daemon itself logs the warnings. In the foreground it looks for itself.
//!
//! What fails for now and passes by itself, such as a server that is down, is a failure to `check` and a warning to `start`.

mod broker;
mod child;
mod configured;
mod finding;
mod listening;
mod places;
mod report;
mod state;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use edeposit_daemonwrapper::{Action, Context};
use edeposit_settings::{Constants, Error, OwnSettings, Settings, Sources};
use futures::future::{LocalBoxFuture, ready};
use tokio::runtime::Builder;
use tokio::time::timeout;
use tracing::warn;

use crate::CommandLine;
use crate::metrics_server::MetricsAddress;
use crate::submodule::Frame;
use crate::wiring::Wiring;

pub(crate) use child::FLAG;
use configured::Configured;
pub use finding::Finding;
use finding::Kind;
use report::Report;

/// How long a submodule may take to look around.
const OWN_LIMIT: Duration = Duration::from_secs(20);

type Read = Box<dyn Fn(&Sources) -> Result<Vec<Constants>, Error>>;
type LookAround = Box<dyn Fn(&Sources) -> LocalBoxFuture<'static, Vec<Finding>>>;

/// What a daemon needs to do its work, and whether it is there.
pub struct Checks {
    submodule: String,
    consumes: bool,
    wiring: Option<Wiring>,
    metrics: Option<MetricsAddress>,
    own: Option<Own>,
    /// What was found before the daemon began.
    found: Option<Vec<Finding>>,
}

/// The submodule's own part.
struct Own {
    read: Read,
    look_around: LookAround,
}

impl Own {
    fn look_around(&self) -> LocalBoxFuture<'static, Vec<Finding>> {
        (self.look_around)(&Sources::of_process(None))
    }
}

impl Checks {
    /// Those of a daemon that consumes the submodule's input queue.
    pub(crate) fn consuming(submodule: &str) -> Self {
        Self {
            submodule: submodule.to_owned(),
            consumes: true,
            wiring: None,
            metrics: None,
            own: None,
            found: None,
        }
    }

    /// Those of a daemon that only publishes to the submodule's exchange, with settings of its own. `look_around` is as
    /// [`Submodule::look_around`](crate::Submodule::look_around).
    pub fn publishing<S: OwnSettings + 'static, F>(
        submodule: &str,
        look_around: impl Fn(S) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<Finding>> + 'static,
    {
        let own = Own {
            read: Box::new(|sources| Ok(S::read(sources)?.constants)),
            look_around: Box::new(move |sources| match S::read(sources) {
                Ok(loaded) => Box::pin(look_around(loaded.settings)),
                Err(error) => Box::pin(ready(vec![Finding::failed(error.to_string())])),
            }),
        };
        Self {
            consumes: false,
            own: Some(own),
            ..Self::consuming(submodule)
        }
    }

    /// With what the submodule needs itself.
    pub(crate) fn of_frame(mut self, frame: &Frame) -> Self {
        self.own = Some(Own {
            read: Box::new(frame.read),
            look_around: Box::new(frame.look_around),
        });
        self
    }

    pub(crate) fn wired(mut self, wiring: Option<Wiring>) -> Self {
        self.wiring = wiring;
        self
    }

    pub(crate) fn metrics(mut self, address: Option<MetricsAddress>) -> Self {
        self.metrics = address;
        self
    }

    /// Before `start` or `restart` changes anything; starts no thread. Gives warnings for whoever typed the command.
    ///
    /// # Errors
    /// The daemon could not come up.
    pub fn before_start(&mut self, command: &CommandLine) -> anyhow::Result<Vec<String>> {
        let Configured {
            mut warnings,
            errors,
            ..
        } = self.configured(command);
        if let Some(error) = errors.into_iter().next() {
            // Its text has its causes: they are not to be told a second time.
            anyhow::bail!("{error}");
        }
        if command.foreground && command.action == Action::Start {
            // The daemon looks for itself, and what it logs is seen.
            return Ok(Vec::new());
        }
        let mut findings = child::look_around().unwrap_or_else(|reason| {
            vec![Finding::warning(format!(
                "what the daemon needs could not be looked at: {reason}"
            ))]
        });
        // A start finds out by itself: nothing that could be left alone runs.
        if command.action == Action::Restart {
            findings.extend(self.listening(command));
        }
        if let Some(failure) = findings.iter().find(|one| one.keeps_from_starting()) {
            anyhow::bail!("{}", failure.line());
        }
        let troubles = findings.iter().filter(|one| one.kind() != Kind::Ok);
        warnings.extend(troubles.map(Finding::line));
        warnings.extend(
            self.state(command)
                .filter(|one| one.kind() != Kind::Ok)
                .map(|one| one.line()),
        );
        self.found = Some(findings);
        Ok(warnings)
    }

    /// At the beginning of the daemon's body: logs what was found before, or looks now. Blocks; not to be called from async
    /// code.
    ///
    /// # Errors
    /// The daemon cannot do its work.
    pub fn at_start(&mut self, command: &CommandLine, context: &Context) -> anyhow::Result<()> {
        let findings = match self.found.take() {
            Some(findings) => findings,
            None => self.look_now(command, context)?,
        };
        for finding in findings.iter().filter(|one| one.kind() != Kind::Ok) {
            if finding.keeps_from_starting() {
                anyhow::bail!("{}", finding.line());
            }
            warn!("{}", finding.line());
        }
        Ok(())
    }

    /// Looks, unless told to stop.
    fn look_now(&self, command: &CommandLine, context: &Context) -> anyhow::Result<Vec<Finding>> {
        let Configured { wiring, .. } = self.configured(command);
        let look = self.world(wiring.as_ref(), command.wait);
        block_on(async {
            tokio::select! {
                findings = look => findings,
                () = context.stop().cancelled() => Vec::new(),
            }
        })
    }

    /// Answers the command `check`; gives its exit code.
    pub fn report(&self, command: &CommandLine) -> ExitCode {
        let Configured {
            wiring,
            files,
            warnings,
            errors,
        } = self.configured(command);
        let warnings = warnings.into_iter().map(Finding::warning);
        let errors = errors.iter().map(|one| Finding::failed(one.to_string()));
        let mut findings: Vec<_> = warnings
            .chain(errors)
            .map(|finding| finding.about("settings"))
            .collect();
        match block_on(self.world(wiring.as_ref(), command.wait)) {
            Ok(world) => findings.extend(world),
            Err(error) => findings.push(Finding::failed(format!("{error:#}"))),
        }
        let here = self.state(command).chain(self.listening(command));
        findings.extend(here.map(|finding| finding.about("this machine")));
        let report = Report {
            submodule: self.submodule.clone(),
            files,
            findings,
        };
        print(&match command.json {
            true => report.json(),
            false => report.text(),
        });
        match report.is_ok() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }

    /// What the process does that [`before_start`](Self::before_start) has started. Gives its exit code.
    pub fn answer_parent(&self, command: &CommandLine) -> ExitCode {
        let Configured { wiring, .. } = self.configured(command);
        let found = block_on(self.world(wiring.as_ref(), command.wait));
        match found.and_then(|findings| Ok(serde_json::to_string(&findings)?)) {
            Ok(json) => {
                print(&json);
                ExitCode::SUCCESS
            }
            Err(_) => ExitCode::FAILURE,
        }
    }

    /// RabbitMQ and the submodule's own world, side by side. What cannot be found in the settings is not looked at.
    async fn world(&self, wiring: Option<&Wiring>, waits: bool) -> Vec<Finding> {
        let broker = async {
            match wiring {
                Some(wiring) => broker::look(wiring, self.consumes, waits).await,
                None => Vec::new(),
            }
        };
        let own = async {
            let Some(own) = &self.own else {
                return Vec::new();
            };
            if (own.read)(&Sources::of_process(None)).is_err() {
                return Vec::new();
            }
            let looked = timeout(OWN_LIMIT, own.look_around()).await;
            let looked = looked.unwrap_or_else(|_| {
                let seconds = OWN_LIMIT.as_secs();
                vec![Finding::warning(format!(
                    "looking took more than {seconds} s"
                ))]
            });
            let about = |finding: Finding| finding.about(&self.submodule);
            looked.into_iter().map(about).collect()
        };
        let (mut findings, own) = futures::join!(broker, own);
        findings.extend(own);
        findings
    }

    fn configured(&self, command: &CommandLine) -> Configured {
        let mut configured = Configured::default();
        match Settings::load_from(command.settings_file().as_deref()) {
            Ok(settings) => configured.broker(&settings, &self.submodule, self.wiring.as_ref()),
            Err(error) => configured.errors.push(error),
        }
        if let Some(own) = &self.own {
            match (own.read)(&Sources::of_process(None)) {
                Ok(all) => all.iter().for_each(|constants| configured.own(constants)),
                Err(error) => configured.errors.push(error),
            }
        }
        configured
    }

    /// Where the requests in hand are recorded; a daemon that consumes nothing has none.
    fn state(&self, command: &CommandLine) -> impl Iterator<Item = Finding> {
        let file = command.in_state_dir("in-hand").filter(|_| self.consumes);
        file.map(|file| state::look(&file)).into_iter()
    }

    /// The address for the metrics, which the daemon that runs may hold.
    fn listening(&self, command: &CommandLine) -> impl Iterator<Item = Finding> {
        let look = |address: &MetricsAddress| {
            let running = command.runner(Duration::ZERO).is_running().ok().flatten();
            listening::look(address, running.map(|running| running.pid))
        };
        self.metrics.as_ref().map(look).into_iter()
    }
}

/// Runs something asynchronous in a runtime of its own. What it has left to other threads is not waited for.
fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(done)
}

/// A reader that has gone is no reason to panic.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
