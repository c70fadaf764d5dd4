//! The `calibre` submodule: converting e-books.
//!
//! Publishers hand in books in many formats; the deposit wants them in others. This submodule runs `ebook-convert` of the
//! package Calibre on a book and returns the converted book with the converter's log.
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. A book is not to be trusted, and a
//! converter that reads dozens of formats even less: each conversion has a directory, a process group and, where
//! bubblewrap works, a sandbox of its own, and limits on time, memory and space.
//!
//! ```no_run
//! use edeposit_calibre::{Calibre, Settings, messages::ConversionRequest};
//! use edeposit_settings::Declared;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let calibre = Calibre::new(Settings::load()?)?;
//! let request = ConversionRequest {
//!     input_format: "txt".into(),
//!     output_format: "epub".into(),
//!     b64_data: "UMWZw61rbGFkCg==".into(),
//! };
//! println!("{}", calibre.convert(&request).await?.protocol);
//! # Ok(())
//! # }
//! ```

mod command;
mod conversion;
mod failure;
mod formats;
mod group;
mod job_dir;
mod log;
mod look;
pub mod messages;
mod oeb;
mod orphans;
mod output;
mod regular_file;
mod removal;
mod request;
mod settings;
mod setup_error;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use edeposit_serializers::{Value, to_value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use formats::{INPUT_FORMATS, OUTPUT_FORMATS};
pub use settings::{Sandbox, Settings};
pub use setup_error::SetupError;

use command::Converter;
use conversion::Converted;
use failure::Failure;
use messages::{ConversionRequest, ConversionResponse};
use request::Work;

/// How long the end of a conversion that nobody waits for may take: killing it and removing its directory.
const CLEAN_WITHIN: Duration = Duration::from_secs(5);

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug)]
pub struct Calibre {
    shared: Arc<Shared>,
    jobs: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    converter: Converter,
}

impl Calibre {
    /// Sets up with the given settings: looks for the converter, tries the sandbox, and removes what a daemon that was
    /// killed left in `TEMP_DIR`.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let converter = Converter::find(&settings)?;
        let swept = job_dir::sweep(&settings.temp_dir).map_err(|source| SetupError::TempDir {
            dir: settings.temp_dir.clone(),
            source,
        })?;
        if swept > 0 {
            tracing::info!(
                swept,
                "removed the directories of conversions whose daemon was killed"
            );
        }
        Ok(Self {
            jobs: Arc::new(Semaphore::new(settings.max_jobs.into())),
            shared: Arc::new(Shared {
                settings,
                converter,
            }),
        })
    }

    /// Converts a book. If the future is dropped, the conversion is ended and nothing is left of it.
    ///
    /// # Errors
    /// What the caller is told instead of an answer.
    pub async fn convert(
        &self,
        request: &ConversionRequest,
    ) -> Result<ConversionResponse, Exception> {
        self.answer(to_value(request)?).await
    }

    async fn answer(&self, body: Value) -> Result<ConversionResponse, Exception> {
        let work = request::read(body, self.shared.settings.max_input_size)?;
        let format = work.to.to_owned();
        let jobs = Arc::clone(&self.jobs);
        let permit = jobs.acquire_owned().await.map_err(|_| Failure::Abandoned)?;
        let (mut job, result) =
            Job::start(Arc::clone(&self.shared), work, permit).map_err(Failure::Io)?;
        let result = result.await;
        job.is_over = true;
        let Converted { b64_data, protocol } = result.map_err(|_| Failure::Abandoned)??;
        Ok(ConversionResponse {
            format,
            b64_data,
            protocol,
        })
    }
}

impl Submodule for Calibre {
    const NAME: &'static str = "calibre";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings)?)
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings).await
    }
}

impl Handler for Calibre {
    /// JSON as it came: what is wrong with a request is told in the original's order and words.
    type Request = Value;
    type Response = ConversionResponse;

    /// As many as are converted at once: the other books wait in the queue.
    fn most_at_once(&self) -> Option<u16> {
        Some(self.shared.settings.max_jobs)
    }

    async fn react(
        &self,
        request: Value,
        _sendback: Sendback,
    ) -> Result<ConversionResponse, Exception> {
        self.answer(request).await
    }
}

/// A conversion on a thread of its own. The thread is the converter's parent, whose end would end the converter: it must
/// not be one that a runtime takes away in between.
struct Job {
    /// Closed when nobody waits any more.
    caller: Option<OwnedFd>,
    cleaned: mpsc::Receiver<()>,
    is_over: bool,
}

impl Job {
    fn start(
        shared: Arc<Shared>,
        work: Work,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<(Self, oneshot::Receiver<Result<Converted, Failure>>)> {
        let (gone, caller) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (send, result) = oneshot::channel();
        let (clean, cleaned) = mpsc::channel();
        thread::Builder::new()
            .name("conversion".to_owned())
            .spawn(move || {
                let converted =
                    conversion::convert(&shared.converter, &shared.settings, work, gone.as_fd());
                drop(permit);
                let _ = clean.send(());
                let _ = send.send(converted);
            })?;
        let job = Self {
            caller: Some(caller),
            cleaned,
            is_over: false,
        };
        Ok((job, result))
    }
}

/// Waits for the end of the cleaning, which takes milliseconds: the process may end right after this.
impl Drop for Job {
    fn drop(&mut self) {
        drop(self.caller.take());
        if !self.is_over {
            let _ = self.cleaned.recv_timeout(CLEAN_WITHIN);
        }
    }
}
