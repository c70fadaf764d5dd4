//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/antivirus.json`, or else `/etc/edeposit/antivirus.json`; environment
//! variables of the same names override them. A value of a wrong type is refused. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `USE_CLAMD` | true | true: ask `clamd`; false: run `clamscan` for each file |
//! | `CLAMD_ADDRESS` | | `unix:/path` or `host:port`, or several of them, tried in this order; empty: see [`Settings::clamd`] |
//! | `DEB_CONF_PATH` | `/etc/clamav/` | directory of ClamAV's configuration on a system that has `/etc/apt` |
//! | `SUSE_CONF_PATH` | `/etc/` | the same on other systems |
//! | `CONF_FILE` | `clamd.conf` | name of the configuration there |
//! | `CONF_PATH` | the two together | path of the configuration; clamd's addresses and size limit are read from it |
//! | `LOCALSOCKET` | `/var/run/clamav/clamd.ctl` | clamd's socket if the configuration cannot be read |
//! | `PIDFILE`, `LOGFILE` | | accepted, and not used: clamd's own configuration has them |
//! | `CLAMSCAN` | `clamscan` | program |
//! | `CLAMSCAN_DATABASE` | | its database; empty: its own default |
//! | `FRESHCLAM` | `freshclam` | program |
//! | `FRESHCLAM_ARGS` | | its arguments, such as `["--config-file=/etc/edeposit/freshclam.conf"]` |
//! | `TIMEOUT` | 300 | seconds a scan may take, waiting for a clamd that is down included |
//! | `UPDATE_TIMEOUT` | 540 | seconds an update may take |
//! | `MAX_FILE_SIZE` | 0 | bytes a file may have; 0: `MaxFileSize` of the configuration, or ClamAV's default, 100 MiB |
//! | `MAX_JOBS` | 4 | scans at once; more wait |

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use edeposit_settings::{Constants, Default as Value, Error, Sources};

use crate::clamd_conf::ClamdConf;

const FILE: &str = "antivirus.json";

const TABLE: [(&str, Value); 17] = [
    ("USE_CLAMD", Value::Flag(true)),
    ("CLAMD_ADDRESS", Value::List),
    ("DEB_CONF_PATH", Value::Text("/etc/clamav/")),
    ("SUSE_CONF_PATH", Value::Text("/etc/")),
    ("CONF_FILE", Value::Text("clamd.conf")),
    ("CONF_PATH", Value::Text("")),
    ("LOCALSOCKET", Value::Text("/var/run/clamav/clamd.ctl")),
    ("PIDFILE", Value::Text("/var/run/clamav/clamd.pid")),
    ("LOGFILE", Value::Text("/var/log/clamav/clamav.log")),
    ("CLAMSCAN", Value::Text("clamscan")),
    ("CLAMSCAN_DATABASE", Value::Text("")),
    ("FRESHCLAM", Value::Text("freshclam")),
    ("FRESHCLAM_ARGS", Value::List),
    ("TIMEOUT", Value::Integer(300)),
    ("UPDATE_TIMEOUT", Value::Integer(540)),
    ("MAX_FILE_SIZE", Value::Integer(0)),
    ("MAX_JOBS", Value::Integer(4)),
];

/// What ClamAV takes for `MaxFileSize` if it is not set.
const CLAMAV_MAX_FILE_SIZE: usize = 100 * 1024 * 1024;

/// ClamAV cannot scan larger files, whatever its configuration says.
const LARGEST: usize = 2 * 1024 * 1024 * 1024 - 1;

/// Where a clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match Path::new(path) {
                path if path.is_absolute() => Ok(Self::Unix(path.to_owned())),
                _ => Err("the path of a unix socket must be absolute"),
            };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p != 0) => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err("write unix:/path or host:port"),
        }
    }
}

