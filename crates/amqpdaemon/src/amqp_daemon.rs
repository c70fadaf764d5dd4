//! A daemon made of a handler: settings, connection, process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use edeposit_amqp::ConnectionParams;
use edeposit_daemonwrapper::{Context, ExitWith, exit};
use edeposit_pikadaemon::{OnMessage, PikaDaemon};
use edeposit_settings::{Error, Settings, Sources, Submodule};
use tokio::runtime::Builder;
use tracing::{info, warn};

use crate::attempts::Attempts;
use crate::counters::Counters;
use crate::handlers::Handlers;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::metrics_server::{MetricsAddress, MetricsServer};
use crate::reporter::Reporter;
use crate::responder::Responder;
use crate::stuck::Stuck;
use crate::submodule::{self, Frame};
use crate::wiring::Wiring;
use crate::work::Work;
use crate::{IntoReact, React};

/// How long handlers that were cut off may take to release what they hold.
const HANDLERS_END: Duration = Duration::from_secs(1);

type OwnCommand = (
    clap::Command,
    Box<dyn FnOnce(&clap::ArgMatches) -> ExitCode>,
);
type Setup = Box<dyn FnOnce() -> anyhow::Result<Box<dyn React>>>;

/// A daemon that answers the requests of one submodule.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use edeposit_amqpdaemon::{AmqpDaemon, Exception, Sendback};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// enum Request {
///     Greet { name: String },
/// }
///
/// #[derive(Serialize)]
/// enum Response {
///     Greeting { text: String },
/// }
///
/// async fn react(request: Request, _sendback: Sendback) -> Result<Response, Exception> {
///     let Request::Greet { name } = request;
///     Ok(Response::Greeting { text: format!("Hello {name}") })
/// }
///
/// fn main() -> ExitCode {
///     AmqpDaemon::new("greeter", react).about("Greets people.").run_from_args()
/// }
/// ```
///
/// The name says where it works: virtual host, exchange, queues and keys are the settings `RABBITMQ_GREETER_VIRTUALHOST`
/// and so on, with defaults by convention; see [`edeposit_settings`].
pub struct AmqpDaemon {
    pub(crate) submodule: String,
    pub(crate) about: String,
    pub(crate) wiring: Option<Wiring>,
    /// Taken when the daemon runs.
    setup: Option<Setup>,
    /// What the submodule needs of its own.
    pub(crate) frame: Option<Frame>,
    pub(crate) settings_file: Option<PathBuf>,
    pub(crate) state_file: Option<PathBuf>,
    /// The name of this instance.
    pub(crate) name: String,
    pub(crate) metrics: Option<MetricsAddress>,
    pub(crate) wait_for_broker: bool,
    strict_order: bool,
    pub(crate) own_command: Option<OwnCommand>,
}

impl AmqpDaemon {
    /// The daemon of a [submodule](submodule::Submodule). Its own settings are checked before anything running is touched:
    /// before the process forks, and before `restart` takes the old one down.
    #[must_use]
    pub fn of<S: submodule::Submodule>() -> Self {
        let frame = Frame::of::<S>();
        let set_up = frame.set_up;
        let setup: Setup = Box::new(move || set_up(&Sources::of_process(None)));
        Self {
            frame: Some(frame),
            ..Self::set_up_by(S::NAME, setup)
        }
    }

    /// A daemon for the submodule of this name, whose requests `react` carries out: an async function or a
    /// [`Handler`](crate::Handler).
    pub fn new<M>(submodule: &str, react: impl IntoReact<M> + 'static) -> Self {
        Self::with_setup(submodule, || Ok(react))
    }

    /// The same with a handler that has to be set up first, e.g. from settings of its own. `setup` runs in the daemon's
    /// own process, when the log is open, inside a tokio runtime; if it fails, `start` says why and exits with 1.
    pub fn with_setup<M, R: IntoReact<M>>(
        submodule: &str,
        setup: impl FnOnce() -> anyhow::Result<R> + 'static,
    ) -> Self {
        let setup = || setup().map(IntoReact::into_react);
        Self::set_up_by(submodule, Box::new(setup))
    }

