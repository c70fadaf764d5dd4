//! The settings of this submodule, in the file `aleph.json`.
//!
//! The original had no limits at all but that of 30 records, which was fixed.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting, shown_url};
use reqwest::Url;

const SETTINGS: &[Setting] = &[
    Setting::text(
        "ALEPH_URL",
        "http://aleph.nkp.cz",
        "scheme and host of the catalogue; `/X?...` is appended",
    )
    .may_hold_login(),
    Setting::text(
        "ALEPH_DEFAULT_BASE",
        "nkc",
        "logical base searched by a query without `base`",
    ),
    Setting::text(
        "DEFAULT_LIBRARY",
        "CZE01",
        "library of a `DocumentQuery` without one, and of every record found by a search",
    ),
    Setting::seconds(
        "ALEPH_CONNECT_TIMEOUT",
        10.0,
        0.001..=86_400.0,
        "longest time for a connection to the catalogue",
    ),
    Setting::seconds(
        "ALEPH_TIMEOUT",
        60.0,
        0.001..=86_400.0,
        "longest time for one reply of the catalogue, from connecting to the last byte",
    ),
    Setting::bytes(
        "ALEPH_MAX_REPLY",
        16 << 20,
        1024..=1 << 30,
        "largest reply; a record of a search never has more than 2 MiB",
    ),
    Setting::integer(
        "ALEPH_MAX_REQUESTS_PER_SECOND",
        30,
        1..=100_000,
        "most requests sent to the catalogue, by all searches together",
    )
    .unit("requests per second"),
    Setting::integer(
        "ALEPH_MAX_RECORDS",
        30,
        1..=1000,
        "most records handed out for one search; never more than 64 MiB together",
    ),
    Setting::any_text(
        "ALEPH_EXPORT_URL",
        "http://aleph.nkp.cz/aleph-cgi/e-deposit",
        "web form for filing, which this release does not do",
    )
    .may_hold_login()
    .unused(),
    Setting::any_text("EDEPOSIT_EXPORT_SIGNATURE", "edeposit", "who is filing").unused(),
    Setting::any_text(
        "EDEPOSIT_EXPORT_REFERER",
        "edeposit",
        "the page it is filed from",
    )
    .unused(),
];

/// How this submodule reaches the catalogue and what it asks there. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "aleph",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let text = |name| constants.text(name).map(str::to_owned);
        let url = text("ALEPH_URL")?;
        if !is_web_address(&url) {
            let what = "no address of a web server; write http://HOST or https://HOST";
            return Err(constants.unfit("ALEPH_URL", what));
        }
        let rate: u32 = constants.integer("ALEPH_MAX_REQUESTS_PER_SECOND")?;
        Ok(Self {
            url,
            default_base: text("ALEPH_DEFAULT_BASE")?,
            default_library: text("DEFAULT_LIBRARY")?,
            connect_timeout: constants.seconds("ALEPH_CONNECT_TIMEOUT")?,
            timeout: constants.seconds("ALEPH_TIMEOUT")?,
            max_reply: constants.integer("ALEPH_MAX_REPLY")?,
            max_requests_per_second: NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN),
            max_records: constants.integer("ALEPH_MAX_RECORDS")?,
        })
    }
}

/// Can a catalogue be at this address?
pub(crate) fn is_web_address(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The address may have a password in it, and is not shown then.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &shown_url(&self.url))
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
    use edeposit_settings::Sources;

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
            let name = Settings::DECLARATION.variable(name);
            sources.env.insert(name, value.into());
        }
        let settings = Settings::load_sources(&sources).unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(500));
        assert_eq!(settings.max_requests_per_second.get(), 7);

        let url = Settings::DECLARATION.variable("ALEPH_URL");
        sources.env.insert(url, "aleph.nkp.cz".into());
        assert_eq!(
            Settings::load_sources(&sources).unwrap_err().to_string(),
            "EDEPOSIT_ALEPH_ALEPH_URL in the environment: 'aleph.nkp.cz' is no address of a web server; \
             write http://HOST or https://HOST"
        );
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