/// How this submodule scans and updates. The [module](self) has the names and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `USE_CLAMD`
    pub use_clamd: bool,
    /// `CLAMD_ADDRESS`; if that is empty, what the configuration `CONF_PATH` says (`LocalSocket`, then `TCPAddr` and
    /// `TCPSocket`); if it cannot be read, `LOCALSOCKET`, then `127.0.0.1:3310`. They are tried in this order.
    pub clamd: Vec<Address>,
    /// `CLAMSCAN`
    pub clamscan: String,
    /// `CLAMSCAN_DATABASE`
    pub clamscan_database: Option<PathBuf>,
    /// `FRESHCLAM`
    pub freshclam: String,
    /// `FRESHCLAM_ARGS`
    pub freshclam_args: Vec<String>,
    /// `TIMEOUT`
    pub timeout: Duration,
    /// `UPDATE_TIMEOUT`
    pub update_timeout: Duration,
    /// `MAX_FILE_SIZE`, or what it stands for, bytes.
    pub max_file_size: usize,
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
        let conf = ClamdConf::read(&conf_path(&constants)?);
        let text = |name| constants.text(name).map(str::to_owned);
        let seconds = |name| constants.seconds(name, 0.001..=86_400.0);
        let number = |name, range| {
            let number = constants.integer(name, range)?;
            Ok::<_, Error>(usize::try_from(number).unwrap_or(usize::MAX))
        };
        let largest = i64::try_from(LARGEST).unwrap_or(i64::MAX);
        let max_file_size = match number("MAX_FILE_SIZE", 0..=largest)? {
            0 => match conf.max_file_size.unwrap_or(CLAMAV_MAX_FILE_SIZE) {
                0 => LARGEST,
                size => size.min(LARGEST),
            },
            size => size,
        };
        Ok(Self {
            use_clamd: constants.flag("USE_CLAMD")?,
            clamd: clamd_addresses(&constants, conf)?,
            clamscan: text("CLAMSCAN")?,
            clamscan_database: constants.path("CLAMSCAN_DATABASE")?,
            freshclam: text("FRESHCLAM")?,
            freshclam_args: constants
                .list("FRESHCLAM_ARGS")?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            timeout: seconds("TIMEOUT")?,
            update_timeout: seconds("UPDATE_TIMEOUT")?,
            max_file_size,
            max_jobs: number("MAX_JOBS", 1..=1000)?,
        })
    }
}

fn conf_path(constants: &Constants) -> Result<PathBuf, Error> {
    if let Some(path) = constants.path("CONF_PATH")? {
        return Ok(path);
    }
    let directory = if Path::new("/etc/apt").exists() {
        "DEB_CONF_PATH"
    } else {
        "SUSE_CONF_PATH"
    };
    Ok(Path::new(constants.text(directory)?).join(constants.text("CONF_FILE")?))
}

fn clamd_addresses(constants: &Constants, conf: ClamdConf) -> Result<Vec<Address>, Error> {
    let set = constants.list("CLAMD_ADDRESS")?;
    if !set.is_empty() {
        return set
            .into_iter()
            .map(|address| {
                address.parse().map_err(|problem| {
                    constants.invalid("CLAMD_ADDRESS", &format!("'{address}': {problem}"))
                })
            })
            .collect();
    }
    if !conf.addresses.is_empty() {
        return Ok(conf.addresses);
    }
    let socket = constants.path("LOCALSOCKET")?.map(Address::Unix);
    let default_port = Address::Tcp("127.0.0.1:3310".to_owned());
    Ok(socket.into_iter().chain([default_port]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(settings: &str) -> Result<Settings, Error> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("edeposit");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(FILE), settings).unwrap();
        let mut sources = Sources::none();
        sources.home = Some(home.path().to_owned());
        Settings::load_sources(&sources)
    }

    /// Defect 1: the settings file had no effect.
    #[test]
    fn the_file_has_effect() {
        let settings =
            load(r#"{"USE_CLAMD": false, "CONF_PATH": "/nowhere", "TIMEOUT": 7}"#).unwrap();
        assert!(!settings.use_clamd);
        assert_eq!(settings.timeout, Duration::from_secs(7));
        assert_eq!(settings.max_file_size, CLAMAV_MAX_FILE_SIZE);
        assert_eq!(
            settings.clamd,
            [
                Address::Unix("/var/run/clamav/clamd.ctl".into()),
                Address::Tcp("127.0.0.1:3310".to_owned())
            ]
        );
        let settings = load(r#"{"LOCALSOCKET": "/run/my.ctl", "CONF_PATH": "/nowhere"}"#).unwrap();
        assert_eq!(settings.clamd[0], Address::Unix("/run/my.ctl".into()));
        let settings = load(r#"{"CLAMD_ADDRESS": ["unix:/a", "b.example:3310"]}"#).unwrap();
        assert_eq!(
            settings.clamd,
            [
                Address::Unix("/a".into()),
                Address::Tcp("b.example:3310".to_owned())
            ]
        );
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            r#"{"USE_CLAMD": "maybe"}"#,
            r#"{"USE_CLAMD": {}}"#,
            r#"{"TIMEOUT": true}"#,
            r#"{"CLAMD_ADDRESS": "clamd"}"#,
            r#"{"CLAMD_ADDRESS": "unix:clamd.ctl"}"#,
            r#"{"FRESHCLAM_ARGS": [1]}"#,
            r#"{"MAX_JOBS": 0}"#,
        ] {
            assert!(load(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn clamds_own_configuration_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let conf = directory.path().join("clamd.conf");
        std::fs::write(
            &conf,
            "# LocalSocket /no\nLocalSocket /run/c.ctl\nTCPSocket 13310\nMaxFileSize 2M\n",
        )
        .unwrap();
        let settings = load(&format!(r#"{{"CONF_PATH": "{}"}}"#, conf.display())).unwrap();
        assert_eq!(
            settings.clamd,
            [
                Address::Unix("/run/c.ctl".into()),
                Address::Tcp("127.0.0.1:13310".to_owned())
            ]
        );
        assert_eq!(settings.max_file_size, 2 << 20);
    }
}
