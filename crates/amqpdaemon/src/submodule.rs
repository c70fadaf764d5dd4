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

use edeposit_settings::{Constants, Error, OwnSettings, Sources};

use crate::{Handler, React};

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
}

/// How a daemon reads and uses the settings of its submodule, whichever that is.
pub(crate) struct Frame {
    /// Reads the settings, to see whether they can be used and what they come to: a set of constants for each file.
    pub(crate) read: fn(&Sources) -> Result<Vec<Constants>, Error>,
    /// Reads them, logs what is ignored in them, and sets the submodule up.
    pub(crate) set_up: fn(&Sources) -> anyhow::Result<Box<dyn React>>,
}

impl Frame {
    pub(crate) fn of<S: Submodule>() -> Self {
        Self {
            read: |sources| Ok(S::Settings::read(sources)?.constants),
            set_up: |sources| {
                let settings = S::Settings::read(sources)?.log_warnings();
                Ok(Box::new(S::set_up(settings)?))
            },
        }
    }
}
