//! The settings of both FTP daemons, in the file `ftp.json`.

use std::path::PathBuf;
use std::time::Duration;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

use crate::{EbookEncoding, Switches, UserName};

const LOCK_FILE_CONTENT: &str = "Delete this file when all your files are uploaded: they are then imported.\n\
    Smazte tento soubor, az budou vsechny Vase soubory nahrane: pote budou zpracovany.\n";

const SETTINGS: &[Setting] = &[
    Setting::path(
        "CONF_PATH",
        "/etc/proftpd/",
        "directory of ProFTPD's configuration",
    ),
    Setting::path(
        "LOG_PATH",
        "/var/log/proftpd/",
        "directory of ProFTPD's logs",
    ),
    Setting::path("DATA_PATH", "/home/ftp/", "parent of all homes"),
    Setting::any_text("SERVER_ADDRESS", "localhost", "for the original's tests").unused(),
    Setting::optional_path(
        "CONF_FILE",
        "",
        "ProFTPD's main configuration; if it is not set, `CONF_PATH` + `proftpd.conf`",
    ),
    Setting::optional_path(
        "LOGIN_FILE",
        "",
        "the password file, no link; if it is not set, `CONF_PATH` + `ftpd.passwd`",
    ),
    Setting::any_text("MODULES_FILE", "", "no module has to be loaded").unused(),
    Setting::optional_path(
        "LOG_FILE",
        "",
        "log of what users did; if it is not set, `LOG_PATH` + `extended.log`",
    ),
    Setting::text(
        "LOCK_FILENAME",
        "delete_me_to_import_files.txt",
        "name of the lock file; deleting this file in the home starts an import",
    ),
    Setting::text(
        "USER_ERROR_LOG",
        "error.log.txt",
        "name of the error report in the home",
    ),
    Setting::text(
        "USER_IMPORT_LOG",
        "import.log.txt",
        "name of the import report in the home",
    ),
    Setting::any_text(
        "LOCK_FILE_CONTENT",
        LOCK_FILE_CONTENT,
        "what is in the lock file",
    ),
    Setting::flag(
        "SAME_NAME_DIR_PAIRING",
        true,
        "global value of a user's switch: pair files of one name in one directory",
    ),
    Setting::flag(
        "SAME_DIR_PAIRING",
        true,
        "global value of a user's switch: pair the two files of a directory that holds just two",
    ),
    Setting::flag(
        "ISBN_PAIRING",
        true,
        "global value of a user's switch: pair files named by the same valid ISBN anywhere in the home",
    ),
    Setting::flag(
        "LOCK_ONLY_IN_HOME",
        true,
        "a lock file counts only directly in the home",
    ),
    Setting::flag(
        "CREATE_IMPORT_LOG",
        true,
        "global value of a user's switch: write the import report",
    ),
    Setting::flag(
        "LEAVE_BAD_FILES",
        true,
        "global value of a user's switch: keep metadata files that could not be parsed",
    ),
    Setting::integer(
        "PROFTPD_USERS_GID",
        2000,
        1..=u32::MAX as i64 - 1,
        "uid and gid of every FTP account",
    ),
    Setting::path(
        "STATE_PATH",
        "/var/lib/edeposit/ftp_monitord/",
        "position in the log, imports under way, and the locks of both daemons; keep it over restarts",
    ),
    Setting::word(
        "EBOOK_ENCODING",
        "base64",
        &["base64", "text"],
        "how e-books are sent; `text` is the original's form",
    ),
    Setting::bytes(
        "MAX_MESSAGE_SIZE",
        100_000_000,
        1024..=512 << 20,
        "largest message that is sent; RabbitMQ 4 takes 16 MiB unless configured otherwise, before it took 128 MiB",
    ),
    Setting::seconds(
        "SCAN_INTERVAL",
        60.0,
        1.0..=86_400.0,
        "time between looks for homes without lock file",
    ),
];

/// The settings. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "ftp",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let conf_path = path(constants, "CONF_PATH")?;
        let log_path = path(constants, "LOG_PATH")?;
        let below = |name, directory: &PathBuf, file| match constants.optional_path(name)? {
            None => Ok(directory.join(file)),
            Some(_) => path(constants, name),
        };
        let ebook_encoding = match constants.text("EBOOK_ENCODING")? {
            "text" => EbookEncoding::Text,
            _ => EbookEncoding::Base64,
        };
        Ok(Self {
            conf_file: below("CONF_FILE", &conf_path, "proftpd.conf")?,
            login_file: below("LOGIN_FILE", &conf_path, "ftpd.passwd")?,
            log_file: below("LOG_FILE", &log_path, "extended.log")?,
            data_path: path(constants, "DATA_PATH")?,
            lock_filename: file_name(constants, "LOCK_FILENAME")?,
            user_error_log: file_name(constants, "USER_ERROR_LOG")?,
            user_import_log: file_name(constants, "USER_IMPORT_LOG")?,
            lock_file_content: constants.text("LOCK_FILE_CONTENT")?.to_owned(),
            switches: Switches {
                same_name_dir_pairing: constants.flag("SAME_NAME_DIR_PAIRING")?,
                same_dir_pairing: constants.flag("SAME_DIR_PAIRING")?,
                isbn_pairing: constants.flag("ISBN_PAIRING")?,
                create_import_log: constants.flag("CREATE_IMPORT_LOG")?,
                leave_bad_files: constants.flag("LEAVE_BAD_FILES")?,
            },
            lock_only_in_home: constants.flag("LOCK_ONLY_IN_HOME")?,
            users_gid: constants.integer("PROFTPD_USERS_GID")?,
            state_path: path(constants, "STATE_PATH")?,
            ebook_encoding,
            max_message_size: constants.integer("MAX_MESSAGE_SIZE")?,
            scan_interval: constants.seconds("SCAN_INTERVAL")?,
            conf_path,
            log_path,
        })
    }
}

impl Settings {
    /// A user's home.
    #[must_use]
    pub fn home(&self, user: &UserName) -> PathBuf {
        self.data_path.join(user.as_str())
    }
}

/// An absolute path without characters that mean something in the password file or in ProFTPD's configuration.
fn path(constants: &Constants, name: &str) -> Result<PathBuf, Error> {
    if constants
        .text(name)?
        .contains(|c: char| c.is_control() || matches!(c, ':' | '"' | '%' | '\\'))
    {
        let problem = "a path with ':', '\"', '%', '\\' or a control character cannot be used";
        return Err(constants.invalid(name, problem));
    }
    constants.path(name)
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
    use edeposit_settings::Sources;

    use super::*;

    fn load(settings: &str) -> Result<Settings, Error> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("edeposit");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("ftp.json"), settings).unwrap();
        let mut sources = Sources::none();
        sources.home = Some(home.path().to_owned());
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
