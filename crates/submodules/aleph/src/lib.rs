//! The `aleph` submodule: searching a library catalogue.
//!
//! Libraries keep their catalogue in a library system; the Czech National Library's, Aleph, answers machine queries over
//! HTTP. This submodule searches it (by ISBN, author, title, publisher, record number, ...), counts hits, and checks
//! ISBNs. Callers are the deposit web and its workflows: does this ISBN exist already, how far has cataloguing come?
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. [`XServer`] speaks to the catalogue,
//! [`edeposit_marc`] reads its records, and [`Aleph`] is the two put together: a handler for a daemon, and a library that
//! can be called without one.
//!
//! ```no_run
//! use edeposit_aleph::{Aleph, Settings, messages::{ISBNQuery, Query}};
//! use edeposit_settings::Declared;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let aleph = Aleph::new(Settings::load()?)?;
//! let query = Query::ISBNQuery(ISBNQuery { ISBN: "80-251-0225-4".into(), base: None });
//! println!("{} records", aleph.search(&query).await?.records.len());
//! # Ok(())
//! # }
//! ```

mod error;
mod isbn;
mod look;
pub mod messages;
mod parse;
mod request;
mod search;
mod settings;
mod setup_error;
mod xserver;

pub use error::AlephError;
pub use isbn::is_valid_isbn;
pub use settings::Settings;
pub use setup_error::SetupError;
pub use xserver::{FoundSet, INDEXES, XServer};

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use edeposit_serializers::Value;

use messages::{CountResult, ISBNToValidate, ISBNValidationResult, Query, Request, Response};

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug)]
pub struct Aleph {
    settings: Settings,
    server: XServer,
}

impl Aleph {
    /// Sets up with the given settings. Nothing is sent to the catalogue yet.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let server = XServer::new(&settings)?;
        Ok(Self { settings, server })
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What the caller is told instead of an answer.
    pub async fn answer(&self, request: Request) -> Result<Response, Exception> {
        match request {
            Request::SearchRequest(request) => {
                Ok(Response::SearchResult(self.search(&request.query).await?))
            }
            Request::CountRequest(request) => {
                let count = self.count(&request.query).await?;
                Ok(match request.query {
                    Query::DocumentQuery(_) => Response::DocumentCount(count),
                    _ => Response::CountResult(CountResult {
                        num_of_records: count,
                    }),
                })
            }
            Request::ISBNValidationRequest(request) => {
                let isbn = match request.ISBN {
                    ISBNToValidate::Query(query) => Some(query.ISBN),
                    ISBNToValidate::Value(value) => value.first_text(),
                };
                let is_valid = isbn.is_some_and(|isbn| is_valid_isbn(&isbn));
                Ok(Response::ISBNValidationResult(ISBNValidationResult {
                    is_valid,
                }))
            }
            Request::ExportRequest(_) => Err(Exception::builtin(
                "NotImplementedError",
                "ExportRequest: this release cannot file publications yet. Nothing was filed; \
                 file it by hand, or send the request again to a release that can.",
            )),
        }
    }
}

impl Submodule for Aleph {
    const NAME: &'static str = "aleph";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings)?)
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings).await
    }
}

impl Handler for Aleph {
    /// JSON as it came: what is wrong with a request is told by what was found in its place.
    type Request = Value;
    type Response = Response;

    async fn react(&self, request: Value, _sendback: Sendback) -> Result<Response, Exception> {
        self.answer(request::read(request)?).await
    }
}