    fn set_up_by(submodule: &str, setup: Setup) -> Self {
        Self {
            submodule: submodule.to_owned(),
            about: format!("AMQP daemon of the submodule {submodule}."),
            wiring: None,
            setup: Some(setup),
            frame: None,
            settings_file: None,
            state_file: None,
            name: submodule.to_owned(),
            metrics: None,
            wait_for_broker: false,
            strict_order: false,
            own_command: None,
        }
    }

    /// One line for `--help`: what the daemon is for.
    #[must_use]
    pub fn about(mut self, about: &str) -> Self {
        self.about = about.to_owned();
        self
    }

    /// Adds a command beside `start` and the others: for what the submodule can do without a broker. It runs in place of
    /// the daemon, in the foreground, and its exit code is the process's.
    #[must_use]
    pub fn own_command(
        mut self,
        command: clap::Command,
        run: impl FnOnce(&clap::ArgMatches) -> ExitCode + 'static,
    ) -> Self {
        self.own_command = Some((command, Box::new(run)));
        self
    }

    /// Carries requests out one by one in the order of the queue, whatever the prefetch setting: for handlers that are wrong
    /// otherwise. The order is the queue's as long as one instance of the daemon runs.
    #[must_use]
    pub fn strict_order(mut self) -> Self {
        self.strict_order = true;
        self
    }

    /// Consumes `queue` and answers to exchange `out_exch` with key `out_key`, whatever the settings have for this
    /// submodule (the original's constructor arguments). Build the parameters with
    /// [`get_con_params`](edeposit_amqp::get_con_params).
    #[must_use]
    pub fn wired(
        mut self,
        con_params: ConnectionParams,
        queue: &str,
        out_exch: &str,
        out_key: &str,
    ) -> Self {
        self.wiring = Some(Wiring {
            con_params,
            queue: queue.to_owned(),
            out_exch: out_exch.to_owned(),
            out_key: out_key.to_owned(),
        });
        self
    }

    /// Records in this file which requests are in hand, so that one which kills the process is found out and set aside.
    /// Not shared between running processes. [`AmqpDaemon::run_from_args`] has one; default for [`AmqpDaemon::run`]: none.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Runs the daemon in this process until [`Context::stop`] is cancelled, without command line, PID file or signals:
    /// for embedding it in a program of your own. Blocks; must not be called from async code.
    ///
    /// # Errors
    /// Settings, set-up or first connection failed, requests in hand could not be finished in the drain time, or the daemon ended
    /// by itself because too many handlers block their threads for ever.
    pub fn run(&mut self, context: &Context) -> anyhow::Result<()> {
        let Configuration {
            warnings,
            submodule,
            wiring,
            answer_without_uuid,
            tracebacks,
        } = self.configuration()?;
        for warning in warnings {
            warn!("{warning}");
        }

        let counters = Arc::new(Counters::default());
        let health = Arc::new(Health::default());
        let stop = context.stop().child_token();
        let stuck = Arc::new(Stuck::new(stop.clone()));
        let _metrics = self.serve_metrics(&counters, &health, &stuck)?;
        let prefetch = match self.strict_order {
            true => 1,
            false => submodule.prefetch,
        };
        // Sessions, connections and what else is small share this thread; no handler runs here.
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the sessions' runtime")?;
        let handlers = Arc::new(Handlers::start()?);
        let setup = self.setup.take().context("a daemon runs only once")?;
        let react = handlers
            .enter(setup)
            .with_context(|| format!("setting up {}", self.submodule))?;
        let prefetch = prefetch.min(react.most_at_once().map_or(u16::MAX, |most| most.max(1)));
        let work = Work {
            react: Arc::from(react),
            handler_timeout: submodule.handler_timeout,
            max_request_size: submodule.max_request_size,
            tracebacks,
            handlers: Arc::clone(&handlers),
            stuck: Arc::clone(&stuck),
            counters: Arc::clone(&counters),
        };
        let responder = Arc::new(Responder::new(
            work,
            runtime.handle().clone(),
            wiring.out_key,
            answer_without_uuid,
            self.attempts(prefetch),
            prefetch,
        ));
        let consuming = format!(
            "consuming queue '{}' of virtual host '{}'",
            wiring.queue, wiring.con_params.virtualhost
        );
        let daemon = PikaDaemon::new(
            wiring.con_params,
            wiring.queue,
            wiring.out_exch,
            Arc::clone(&responder) as Arc<dyn OnMessage>,
        )
        .prefetch(prefetch)
        .drain_time(context.drain_time())
        .wait_for_broker(self.wait_for_broker);
        context.status("connecting to RabbitMQ");
        let reporter = Arc::new(Reporter {
            context: context.clone(),
            health,
            responder: Arc::clone(&responder),
            stuck: Arc::clone(&stuck),
            consuming,
            waiting_is_ready: self.wait_for_broker,
            session: Mutex::default(),
        });
        let telling = Arc::clone(&reporter);
        runtime.spawn(async move { telling.follow_stuck().await });
        let ended = runtime.block_on(daemon.run(stop.clone(), &mut |report| reporter.take(report)));
        responder.close();
        info!("{counters}");
        // Handlers whose deliveries went with the last session, if the daemon is told to stop while there is none. Those of a
        // session that was drained are told by it.
        let at_work = responder.unfinished();
        handlers.end(HANDLERS_END);
        // Dropped, it would wait for a look-up of a host name, for as long as that takes.
        runtime.shutdown_background();
        let by_itself = stop.is_cancelled() && !context.stop().is_cancelled();
        ending(ended?.max(at_work), by_itself.then(|| stuck.count()))
    }

