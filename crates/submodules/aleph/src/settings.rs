//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/aleph.json`, or else `/etc/edeposit/aleph.json`; environment
//! variables of the same names override them. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `ALEPH_URL` | `http://aleph.nkp.cz` | scheme and host of the catalogue; `/X?...` is appended |
//! | `ALEPH_DEFAULT_BASE` | `nkc` | logical base searched by a query without `base` |
//! | `DEFAULT_LIBRARY` | `CZE01` | library of a `DocumentQuery` without one, and of every record found by a search |
//! | `ALEPH_CONNECT_TIMEOUT` | 10 | seconds to wait for a connection to the catalogue |
//! | `ALEPH_TIMEOUT` | 60 | seconds one reply of the catalogue may take, from connecting to the last byte |
//! | `ALEPH_MAX_REPLY` | 16777216 | bytes one reply may have; a record of a search never over 2 MiB |
//! | `ALEPH_MAX_REQUESTS_PER_SECOND` | 30 | requests per second sent to the catalogue, by all searches together |
//! | `ALEPH_MAX_RECORDS` | 30 | records handed out for one search, 1000 at most; never over 64 MiB together |
//! | `ALEPH_EXPORT_URL` | `http://aleph.nkp.cz/aleph-cgi/e-deposit` | web form for filing; not used yet |
//! | `EDEPOSIT_EXPORT_SIGNATURE` | `edeposit` | who is filing; not used yet |
//! | `EDEPOSIT_EXPORT_REFERER` | `edeposit` | the page it is filed from; not used yet |
//!
//! The original had no limits at all but that of 30 records, which was fixed.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use edeposit_settings::{Constants, Default as Value, Error, Sources, shown};

const FILE: &str = "aleph.json";

const TABLE: [(&str, Value); 11] = [
    ("ALEPH_URL", Value::Text("http://aleph.nkp.cz")),
    ("ALEPH_DEFAULT_BASE", Value::Text("nkc")),
    ("DEFAULT_LIBRARY", Value::Text("CZE01")),
    ("ALEPH_CONNECT_TIMEOUT", Value::Integer(10)),
    ("ALEPH_TIMEOUT", Value::Integer(60)),
    ("ALEPH_MAX_REPLY", Value::Integer(16 * 1024 * 1024)),
    ("ALEPH_MAX_REQUESTS_PER_SECOND", Value::Integer(30)),
    ("ALEPH_MAX_RECORDS", Value::Integer(30)),
    (
        "ALEPH_EXPORT_URL",
        Value::Text("http://aleph.nkp.cz/aleph-cgi/e-deposit"),
    ),
    ("EDEPOSIT_EXPORT_SIGNATURE", Value::Text("edeposit")),
    ("EDEPOSIT_EXPORT_REFERER", Value::Text("edeposit")),
];

/// How this submodule reaches the catalogue and what it asks there. The [module](self) has the names and defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `ALEPH_URL`
    pub url: String,
    /// `ALEPH_DEFAULT_BASE`
    pub default_base: String,
    /// `DEFAULT_LIBRARY`
    pub default_library: String,
    /// `ALEPH_CONNECT_TIMEOUT`
    pub connect_timeout: Duration,
    /// `ALEPH_TIMEOUT`
    pub timeout: Duration,
    /// `ALEPH_MAX_REPLY`, bytes
    pub max_reply: usize,
    /// `ALEPH_MAX_REQUESTS_PER_SECOND`
    pub max_requests_per_second: NonZeroU32,
    /// `ALEPH_MAX_RECORDS`
    pub max_records: u64,
}

impl Settings {
    /// Reads the settings from the files and the environment. What is ignored there is logged as a warning.
    ///
    /// # Errors
    /// The file is no JSON or cannot be read, or a value does not fit its purpose.
    pub fn load() -> Result<Self, Error> {
        Self::load_sources(&Sources::of_process(None))
    }

    /// Reads the settings from somewhere else.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_sources(sources: &Sources) -> Result<Self, Error> {
        let constants = Constants::load_sources(FILE, &TABLE, sources)?;
        for warning in constants.warnings() {
            tracing::warn!("{warning}");
        }
        let text = |name| constants.text(name).map(str::to_owned);
        let seconds = |name| constants.seconds(name, 0.001..=86_400.0);
        let number = |name, range| constants.integer(name, range).map(i64::unsigned_abs);
        let rate = number("ALEPH_MAX_REQUESTS_PER_SECOND", 1..=100_000)?;
        Ok(Self {
            url: text("ALEPH_URL")?,
            default_base: text("ALEPH_DEFAULT_BASE")?,
            default_library: text("DEFAULT_LIBRARY")?,
            connect_timeout: seconds("ALEPH_CONNECT_TIMEOUT")?,
            timeout: seconds("ALEPH_TIMEOUT")?,
            max_reply: number("ALEPH_MAX_REPLY", 1024..=1 << 30)?
                .try_into()
                .unwrap_or(usize::MAX),
            max_requests_per_second: u32::try_from(rate)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
            max_records: number("ALEPH_MAX_RECORDS", 1..=1000)?,
        })
    }
}

/// The address may have a password in it, and is not shown then.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &shown("ALEPH_URL", &self.url))
            .field("default_base", &self.default_base)
            .field("default_library", &self.default_library)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_reply", &self.max_reply)
            .field("max_requests_per_second", &self.max_requests_per_second)
            .field("max_records", &self.max_records)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_environment() {
        let settings = Settings::load_sources(&Sources::none()).unwrap();
        assert_eq!(settings.url, "http://aleph.nkp.cz");
        assert_eq!(
            (&*settings.default_base, &*settings.default_library),
            ("nkc", "CZE01")
        );
        assert_eq!((settings.max_records, settings.max_reply), (30, 16 << 20));
        assert_eq!(settings.timeout, Duration::from_secs(60));

        let mut sources = Sources::none();
        for (name, value) in [
            ("ALEPH_TIMEOUT", "0.5"),
            ("ALEPH_MAX_REQUESTS_PER_SECOND", "7"),
        ] {
            sources.env.insert(name.to_owned(), value.into());
        }
        let settings = Settings::load_sources(&sources).unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(500));
        assert_eq!(settings.max_requests_per_second.get(), 7);

        sources
            .env
            .insert("ALEPH_MAX_RECORDS".to_owned(), "none".into());
        let error = Settings::load_sources(&sources).unwrap_err().to_string();
        assert!(error.contains("ALEPH_MAX_RECORDS"), "{error}");
    }

    #[test]
    fn a_password_in_the_address_is_not_shown() {
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        assert!(format!("{settings:?}").contains("http://aleph.nkp.cz"));
        settings.url = "http://user:secret@aleph.nkp.cz".to_owned();
        assert!(!format!("{settings:?}").contains("secret"));
        let aleph = crate::Aleph::new(settings.clone()).unwrap();
        assert!(!format!("{aleph:?}").contains("secret"));
        for url in ["ftp://user:secret@aleph.nkp.cz", "user:secret@aleph.nkp.cz"] {
            settings.url = url.to_owned();
            let error = crate::Aleph::new(settings.clone()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
