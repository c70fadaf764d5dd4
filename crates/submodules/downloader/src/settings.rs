//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/downloader.json`, or else `/etc/edeposit/downloader.json`; environment
//! variables of the same names override them. A value of a wrong type is refused. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `CONNECT_TIMEOUT` | 10 | seconds to a connection, DNS and TLS included |
//! | `READ_TIMEOUT` | 30 | seconds the server may be silent |
//! | `TOTAL_TIMEOUT` | 570 | seconds for the whole request with all redirects; must be below `RABBITMQ_DOWNER_HANDLER_TIMEOUT`, which is 600 |
//! | `MAX_SIZE` | 94371840 | bytes a file may have, unpacked; in base64 it must fit the broker's `max_message_size` |
//! | `MAX_REDIRECTS` | 30 | how many times a server may send us on |
//! | `HEAD_FOLLOWS_REDIRECTS` | true | false: for `CheckExistence` every redirect is a file that exists, as in the original |
//! | `ALLOW_PRIVATE_ADDRESSES` | false | true: the own network may be contacted: loopback, private, link-local and so on |
//! | `ALLOWED_NETWORKS` | | networks that may be contacted all the same, such as `["10.1.0.0/16"]` |
//! | `DENIED_NETWORKS` | | networks that may never be; they win |
//! | `USER_AGENT` | `edeposit-downloader/<version>` | what we call ourselves |
//! | `CA_FILE` | | PEM file of further certificate authorities |
//! | `MAX_JOBS` | 8 | downloads at once; more wait |

use std::path::PathBuf;
use std::time::Duration;

use edeposit_settings::{Constants, Default as Value, Error, Sources};
use ipnet::IpNet;

const FILE: &str = "downloader.json";

const USER_AGENT: &str = concat!("edeposit-downloader/", env!("CARGO_PKG_VERSION"));

const TABLE: [(&str, Value); 12] = [
    ("CONNECT_TIMEOUT", Value::Integer(10)),
    ("READ_TIMEOUT", Value::Integer(30)),
    ("TOTAL_TIMEOUT", Value::Integer(570)),
    ("MAX_SIZE", Value::Integer(90 * 1024 * 1024)),
    ("MAX_REDIRECTS", Value::Integer(30)),
    ("HEAD_FOLLOWS_REDIRECTS", Value::Flag(true)),
    ("ALLOW_PRIVATE_ADDRESSES", Value::Flag(false)),
    ("ALLOWED_NETWORKS", Value::List),
    ("DENIED_NETWORKS", Value::List),
    ("USER_AGENT", Value::Text(USER_AGENT)),
    ("CA_FILE", Value::Text("")),
    ("MAX_JOBS", Value::Integer(8)),
];

/// How this submodule fetches, and from where. The [module](self) has the names and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `CONNECT_TIMEOUT`
    pub connect_timeout: Duration,
    /// `READ_TIMEOUT`
    pub read_timeout: Duration,
    /// `TOTAL_TIMEOUT`
    pub total_timeout: Duration,
    /// `MAX_SIZE`
    pub max_size: u64,
    /// `MAX_REDIRECTS`
    pub max_redirects: usize,
    /// `HEAD_FOLLOWS_REDIRECTS`
    pub head_follows_redirects: bool,
    /// `ALLOW_PRIVATE_ADDRESSES`
    pub allow_private_addresses: bool,
    /// `ALLOWED_NETWORKS`
    pub allowed_networks: Vec<IpNet>,
    /// `DENIED_NETWORKS`
    pub denied_networks: Vec<IpNet>,
    /// `USER_AGENT`
    pub user_agent: String,
    /// `CA_FILE`
    pub ca_file: Option<PathBuf>,
    /// `MAX_JOBS`
    pub max_jobs: usize,
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
        let mut constants = Constants::load_sources(FILE, &TABLE, sources)?;
        constants.refuse_unusable()?;
        for warning in constants.warnings() {
            tracing::warn!("{warning}");
        }
        let seconds = |name| constants.seconds(name, 0.001..=86_400.0);
        let number = |name, range| constants.integer(name, range).map(i64::unsigned_abs);
        let small = |name, range| {
            number(name, range).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let networks = |name| {
            let list = constants.list(name)?;
            list.into_iter()
                .map(|network| {
                    network.parse::<IpNet>().map_err(|_| {
                        let problem = format!("'{network}' is no network such as 10.1.0.0/16");
                        constants.invalid(name, &problem)
                    })
                })
                .collect::<Result<Vec<_>, Error>>()
        };
        Ok(Self {
            connect_timeout: seconds("CONNECT_TIMEOUT")?,
            read_timeout: seconds("READ_TIMEOUT")?,
            total_timeout: seconds("TOTAL_TIMEOUT")?,
            max_size: number("MAX_SIZE", 1..=1 << 31)?,
            max_redirects: small("MAX_REDIRECTS", 0..=100)?,
            head_follows_redirects: constants.flag("HEAD_FOLLOWS_REDIRECTS")?,
            allow_private_addresses: constants.flag("ALLOW_PRIVATE_ADDRESSES")?,
            allowed_networks: networks("ALLOWED_NETWORKS")?,
            denied_networks: networks("DENIED_NETWORKS")?,
            user_agent: constants.text("USER_AGENT")?.to_owned(),
            ca_file: constants.path("CA_FILE")?,
            max_jobs: small("MAX_JOBS", 1..=1000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_lists_and_must_be_networks() {
        let load = |name: &str, value: &str| {
            let mut sources = Sources::none();
            sources.env.insert(name.to_owned(), value.into());
            Settings::load_sources(&sources)
        };
        let settings = load("ALLOWED_NETWORKS", "10.1.0.0/16, fd00::/8").unwrap();
        assert_eq!(settings.allowed_networks.len(), 2);
        assert!(!settings.allow_private_addresses);
        assert!(
            load("ALLOW_PRIVATE_ADDRESSES", "1")
                .unwrap()
                .allow_private_addresses
        );
        for (name, value) in [
            ("DENIED_NETWORKS", "10.1.0.0"),
            ("ALLOW_PRIVATE_ADDRESSES", "maybe"),
            ("MAX_SIZE", "0"),
            ("CA_FILE", "ca.pem"),
        ] {
            let error = load(name, value).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