    /// What is known of requests that processes died with.
    fn attempts(&self, prefetch: u16) -> Attempts {
        let Some(path) = &self.state_file else {
            return Attempts::unrecorded();
        };
        Attempts::open(path, prefetch).unwrap_or_else(|error| {
            warn!(
                error = format!("{error:#}"),
                "cannot record which requests are in hand: one that kills this process will not be set aside"
            );
            Attempts::unrecorded()
        })
    }

    /// Listens before the daemon is ready, so that an address that is taken fails its start.
    fn serve_metrics(
        &self,
        counters: &Arc<Counters>,
        health: &Arc<Health>,
        stuck: &Arc<Stuck>,
    ) -> anyhow::Result<Option<MetricsServer>> {
        let serving = self.metrics.as_ref().map(|address| {
            let metrics = Metrics {
                submodule: self.submodule.clone(),
                name: self.name.clone(),
                started: SystemTime::now(),
                counters: Arc::clone(counters),
                health: Arc::clone(health),
                stuck: Arc::clone(stuck),
            };
            MetricsServer::start(address, metrics)
        });
        serving.transpose()
    }

    /// Reads the settings, as far as this daemon needs them.
    fn configuration(&self) -> Result<Configuration, Error> {
        let settings = Settings::load_from(self.settings_file.as_deref())?;
        let submodule = settings.submodule(&self.submodule)?;
        let wiring = match self.wiring.clone() {
            Some(wiring) => wiring,
            None => Wiring::of(&settings, &submodule)?,
        };
        Ok(Configuration {
            warnings: settings.warnings().to_vec(),
            submodule,
            wiring,
            answer_without_uuid: settings.answer_without_uuid()?,
            tracebacks: settings.tracebacks()?,
        })
    }
}

/// How it ended, for the exit code: with requests that could not be finished, or by itself because of handlers that are stuck.
fn ending(unfinished: usize, stuck: Option<usize>) -> anyhow::Result<()> {
    if let Some(stuck) = stuck {
        anyhow::bail!(ExitWith {
            code: exit::START_ANEW,
            reason: format!(
                "{stuck} handlers keep their threads for ever; only a new process can go on"
            ),
        });
    }
    if unfinished > 0 {
        anyhow::bail!(ExitWith {
            code: exit::DRAIN_TIME_OVER,
            reason: format!(
                "{unfinished} requests were not finished in the drain time; they are back in the queue"
            ),
        });
    }
    Ok(())
}

/// What the settings say to this daemon.
struct Configuration {
    warnings: Vec<String>,
    submodule: Submodule,
    wiring: Wiring,
    answer_without_uuid: bool,
    tracebacks: bool,
}

#[cfg(test)]
#[path = "amqp_daemon_tests.rs"]
mod tests;
