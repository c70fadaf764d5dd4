//! The `antivirus` submodule: are deposited files free of malware?
//!
//! Every file that a publisher hands in is checked with ClamAV before anybody opens it: by its server `clamd`, which has
//! the signatures in memory and answers at once, or by the program `clamscan`, which loads them for each file. The
//! signatures are updated with ClamAV's `freshclam`.
//!
//! A file is *clean* only if the scanner said so. Whatever keeps it from deciding (a limit, a time-out, a server that is
//! down) is an error, never an empty result.
//!
//! [`messages`] has what goes over RabbitMQ, [`Settings`] what an operator can set. [`Antivirus`] is a handler for a
//! daemon, and a library that can be called without one.
//!
//! ```no_run
//! use edeposit_antivirus::{Antivirus, Settings, Verdict};
//! use edeposit_settings::Declared;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let antivirus = Antivirus::new(Settings::load()?);
//! match antivirus.scan(&std::fs::read("book.epub")?).await? {
//!     Verdict::Clean => println!("nothing was found"),
//!     Verdict::Found(name) => println!("it is {name}"),
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod clamd;
mod clamd_conf;
mod clamscan;
mod error;
mod look;
pub mod messages;
mod process;
mod settings;
mod update;
mod verdict;

pub use address::Address;
pub use error::AntivirusError;
pub use settings::Settings;
pub use verdict::Verdict;

use std::fmt;
use std::sync::Arc;

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use edeposit_serializers::ErrorKind;
use indexmap::IndexMap;

use clamd::Clamd;
use clamscan::Clamscan;
use messages::{DatabaseUpdated, Request, Response, ScanFile, ScanResult};
use update::Updates;

enum Scanner {
    Clamd(Clamd),
    Clamscan(Clamscan),
}

/// The submodule: reacts to the requests of [`messages`].
pub struct Antivirus {
    scanner: Scanner,
    updates: Updates,
    max_file_size: usize,
    max_jobs: u16,
}

impl Antivirus {
    /// Sets up with the given settings. No scanner is asked yet; it need not even run.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let scanner = if settings.use_clamd {
            Scanner::Clamd(Clamd {
                addresses: settings.clamd,
                timeout: settings.timeout,
            })
        } else {
            Scanner::Clamscan(Clamscan {
                program: settings.clamscan,
                database: settings.clamscan_database,
                timeout: settings.timeout,
                max_file_size: settings.max_file_size,
            })
        };
        Self {
            scanner,
            updates: Updates::new(
                settings.freshclam,
                settings.freshclam_args,
                settings.update_timeout,
            ),
            max_file_size: settings.max_file_size,
            max_jobs: settings.max_jobs,
        }
    }

    /// Scans a file. How many are scanned at once is the caller's to limit; a daemon does by `MAX_JOBS`.
    ///
    /// # Errors
    /// There is no verdict; see [`AntivirusError`].
    pub async fn scan(&self, data: &[u8]) -> Result<Verdict, AntivirusError> {
        if data.len() > self.max_file_size {
            return Err(AntivirusError::Undecided(format!(
                "the file has {} bytes, more than {} are not scanned (MAX_FILE_SIZE, or clamd's MaxFileSize)",
                data.len(),
                self.max_file_size
            )));
        }
        match &self.scanner {
            Scanner::Clamd(clamd) => clamd.scan(data).await,
            Scanner::Clamscan(clamscan) => clamscan.scan(data).await,
        }
    }

    /// Scans a file of the given name, and answers in the original's form.
    ///
    /// # Errors
    /// There is no verdict, or the name has a NUL.
    pub async fn scan_file(&self, file: ScanFile) -> Result<ScanResult, AntivirusError> {
        let ScanFile { filename, b64_data } = file;
        if filename.contains('\0') {
            return Err(AntivirusError::NulInName);
        }
        let size = b64_data.0.len();
        let mut result = IndexMap::new();
        match self.scan(&b64_data.0).await? {
            Verdict::Clean => tracing::info!(filename, size, "clean"),
            Verdict::Found(name) => {
                tracing::warn!(filename, size, name, "malware was found");
                result.insert(label(&filename), ("FOUND".to_owned(), name));
            }
        }
        Ok(ScanResult { filename, result })
    }

    /// Fetches new signatures, and tells clamd.
    ///
    /// # Errors
    /// `freshclam` is missing, fails or takes too long, or only root may run it.
    pub async fn update_database(&self) -> Result<DatabaseUpdated, Arc<AntivirusError>> {
        let log = self.updates.update().await?;
        if let Scanner::Clamd(clamd) = &self.scanner {
            clamd.reload().await;
        }
        Ok(DatabaseUpdated { log })
    }
}

/// The key of a find: a path as the original's temporary files had it.
fn label(filename: &str) -> String {
    let unique: String = (0..6).map(|_| fastrand::alphanumeric()).collect();
    let base = filename.rsplit('/').next().unwrap_or_default();
    format!("/tmp/tmp{unique}_{base}")
}

impl Submodule for Antivirus {
    const NAME: &'static str = "antivirus";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings))
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings).await
    }
}

impl Handler for Antivirus {
    type Request = Request;
    type Response = Response;

    fn most_at_once(&self) -> Option<u16> {
        Some(self.max_jobs)
    }

    async fn react(&self, request: Request, _sendback: Sendback) -> Result<Response, Exception> {
        match request {
            Request::ScanFile(file) => Ok(Response::ScanResult(self.scan_file(file).await?)),
            Request::UpdateDatabase => match self.update_database().await {
                Ok(updated) => Ok(Response::DatabaseUpdated(updated)),
                Err(error) => Err(Exception::from(&*error)),
            },
        }
    }

    /// Two mistakes have words of their own, which the original's callers know.
    fn not_a_request(&self, error: edeposit_serializers::Error) -> Exception {
        match (error.path().as_str(), error.kind()) {
            ("filename", ErrorKind::WrongType { found, .. }) => Exception::builtin(
                "AttributeError",
                format!("'{found}' object has no attribute 'rfind'"),
            ),
            ("b64_data", ErrorKind::Custom(text)) => Exception::type_error(text.as_str()),
            _ => error.into(),
        }
    }
}

impl fmt::Debug for Antivirus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scanner: &dyn fmt::Debug = match &self.scanner {
            Scanner::Clamd(clamd) => clamd,
            Scanner::Clamscan(clamscan) => clamscan,
        };
        f.debug_struct("Antivirus")
            .field("scanner", scanner)
            .finish_non_exhaustive()
    }
}
