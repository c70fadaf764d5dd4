//! The settings of both FTP daemons.
//!
//! They are in `$HOME/edeposit/ftp.json`, or else `/etc/edeposit/ftp.json`. Unlike other submodules' they are not taken from
//! the environment: `LOG_FILE` or `DATA_PATH` there may well mean something else, and directories below `DATA_PATH` are
//! removed as root. A value of a wrong type is refused.
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `CONF_PATH` | `/etc/proftpd/` | directory of ProFTPD's configuration |
//! | `LOG_PATH` | `/var/log/proftpd/` | directory of its logs |
//! | `DATA_PATH` | `/home/ftp/` | parent of all homes |
//! | `SERVER_ADDRESS` | `localhost` | accepted; used by tests only |
//! | `CONF_FILE` | `CONF_PATH` + `proftpd.conf` | main configuration |
//! | `LOGIN_FILE` | `CONF_PATH` + `ftpd.passwd` | password file |
//! | `MODULES_FILE` | `CONF_PATH` + `modules.conf` | accepted, without effect |
//! | `LOG_FILE` | `LOG_PATH` + `extended.log` | log of what users did |
//! | `LOCK_FILENAME` | `delete_me_to_import_files.txt` | deleting this file in the home starts an import |
//! | `USER_ERROR_LOG` | `error.log.txt` | error report in the home |
//! | `USER_IMPORT_LOG` | `import.log.txt` | import report in the home |
//! | `LOCK_FILE_CONTENT` | a sentence in English and one in Czech | what is in the lock file |
//! | `SAME_NAME_DIR_PAIRING`, `SAME_DIR_PAIRING`, `ISBN_PAIRING`, `CREATE_IMPORT_LOG`, `LEAVE_BAD_FILES` | true | see [`Switches`] |
//! | `LOCK_ONLY_IN_HOME` | true | a lock file counts only directly in the home |
//! | `PROFTPD_USERS_GID` | 2000 | uid and gid of every FTP account |
//! | `STATE_PATH` | `/var/lib/edeposit/ftp_monitord/` | position in the log, imports under way, and locks of both daemons |
//! | `EBOOK_ENCODING` | `base64` | how e-books are sent: `base64` or `text` |
//! | `MAX_MESSAGE_SIZE` | 100000000 | largest message, bytes |
//! | `SCAN_INTERVAL` | 60 | seconds between looks for homes without lock file |

use std::path::PathBuf;
use std::time::Duration;

use edeposit_settings::{Constants, Default as Value, Error, Sources};

use crate::{Switches, UserName};

const FILE: &str = "ftp.json";

const LOCK_FILE_CONTENT: &str = "Delete this file when all your files are uploaded: they are then imported.\n\
    Smazte tento soubor, az budou vsechny Vase soubory nahrane: pote budou zpracovany.\n";

const TABLE: [(&str, Value); 23] = [
    ("CONF_PATH", Value::Text("/etc/proftpd/")),
    ("LOG_PATH", Value::Text("/var/log/proftpd/")),
    ("DATA_PATH", Value::Text("/home/ftp/")),
    ("SERVER_ADDRESS", Value::Text("localhost")),
    ("CONF_FILE", Value::Text("")),
    ("LOGIN_FILE", Value::Text("")),
    ("MODULES_FILE", Value::Text("")),
    ("LOG_FILE", Value::Text("")),
    (
        "LOCK_FILENAME",
        Value::Text("delete_me_to_import_files.txt"),
    ),
    ("USER_ERROR_LOG", Value::Text("error.log.txt")),
    ("USER_IMPORT_LOG", Value::Text("import.log.txt")),
    ("LOCK_FILE_CONTENT", Value::Text(LOCK_FILE_CONTENT)),
    ("SAME_NAME_DIR_PAIRING", Value::Flag(true)),
    ("SAME_DIR_PAIRING", Value::Flag(true)),
    ("ISBN_PAIRING", Value::Flag(true)),
    ("LOCK_ONLY_IN_HOME", Value::Flag(true)),
    ("CREATE_IMPORT_LOG", Value::Flag(true)),
    ("LEAVE_BAD_FILES", Value::Flag(true)),
    ("PROFTPD_USERS_GID", Value::Integer(2000)),
    ("STATE_PATH", Value::Text("/var/lib/edeposit/ftp_monitord/")),
    ("EBOOK_ENCODING", Value::Text("base64")),
    ("MAX_MESSAGE_SIZE", Value::Integer(100_000_000)),
    ("SCAN_INTERVAL", Value::Integer(60)),
];

