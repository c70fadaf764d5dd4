//! The settings of this submodule, in the file `antivirus.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

use crate::address::Address;
use crate::clamd_conf::ClamdConf;

/// What ClamAV takes for `MaxFileSize` if it is not set.
const CLAMAV_MAX_FILE_SIZE: usize = 100 * 1024 * 1024;

/// ClamAV cannot scan larger files, whatever its configuration says.
const LARGEST: usize = 2 * 1024 * 1024 * 1024 - 1;

const SETTINGS: &[Setting] = &[
    Setting::flag(
        "USE_CLAMD",
        true,
        "`true`: ask `clamd`; `false`: run `clamscan` for each file, which loads the whole database each time",
    ),
    Setting::list(
        "CLAMD_ADDRESS",
        "`unix:/path` or `host:port`, or several of them, tried in this order. If it is empty, what the configuration \
         `CONF_PATH` says; if that cannot be read, `LOCALSOCKET`, then `127.0.0.1:3310`",
    ),
    Setting::path(
        "DEB_CONF_PATH",
        "/etc/clamav/",
        "directory of ClamAV's configuration on a system that has `/etc/apt`",
    ),
    Setting::path(
        "SUSE_CONF_PATH",
        "/etc/",
        "directory of ClamAV's configuration on other systems",
    ),
    Setting::text(
        "CONF_FILE",
        "clamd.conf",
        "name of ClamAV's configuration in that directory",
    ),
    Setting::optional_path(
        "CONF_PATH",
        "",
        "path of ClamAV's configuration, instead of directory and name. Its addresses and `MaxFileSize` are read from it",
    ),
    Setting::optional_path(
        "LOCALSOCKET",
        "/var/run/clamav/clamd.ctl",
        "clamd's socket if the configuration cannot be read",
    ),
    Setting::text(
        "PIDFILE",
        "/var/run/clamav/clamd.pid",
        "clamd's own configuration has it",
    )
    .unused(),
    Setting::text(
        "LOGFILE",
        "/var/log/clamav/clamav.log",
        "clamd's own configuration has it",
    )
    .unused(),
    Setting::text(
        "CLAMSCAN",
        "clamscan",
        "program that scans a file without `clamd`",
    ),
    Setting::optional_path(
        "CLAMSCAN_DATABASE",
        "",
        "directory of signatures for `clamscan`; if it is not set, its own",
    ),
    Setting::text("FRESHCLAM", "freshclam", "program that fetches signatures"),
    Setting::list(
        "FRESHCLAM_ARGS",
        "arguments of `FRESHCLAM`, such as `[\"--config-file=/etc/edeposit/freshclam.conf\"]`; with any, root is not required",
    ),
    Setting::seconds(
        "TIMEOUT",
        300.0,
        0.001..=86_400.0,
        "longest time for one scan, waiting for a clamd that is down included",
    ),
    Setting::seconds(
        "UPDATE_TIMEOUT",
        540.0,
        0.001..=86_400.0,
        "longest time for one update",
    ),
    Setting::bytes(
        "MAX_FILE_SIZE",
        0,
        0..=LARGEST as i64,
        "largest file; 0: `MaxFileSize` in `CONF_PATH`, or ClamAV's default of 100 MiB",
    ),
    Setting::integer(
        "MAX_JOBS",
        4,
        1..=1000,
        "requests carried out at once, if `RABBITMQ_ANTIVIRUS_PREFETCH` (8) is not less; have clamd's `MaxThreads` at \
         least as large",
    ),
];

/// How this submodule scans and updates. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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
    pub max_jobs: u16,
}

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "antivirus",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let conf = ClamdConf::read(&conf_path(constants)?);
        let text = |name| constants.text(name).map(str::to_owned);
        let max_file_size = match constants.integer("MAX_FILE_SIZE")? {
            0 => match conf.max_file_size.unwrap_or(CLAMAV_MAX_FILE_SIZE) {
                0 => LARGEST,
                size => size.min(LARGEST),
            },
            size => size,
        };
        let freshclam_args = constants.list("FRESHCLAM_ARGS")?;
        Ok(Self {
            use_clamd: constants.flag("USE_CLAMD")?,
            clamd: clamd_addresses(constants, conf)?,
            clamscan: text("CLAMSCAN")?,
            clamscan_database: constants.optional_path("CLAMSCAN_DATABASE")?,
            freshclam: text("FRESHCLAM")?,
            freshclam_args: freshclam_args.into_iter().map(str::to_owned).collect(),
            timeout: constants.seconds("TIMEOUT")?,
            update_timeout: constants.seconds("UPDATE_TIMEOUT")?,
            max_file_size,
            max_jobs: constants.integer("MAX_JOBS")?,
        })
    }
}

fn conf_path(constants: &Constants) -> Result<PathBuf, Error> {
    if let Some(path) = constants.optional_path("CONF_PATH")? {
        return Ok(path);
    }
    let directory = if Path::new("/etc/apt").exists() {
        "DEB_CONF_PATH"
    } else {
        "SUSE_CONF_PATH"
    };
    Ok(constants
        .path(directory)?
        .join(constants.text("CONF_FILE")?))
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
    let socket = constants.optional_path("LOCALSOCKET")?.map(Address::Unix);
    let default_port = Address::Tcp("127.0.0.1:3310".to_owned());
    Ok(socket.into_iter().chain([default_port]).collect())
}

#[cfg(test)]
mod tests {
    use edeposit_settings::Sources;

    use super::*;

    fn load(settings: &str) -> Result<Settings, Error> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("edeposit");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("antivirus.json"), settings).unwrap();
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
