//! The `downloader` submodule: fetching files from the web.
//!
//! Some publications lie on their publisher's web server. The deposit web sends an address; this submodule fetches the
//! file, tells how far it is, or only asks whether there is one. So slow servers do not hold the web up.
//!
//! The address comes from a caller, so it may lead anywhere: only http and https are spoken, only to the public internet
//! unless the settings say otherwise, and every answer is bounded in size and time.
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. [`Downloader`] is a handler for a
//! daemon, and a library that can be called without one.
//!
//! ```no_run
//! use edeposit_downloader::{Downloader, Settings};
//! use edeposit_serializers::Base64;
//! use edeposit_settings::Declared;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let downloader = Downloader::new(Settings::load()?)?;
//! let base64 = downloader.download(Some("http://knihy.example/dil1.pdf")).await?;
//! std::fs::write("dil1.pdf", Base64::decode(&base64)?.0)?;
//! # Ok(())
//! # }
//! ```

mod address;
mod body;
mod error;
mod existence;
mod look;
mod lookup;
pub mod messages;
mod progress;
mod settings;
mod setup_error;
mod web;

pub use error::DownloadError;
pub use lookup::{Lookup, SystemLookup};
pub use settings::Settings;
pub use setup_error::SetupError;

use std::fmt;
use std::sync::Arc;

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use indexmap::IndexMap;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::timeout;

use error::server;
use messages::{DownloadedFile, Exists, Request, Response};
use progress::{Reporter, Steps};
use web::{Ask, Web, check_status, parse, shown};

/// The submodule: reacts to the requests of [`messages`].
pub struct Downloader {
    web: Web,
    settings: Settings,
}

impl Downloader {
    /// Sets up with the given settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// The same with a way of its own from hosts to addresses. Which of them may be contacted is the settings' all the same.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn with_lookup(settings: Settings, lookup: Arc<dyn Lookup>) -> Result<Self, SetupError> {
        Ok(Self {
            web: Web::new(&settings, lookup)?,
            settings,
        })
    }

    /// Fetches a file, in base64.
    ///
    /// # Errors
    /// What the caller is told, see [`DownloadError`].
    pub async fn download(&self, url: Option<&str>) -> Result<String, Exception> {
        let ask = Ask {
            method: Method::GET,
            headers: HeaderMap::new(),
            follow: true,
            decode: true,
        };
        self.fetch(url, &ask, None).await
    }

    /// Fetches a file, in base64, and sends at most `steps` [`Progress`](messages::Progress) messages meanwhile.
    ///
    /// # Errors
    /// As [`download`](Self::download); `steps` is 0; or a message could not be sent.
    pub async fn download_with_progress(
        &self,
        url: Option<&str>,
        steps: u64,
        sendback: &Sendback,
    ) -> Result<String, Exception> {
        if steps == 0 {
            return Err(DownloadError::Steps("0".to_owned()).into());
        }
        let ask = Ask {
            method: Method::GET,
            // so that the length announced and the bytes counted are of the same thing
            headers: HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )]),
            follow: true,
            decode: true,
        };
        self.fetch(url, &ask, Some((steps, sendback))).await
    }

    /// The headers of a file, or `None` if there is none, or no such server.
    pub async fn exists(&self, url: Option<&str>) -> Option<IndexMap<String, String>> {
        let follow = self.settings.head_follows_redirects;
        let asking = existence::headers(&self.web, url, follow);
        match timeout(self.settings.total_timeout, asking).await {
            Ok(Ok(headers)) => headers,
            Ok(Err(error)) => {
                tracing::debug!(error = ?Exception::from(error).name, "not there");
                None
            }
            Err(_) => None,
        }
    }

    /// Asks for a file and receives it; tells how far it is, in so many steps, if that is wanted.
    async fn fetch(
        &self,
        url: Option<&str>,
        ask: &Ask,
        progress: Option<(u64, &Sendback)>,
    ) -> Result<String, Exception> {
        let first = parse(url)?;
        let asked = shown(&first);
        let name = server(&first);
        let fetching = async {
            let (response, last): (_, Url) = self.web.ask(first, ask).await?;
            check_status(&response)?;
            let max_size = self.settings.max_size;
            let reporter = progress.map(|(steps, sendback)| {
                let steps = Steps::new(steps, response.content_length(), max_size);
                Reporter::new(sendback, url, steps)
            });
            body::receive(response, &last, self.web.limits, max_size, reporter).await
        };
        let result = timeout(self.settings.total_timeout, fetching)
            .await
            .unwrap_or_else(|_| {
                Err(DownloadError::ReadTimeout {
                    server: name,
                    what: "the whole",
                    seconds: self.settings.total_timeout.as_secs_f64(),
                    setting: "TOTAL_TIMEOUT",
                }
                .into())
            });
        match &result {
            Ok(text) => tracing::info!(url = asked, base64 = text.len(), "fetched"),
            Err(error) => tracing::info!(url = asked, error = error.name, "not fetched"),
        }
        result
    }
}

impl Submodule for Downloader {
    const NAME: &'static str = "downloader";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings)?)
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings).await
    }
}

impl Handler for Downloader {
    type Request = Request;
    type Response = Response;

    fn most_at_once(&self) -> Option<u16> {
        Some(self.settings.max_jobs)
    }

    async fn react(&self, request: Request, sendback: Sendback) -> Result<Response, Exception> {
        let (url, b64_data) = match request {
            Request::Download(request) => {
                let file = self.download(request.url.as_deref()).await?;
                (request.url, file)
            }
            Request::ProgressDownload(request) => {
                let url = request.url.as_deref();
                let steps = request.steps.as_u64();
                let steps = steps.ok_or_else(|| {
                    let found = request.steps.to_string().chars().take(100).collect();
                    DownloadError::Steps(found)
                })?;
                let file = self.download_with_progress(url, steps, &sendback).await?;
                (request.url, file)
            }
            Request::CheckExistence(request) => {
                let headers = self.exists(request.url.as_deref()).await;
                return Ok(Response::Exists(Exists {
                    result: headers.is_some(),
                    headers: headers.unwrap_or_default(),
                    url: request.url,
                }));
            }
        };
        Ok(Response::DownloadedFile(DownloadedFile { url, b64_data }))
    }
}

impl fmt::Debug for Downloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloader")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