/// How an e-book's bytes become a JSON string (`EBOOK_ENCODING`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EbookEncoding {
    /// Always base64.
    Base64,
    /// As they are, if they are UTF-8: the original's form.
    Text,
}

impl EbookEncoding {
    /// As it is written in the settings and in the header `ebook_encoding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Text => "text",
        }
    }
}

/// The settings. The [module](self) has the names and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `CONF_PATH`
    pub conf_path: PathBuf,
    /// `LOG_PATH`
    pub log_path: PathBuf,
    /// `DATA_PATH`
    pub data_path: PathBuf,
    /// `CONF_FILE`
    pub conf_file: PathBuf,
    /// `LOGIN_FILE`
    pub login_file: PathBuf,
    /// `LOG_FILE`
    pub log_file: PathBuf,
    /// `LOCK_FILENAME`
    pub lock_filename: String,
    /// `USER_ERROR_LOG`
    pub user_error_log: String,
    /// `USER_IMPORT_LOG`
    pub user_import_log: String,
    /// `LOCK_FILE_CONTENT`
    pub lock_file_content: String,
    /// The global values of the switches that a user may have too.
    pub switches: Switches,
    /// `LOCK_ONLY_IN_HOME`
    pub lock_only_in_home: bool,
    /// `PROFTPD_USERS_GID`: uid and gid of every FTP account.
    pub users_gid: u32,
    /// `STATE_PATH`
    pub state_path: PathBuf,
    /// `EBOOK_ENCODING`
    pub ebook_encoding: EbookEncoding,
    /// `MAX_MESSAGE_SIZE`, bytes.
    pub max_message_size: usize,
    /// `SCAN_INTERVAL`
    pub scan_interval: Duration,
}

impl Settings {
    /// Reads the settings. What is ignored in them is logged as a warning.
    ///
    /// # Errors
    /// The file is no JSON or cannot be read, or a value does not fit its purpose.
    pub fn load() -> Result<Self, Error> {
        Self::load_sources(&Sources::of_process(None))
    }

    /// Reads the settings from somewhere else. The environment is left out of account.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_sources(sources: &Sources) -> Result<Self, Error> {
        let mut sources = sources.clone();
        sources.env.clear();
        let mut constants = Constants::load_sources(FILE, &TABLE, &sources)?;
        constants.refuse_unusable()?;
        for warning in constants.warnings() {
            tracing::warn!("{warning}");
        }
        Self::from_constants(&constants)
    }

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let conf_path = path(constants, "CONF_PATH")?;
        let log_path = path(constants, "LOG_PATH")?;
        let below = |name, directory: &PathBuf, file| match constants.get(name) {
            None | Some("") => Ok(directory.join(file)),
            Some(_) => path(constants, name),
        };
        let number = |name, low, high| constants.integer(name, low..=high);
        let users_gid = number("PROFTPD_USERS_GID", 1, i64::from(u32::MAX) - 1)?;
        let scan_interval = number("SCAN_INTERVAL", 1, 86_400)?;
        let max_message_size = number("MAX_MESSAGE_SIZE", 1024, 512 * 1024 * 1024)?;
        let ebook_encoding = match constants.text("EBOOK_ENCODING")? {
            "base64" => EbookEncoding::Base64,
            "text" => EbookEncoding::Text,
            _ => return Err(constants.invalid("EBOOK_ENCODING", "write base64 or text")),
        };
        Ok(Self {
            conf_file: below("CONF_FILE", &conf_path, "proftpd.conf")?,
            login_file: below("LOGIN_FILE", &conf_path, "ftpd.passwd")?,
            log_file: below("LOG_FILE", &log_path, "extended.log")?,
            data_path: path(constants, "DATA_PATH")?,
            lock_filename: file_name(constants, "LOCK_FILENAME")?,
            user_error_log: file_name(constants, "USER_ERROR_LOG")?,
            user_import_log: file_name(constants, "USER_IMPORT_LOG")?,
            lock_file_content: constants
                .get("LOCK_FILE_CONTENT")
                .unwrap_or_default()
                .to_owned(),
            switches: Switches {
                same_name_dir_pairing: constants.flag("SAME_NAME_DIR_PAIRING")?,
                same_dir_pairing: constants.flag("SAME_DIR_PAIRING")?,
                isbn_pairing: constants.flag("ISBN_PAIRING")?,
                create_import_log: constants.flag("CREATE_IMPORT_LOG")?,
                leave_bad_files: constants.flag("LEAVE_BAD_FILES")?,
            },
            lock_only_in_home: constants.flag("LOCK_ONLY_IN_HOME")?,
            users_gid: u32::try_from(users_gid).unwrap_or(u32::MAX),
            state_path: path(constants, "STATE_PATH")?,
            ebook_encoding,
            max_message_size: usize::try_from(max_message_size).unwrap_or(usize::MAX),
            scan_interval: Duration::from_secs(scan_interval.unsigned_abs()),
            conf_path,
            log_path,
        })
    }

    /// A user's home.
    #[must_use]
    pub fn home(&self, user: &UserName) -> PathBuf {
        self.data_path.join(user.as_str())
    }
}

