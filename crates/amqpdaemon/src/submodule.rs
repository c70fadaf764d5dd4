//! The frame of a submodule: a handler with settings of its own.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use edeposit_amqpdaemon::{AmqpDaemon, Exception, Handler, Sendback, Submodule};
//! use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};
//! use serde::{Deserialize, Serialize};
//!
//! struct Settings {
//!     greeting: String,
//! }
//!
//! impl Declared for Settings {
//!     const DECLARATION: &'static Declaration = &Declaration {
//!         submodule: "greeter",
//!         settings: &[Setting::text("GREETING", "Hello", "how a greeting begins")],
//!     };
//!
//!     fn from_constants(constants: &Constants) -> Result<Self, Error> {
//!         let greeting = constants.text("GREETING")?.to_owned();
//!         Ok(Settings { greeting })
//!     }
//! }
//!
//! #[derive(Deserialize)]
//! enum Request {
//!     Greet { name: String },
//! }
//!
//! #[derive(Serialize)]
//! enum Response {
//!     Greeting { text: String },
//! }
//!
//! struct Greeter(Settings);
//!
//! impl Handler for Greeter {
//!     type Request = Request;
//!     type Response = Response;
//!
//!     async fn react(&self, request: Request, _sendback: Sendback) -> Result<Response, Exception> {
//!         let Request::Greet { name } = request;
//!         let text = format!("{} {name}", self.0.greeting);
//!         Ok(Response::Greeting { text })
//!     }
//! }
//!
//! impl Submodule for Greeter {
//!     const NAME: &'static str = "greeter";
//!     type Settings = Settings;
//!
//!     fn set_up(settings: Settings) -> anyhow::Result<Self> {
//!         Ok(Greeter(settings))
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     AmqpDaemon::of::<Greeter>().about("Greets people.").run_from_args()
//! }
//! ```

use std::future::ready;

use edeposit_settings::{Constants, Error, OwnSettings, Sources};
use futures::future::LocalBoxFuture;

use crate::{Finding, Handler, React};

/// A submodule: a [`Handler`] that is set up from settings of its own. [`AmqpDaemon::of`](crate::AmqpDaemon::of) makes a
/// daemon of it.
pub trait Submodule: Handler + Sized {
    /// Its name, which says where it works: virtual host, exchange, queues and keys are the constants
    /// `RABBITMQ_<NAME>_...` of `amqp.json`, with defaults by convention.
    const NAME: &'static str;

    /// Its settings: a type that is [`Declared`](edeposit_settings::Declared), or a pair of such types.
    type Settings: OwnSettings;

    /// Sets it up. Called once, in the daemon's own process, when the log is open, inside a tokio runtime; if it fails,
    /// `start` says why and exits with 1. The settings have been read and checked before anything running was touched.
    ///
    /// # Errors
    /// Something that it needs is missing.
    fn set_up(settings: Self::Settings) -> anyhow::Result<Self>;

    /// Looks at what it needs of the world, RabbitMQ apart: servers, programs, directories; a [`Finding`] each. Called by
    /// the command `check`, and before `start` and `restart` change anything, in a process of its own and inside a tokio
    /// runtime. So it changes nothing and is quick: what may take longer has a time limit of some seconds. An instance of
    /// the daemon may be at work meanwhile. Write `async fn look_around(settings: Self::Settings) -> Vec<Finding>`; by
    /// default there is nothing to look at.
    fn look_around(settings: Self::Settings) -> impl Future<Output = Vec<Finding>> {
        drop(settings);
        ready(Vec::new())
    }
}

/// Reads a submodule's own settings, to see whether they can be used and what they come to: a set of constants for each
/// file.
pub(crate) type ReadSettings = fn(&Sources) -> Result<Vec<Constants>, Error>;

/// How a daemon reads and uses the settings of its submodule, whichever that is.
pub(crate) struct Frame {
    pub(crate) read: ReadSettings,
    /// Reads them, and looks at what the submodule needs.
    pub(crate) look_around: fn(&Sources) -> LocalBoxFuture<'static, Vec<Finding>>,
    /// Reads them, logs what is ignored in them, and sets the submodule up.
    pub(crate) set_up: fn(&Sources) -> anyhow::Result<Box<dyn React>>,
}

impl Frame {
    pub(crate) fn of<S: Submodule>() -> Self {
        Self {
            read: |sources| Ok(S::Settings::read(sources)?.constants),
            look_around: |sources| match S::Settings::read(sources) {
                Ok(loaded) => Box::pin(S::look_around(loaded.settings)),
                Err(error) => Box::pin(ready(vec![Finding::failed(error.to_string())])),
            },
            set_up: |sources| {
                let settings = S::Settings::read(sources)?.log_warnings();
                Ok(Box::new(S::set_up(settings)?))
            },
        }
    }
}
