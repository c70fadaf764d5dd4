//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/ltp.json`, or else `/etc/edeposit/ltp.json`; environment variables of
//! the same names override them. A value of a wrong type is refused. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `EXPORT_DIR` | `/home/ltp/edep2ltp` | where packages are laid out and their states are read; must exist |
//! | `EXPORT_PREFIX` | `complete_` | put before the name of a finished package |
//! | `DIR_MODE` | `0770` | mode of directories, octal |
//! | `FILE_MODE` | `0660` | mode of files, octal |
//! | `MAX_FILE_SIZE` | 2147483648 | bytes a publication may have |
//! | `MIN_FREE_BYTES` | 104857600 | bytes that stay free on the file system of `EXPORT_DIR` |
//! | `CHECKSUMS` | `["MD5"]` | manifests of a package: `MD5` always, also `SHA256`, `SHA512` |
//! | `TEMP_DIR`, `IMPORT_DIR` | | accepted, and not used: packages are built in `EXPORT_DIR` |

use std::path::PathBuf;

use edeposit_settings::{Constants, Default as Value, Error, Sources};

use crate::checksums::Algorithm;
use crate::states::is_success;

const FILE: &str = "ltp.json";

const TABLE: [(&str, Value); 9] = [
    ("TEMP_DIR", Value::Text("/tmp")),
    ("EXPORT_DIR", Value::Text("/home/ltp/edep2ltp")),
    ("IMPORT_DIR", Value::Text("/home/ltp/ltp2edep")),
    ("EXPORT_PREFIX", Value::Text("complete_")),
    ("DIR_MODE", Value::Text("0770")),
    ("FILE_MODE", Value::Text("0660")),
    ("MAX_FILE_SIZE", Value::Integer(2_147_483_648)),
    ("MIN_FREE_BYTES", Value::Integer(104_857_600)),
    ("CHECKSUMS", Value::List),
];

/// No file system takes longer names; what is put before and after leaves room for the book's id.
const LONGEST_PREFIX: usize = 64;

/// How this submodule lays out packages. The [module](self) has the names and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `EXPORT_DIR`
    pub export_dir: PathBuf,
    /// `EXPORT_PREFIX`
    pub export_prefix: String,
    /// `DIR_MODE`
    pub dir_mode: u32,
    /// `FILE_MODE`
    pub file_mode: u32,
    /// `MAX_FILE_SIZE`, bytes.
    pub max_file_size: u64,
    /// `MIN_FREE_BYTES`, bytes.
    pub min_free_bytes: u64,
    /// `CHECKSUMS`, MD5 first and each once.
    pub checksums: Vec<Algorithm>,
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
        let bytes = |name, least| {
            let number = constants.integer(name, least..=i64::MAX)?;
            Ok::<_, Error>(u64::try_from(number).unwrap_or_default())
        };
        Ok(Self {
            export_dir: constants
                .path("EXPORT_DIR")?
                .ok_or_else(|| constants.invalid("EXPORT_DIR", "it is empty"))?,
            export_prefix: prefix(&constants)?,
            dir_mode: mode(&constants, "DIR_MODE", 0o700)?,
            file_mode: mode(&constants, "FILE_MODE", 0o600)?,
            max_file_size: bytes("MAX_FILE_SIZE", 1)?,
            min_free_bytes: bytes("MIN_FREE_BYTES", 0)?,
            checksums: checksums(&constants)?,
        })
    }
}

/// It becomes part of a name, and names with a leading dot are never packages.
fn prefix(constants: &Constants) -> Result<String, Error> {
    let name = "EXPORT_PREFIX";
    let prefix = constants.get(name).unwrap_or_default();
    if prefix.starts_with('.') || prefix.contains(['/', '\0']) || prefix.len() > LONGEST_PREFIX {
        let problem = format!(
            "'{prefix}' cannot begin the name of a package: no leading dot, no slash, {LONGEST_PREFIX} bytes at most"
        );
        return Err(constants.invalid(name, &problem));
    }
    if is_success(prefix) {
        let problem = format!("'{prefix}' says that the archive has taken the package over");
        return Err(constants.invalid(name, &problem));
    }
    Ok(prefix.to_owned())
}