/// An absolute path without characters that mean something in the password file or in ProFTPD's configuration.
fn path(constants: &Constants, name: &str) -> Result<PathBuf, Error> {
    let text = constants.text(name)?;
    if text.contains(|c: char| c.is_control() || matches!(c, ':' | '"' | '%' | '\\')) {
        let problem = "a path with ':', '\"', '%', '\\' or a control character cannot be used";
        return Err(constants.invalid(name, problem));
    }
    let path = constants.path(name)?;
    path.ok_or_else(|| constants.invalid(name, "it is empty"))
}

/// The plain name of a file in a home.
fn file_name(constants: &Constants, name: &str) -> Result<String, Error> {
    let text = constants.text(name)?;
    if matches!(text, "." | "..") || text.contains(|c: char| c == '/' || c.is_control()) {
        return Err(constants.invalid(name, "it is no plain name of a file"));
    }
    Ok(text.to_owned())
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
        sources.env.insert("DATA_PATH".to_owned(), "/data".into());
        Settings::load_sources(&sources)
    }

    /// Defect 1 of the manager: strings and booleans had no effect.
    #[test]
    fn strings_and_booleans_have_effect() {
        let settings = load(
            r#"{"CONF_PATH": "/srv/conf", "ISBN_PAIRING": false, "PROFTPD_USERS_GID": 3000, "LOG_FILE": "/x.log",
                "LOCK_FILE_CONTENT": "", "_X": 1, "NO_SUCH": 2}"#,
        )
        .unwrap();
        assert_eq!(settings.login_file, PathBuf::from("/srv/conf/ftpd.passwd"));
        assert_eq!(settings.conf_file, PathBuf::from("/srv/conf/proftpd.conf"));
        assert_eq!(settings.log_file, PathBuf::from("/x.log"));
        assert_eq!(settings.switches.gecos(), "ttftt");
        assert_eq!(settings.users_gid, 3000);
        assert_eq!(settings.lock_file_content, "");
    }

    #[test]
    fn the_defaults() {
        let settings = load("{}").unwrap();
        assert_eq!(
            settings.login_file,
            PathBuf::from("/etc/proftpd/ftpd.passwd")
        );
        assert_eq!(
            settings.log_file,
            PathBuf::from("/var/log/proftpd/extended.log")
        );
        let user = UserName::new("argo").unwrap();
        assert_eq!(settings.home(&user), PathBuf::from("/home/ftp/argo"));
        assert_eq!(settings.users_gid, 2000);
        assert!(settings.lock_file_content.is_ascii());
        assert_eq!(settings.ebook_encoding.as_str(), "base64");
        assert_eq!(settings.scan_interval, Duration::from_secs(60));
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            r#"{"ISBN_PAIRING": "maybe"}"#,
            r#"{"CONF_PATH": true}"#,
            r#"{"CONF_PATH": null}"#,
            r#"{"DATA_PATH": "home"}"#,
            r#"{"DATA_PATH": "/home:x"}"#,
            r#"{"DATA_PATH": "/home\n"}"#,
            r#"{"DATA_PATH": ""}"#,
            r#"{"LOCK_FILENAME": "../x"}"#,
            r#"{"LOCK_FILENAME": ""}"#,
            r#"{"PROFTPD_USERS_GID": 0}"#,
            r#"{"PROFTPD_USERS_GID": true}"#,
            r#"{"EBOOK_ENCODING": "hex"}"#,
            r#"{"SCAN_INTERVAL": 0}"#,
        ] {
            assert!(load(wrong).is_err(), "{wrong}");
        }
    }
}
