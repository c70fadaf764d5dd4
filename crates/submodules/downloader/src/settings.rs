//! The settings of this submodule, in the file `downloader.json`.

use std::path::PathBuf;
use std::time::Duration;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};
use ipnet::IpNet;
use reqwest::header::HeaderValue;

const SETTINGS: &[Setting] = &[
    Setting::seconds(
        "CONNECT_TIMEOUT",
        10.0,
        0.001..=86_400.0,
        "longest time for a connection, DNS and TLS included",
    ),
    Setting::seconds(
        "READ_TIMEOUT",
        30.0,
        0.001..=86_400.0,
        "longest silence of a server",
    ),
    Setting::seconds(
        "TOTAL_TIMEOUT",
        570.0,
        0.001..=86_400.0,
        "longest time for a whole request, redirects included; must be below `RABBITMQ_DOWNER_HANDLER_TIMEOUT` (600)",
    ),
    Setting::bytes(
        "MAX_SIZE",
        90 << 20,
        1..=1 << 31,
        "largest file, unpacked. In base64, a third larger, it must fit RabbitMQ's `max_message_size` (128 MiB before \
         RabbitMQ 4, then 16)",
    ),
    Setting::integer(
        "MAX_REDIRECTS",
        30,
        0..=100,
        "most redirects that are followed",
    ),
    Setting::flag(
        "HEAD_FOLLOWS_REDIRECTS",
        true,
        "`false`: for `CheckExistence` every redirect is a file, as in the original",
    ),
    Setting::flag(
        "ALLOW_PRIVATE_ADDRESSES",
        false,
        "`true`: the own network may be contacted: loopback, private, link-local and so on",
    ),
    Setting::list(
        "ALLOWED_NETWORKS",
        "networks that may be contacted all the same: `[\"10.1.0.0/16\"]`",
    ),
    Setting::list(
        "DENIED_NETWORKS",
        "networks that may never be contacted; they win",
    ),
    Setting::text(
        "USER_AGENT",
        concat!("edeposit-downloader/", env!("CARGO_PKG_VERSION")),
        "what the downloader calls itself",
    ),
    Setting::optional_path(
        "CA_FILE",
        "",
        "PEM file of certificate authorities to trust beside the system's",
    ),
    Setting::integer(
        "MAX_JOBS",
        8,
        1..=1000,
        "requests carried out at once, if `RABBITMQ_DOWNER_PREFETCH` (8) is not less; a file needs up to about four times \
         its size in memory while it is sent",
    ),
];

/// How this submodule fetches, and from where. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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
    pub max_jobs: u16,
}

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "downloader",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let user_agent = constants.text("USER_AGENT")?;
        if HeaderValue::from_str(user_agent).is_err() {
            return Err(constants.unfit("USER_AGENT", "no text for an HTTP header"));
        }
        Ok(Self {
            connect_timeout: constants.seconds("CONNECT_TIMEOUT")?,
            read_timeout: constants.seconds("READ_TIMEOUT")?,
            total_timeout: constants.seconds("TOTAL_TIMEOUT")?,
            max_size: constants.integer("MAX_SIZE")?,
            max_redirects: constants.integer("MAX_REDIRECTS")?,
            head_follows_redirects: constants.flag("HEAD_FOLLOWS_REDIRECTS")?,
            allow_private_addresses: constants.flag("ALLOW_PRIVATE_ADDRESSES")?,
            allowed_networks: networks(constants, "ALLOWED_NETWORKS")?,
            denied_networks: networks(constants, "DENIED_NETWORKS")?,
            user_agent: user_agent.to_owned(),
            ca_file: constants.optional_path("CA_FILE")?,
            max_jobs: constants.integer("MAX_JOBS")?,
        })
    }
}

fn networks(constants: &Constants, name: &str) -> Result<Vec<IpNet>, Error> {
    let network = |text: &str| {
        text.parse().map_err(|_| {
            let problem = format!("'{text}' is no network such as 10.1.0.0/16");
            constants.invalid(name, &problem)
        })
    };
    constants.list(name)?.into_iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use edeposit_settings::Sources;

    use super::*;

    #[test]
    fn networks_are_lists_and_must_be_networks() {
        let load = |name: &str, value: &str| {
            let mut sources = Sources::none();
            let variable = Settings::DECLARATION.variable(name);
            sources.env.insert(variable, value.into());
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
        for (name, value) in [("DENIED_NETWORKS", "10.1.0.0"), ("USER_AGENT", "a\nb")] {
            let error = load(name, value).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