/// The owner has to have the rights of `owner`; others must not be able to change a package.
fn mode(constants: &Constants, name: &str, owner: u32) -> Result<u32, Error> {
    let text = constants.text(name)?;
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode > 0o7777 => {}
        Ok(mode) if mode & owner != owner => {
            let problem = format!("'{text}' keeps the daemon itself out: it needs {owner:04o}");
            return Err(constants.invalid(name, &problem));
        }
        Ok(mode) if mode & 0o002 != 0 => {
            let problem = format!("'{text}' lets everybody on the machine change packages");
            return Err(constants.invalid(name, &problem));
        }
        Ok(mode) => return Ok(mode),
        Err(_) => {}
    }
    let problem = format!("'{text}' is no mode: write octal digits in a string, such as \"0770\"");
    Err(constants.invalid(name, &problem))
}

fn checksums(constants: &Constants) -> Result<Vec<Algorithm>, Error> {
    let mut chosen = Vec::new();
    for name in constants.list("CHECKSUMS")? {
        let algorithm = Algorithm::named(name).ok_or_else(|| {
            let problem = format!("'{name}' is none of MD5, SHA256, SHA512");
            constants.invalid("CHECKSUMS", &problem)
        })?;
        if !chosen.contains(&algorithm) {
            chosen.push(algorithm);
        }
    }
    if chosen.is_empty() {
        chosen.push(Algorithm::Md5);
    }
    if !chosen.contains(&Algorithm::Md5) {
        let problem = "MD5 is missing: the info file of a package names the MD5 manifest";
        return Err(constants.invalid("CHECKSUMS", problem));
    }
    chosen.sort_unstable();
    Ok(chosen)
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

    /// Defect 16, and the file: the original never read the file it documented.
    #[test]
    fn the_file_in_home_has_effect() {
        let settings = load(
            r#"{"EXPORT_DIR": "/srv/out", "EXPORT_PREFIX": "ready_", "DIR_MODE": "2770", "FILE_MODE": "0640",
                "MAX_FILE_SIZE": 5, "MIN_FREE_BYTES": 0, "CHECKSUMS": ["SHA512", "MD5", "SHA512"], "TEMP_DIR": "/x", "IMPORT_DIR": "/y"}"#,
        )
        .unwrap();
        assert_eq!(
            settings,
            Settings {
                export_dir: "/srv/out".into(),
                export_prefix: "ready_".to_owned(),
                dir_mode: 0o2770,
                file_mode: 0o640,
                max_file_size: 5,
                min_free_bytes: 0,
                checksums: vec![Algorithm::Md5, Algorithm::Sha512],
            }
        );
        let defaults = load("{}").unwrap();
        assert_eq!(defaults.dir_mode, 0o770);
        assert_eq!(defaults.checksums, [Algorithm::Md5]);
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            r#"{"EXPORT_DIR": {}}"#,
            r#"{"EXPORT_DIR": ""}"#,
            r#"{"EXPORT_DIR": "out"}"#,
            r#"{"EXPORT_PREFIX": "a/b"}"#,
            r#"{"EXPORT_PREFIX": "../"}"#,
            r#"{"EXPORT_PREFIX": ".x"}"#,
            r#"{"EXPORT_PREFIX": "Done_"}"#,
            r#"{"DIR_MODE": "0777"}"#,
            r#"{"DIR_MODE": "0660"}"#,
            r#"{"DIR_MODE": "rwx"}"#,
            r#"{"FILE_MODE": "77777"}"#,
            r#"{"FILE_MODE": "0666"}"#,
            r#"{"FILE_MODE": "0440"}"#,
            r#"{"MAX_FILE_SIZE": 0}"#,
            r#"{"MAX_FILE_SIZE": "much"}"#,
            r#"{"MIN_FREE_BYTES": -1}"#,
            r#"{"CHECKSUMS": ["CRC32", "MD5"]}"#,
            r#"{"CHECKSUMS": ["SHA256"]}"#,
        ] {
            assert!(load(wrong).is_err(), "{wrong}");
        }
    }
}
