//! The `ltp` submodule: packages for long-term preservation.
//!
//! For each accepted publication a *submission package* is laid out in an export directory, from which the archive of the
//! National Library fetches it: a directory with the file, its MODS description, checksums and an info file. The archive
//! reports back by renaming the directory; a second request asks for that *state*.
//!
//! The archive never sees half a package. It is built under a temporary name beside its final place and renamed when all
//! of it has reached the disk; a package of an earlier export is exchanged in the same single step.
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. [`Ltp`] is a handler for a daemon, and a
//! library that can be called without one.
//!
//! ```no_run
//! use edeposit_ltp::{Ltp, Settings};
//! use edeposit_settings::Declared;
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let ltp = Ltp::new(Settings::load()?)?;
//! let state = ltp.track("6f1c2d34-5e67-4a89-9b01-23456789abcd")?;
//! println!("taken over: {}, state: {}", state.exported, state.error);
//! # Ok(())
//! # }
//! ```

mod book_id;
mod checksums;
mod dir;
mod error;
mod info;
mod lock;
mod look;
pub mod messages;
mod package;
mod publish;
mod settings;
mod states;

pub use checksums::Algorithm;
pub use error::LtpError;
pub use settings::Settings;

use std::sync::Arc;

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use edeposit_marc::Record;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use book_id::BookId;
use dir::Dir;
use info::Catalogued;
use lock::Lock;
use messages::{ExportRequest, Request, Response, TrackingResponse};
use package::Package;
use publish::Temporary;

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug, Clone)]
pub struct Ltp {
    settings: Arc<Settings>,
    mods: Arc<edeposit_marcxml2mods::Settings>,
}

impl Ltp {
    /// Sets up with the given settings: tries the export directory, and deletes what processes that died have left there.
    ///
    /// # Errors
    /// The export directory is missing, cannot be written to, or is on a file system that cannot exchange directories.
    pub fn new(settings: Settings) -> Result<Self, LtpError> {
        let export = Dir::open(&settings.export_dir)?;
        publish::delete_all_leftovers(&export)?;
        publish::try_exchange(&export)?;
        Ok(Self {
            settings: Arc::new(settings),
            mods: Arc::default(),
        })
    }

    /// Has records converted to MODS by these settings instead of the defaults.
    #[must_use]
    pub fn with_mods(self, mods: edeposit_marcxml2mods::Settings) -> Self {
        let mods = Arc::new(mods);
        Self { mods, ..self }
    }

    /// Lays out the package of a book, in place of an earlier one. Blocks; gives up when `stop` is cancelled. On an error
    /// an earlier package is untouched, and nothing of the new one is left.
    ///
    /// # Errors
    /// See [`LtpError`].
    pub fn export(
        &self,
        request: &ExportRequest,
        stop: &CancellationToken,
    ) -> Result<(), LtpError> {
        let settings = &*self.settings;
        let id = BookId::new(&request.book_uuid)?;
        if !id.is_uuid() {
            tracing::warn!(%id, "the book_uuid is no UUID");
        }
        let urn_nbn = request.urn_nbn.as_deref().filter(|urn| !urn.is_empty());
        if let Some(urn) = urn_nbn.filter(|urn| !urn.chars().all(info::is_xml)) {
            return Err(LtpError::UrnNbn(urn.chars().take(100).collect()));
        }
        let mods = edeposit_marcxml2mods::convert(
            &request.aleph_record,
            Some(id.as_str()),
            Some(&request.url),
            &self.mods,
        )
        .map_err(LtpError::Conversion)?;
        if mods.is_empty() {
            return Err(LtpError::NoMods);
        }
        let catalogued = Catalogued::of(&Record::from_xml(&request.aleph_record)?)?;

        let export = Dir::open(&settings.export_dir)?;
        let lock = Lock::wait(&export, id.as_str(), stop)?;
        publish::delete_leftovers(&export, id.as_str(), &lock)?;
        self.check_room(&export, request.b64_data.len() / 4 * 3)?;
        let temporary = Temporary::new(&export, id.as_str(), &lock)?;
        let package = Package {
            id: &id,
            suffix: book_id::suffix(&request.filename),
            b64_data: &request.b64_data,
            mods: &mods,
            catalogued: &catalogued,
            urn_nbn,
            created: OffsetDateTime::now_utc(),
        };
        package.lay_out(temporary.dir(), settings, stop)?;
        if stop.is_cancelled() {
            return Err(LtpError::GivenUp);
        }
        let target = format!("{}{id}", settings.export_prefix);
        temporary.publish(&target, |new| {
            publish::clear_states(&export, &id, &settings.export_prefix, new)
        })?;
        tracing::info!(%id, bytes = request.b64_data.len() / 4 * 3, "the package {target} is laid out");
        Ok(())
    }

    /// What the archive has reported of a book.
    ///
    /// # Errors
    /// The id is none, there is no package of it, or the export directory cannot be read.
    pub fn track(&self, book_uuid: &str) -> Result<TrackingResponse, LtpError> {
        let id = BookId::new(book_uuid)?;
        let export = Dir::open(&self.settings.export_dir)?;
        states::track(&export, &id, &self.settings.export_prefix)
    }

    /// Of the file alone: what else is in a package is small.
    fn check_room(&self, export: &Dir, bytes: usize) -> Result<(), LtpError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let needed = bytes.saturating_add(self.settings.min_free_bytes);
        let free = export.free_bytes()?;
        if free < needed {
            return Err(LtpError::NoSpace {
                path: export.path().to_owned(),
                free,
                needed,
            });
        }
        Ok(())
    }

    /// Does work that blocks. If it is not waited for any more, it is told to stop.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &CancellationToken) -> Result<T, LtpError> + Send + 'static,
    ) -> Result<T, Exception> {
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this, &stop)).await;
        match done {
            Ok(result) => result.map_err(Exception::from),
            Err(error) => Err(Exception::builtin("RuntimeError", error.to_string())),
        }
    }
}

impl Submodule for Ltp {
    const NAME: &'static str = "ltp";
    /// Its own, and how records are converted.
    type Settings = (Settings, edeposit_marcxml2mods::Settings);

    fn set_up((settings, mods): Self::Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings)?.with_mods(mods))
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings.0).await
    }
}

impl Handler for Ltp {
    type Request = Request;
    type Response = Response;

    async fn react(&self, request: Request, _sendback: Sendback) -> Result<Response, Exception> {
        match request {
            Request::ExportRequest(request) => {
                self.blocking(move |ltp, stop| ltp.export(&request, stop))
                    .await?;
                Ok(Response::Exported(true))
            }
            Request::TrackingRequest(request) => {
                let state = self
                    .blocking(move |ltp, _| ltp.track(&request.book_uuid))
                    .await?;
                Ok(Response::Tracked(state))
            }
        }
    }
}
