//! The settings of this submodule, in the file `ltp.json`.

use std::path::PathBuf;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

use crate::checksums::Algorithm;
use crate::states::is_success;

/// No file system takes longer names; what is put before and after leaves room for the book's id.
const LONGEST_PREFIX: usize = 64;

const SETTINGS: &[Setting] = &[
    Setting::path(
        "EXPORT_DIR",
        "/home/ltp/edep2ltp",
        "where packages are laid out and their states are read; must exist",
    ),
    Setting::any_text(
        "EXPORT_PREFIX",
        "complete_",
        "put before the id of a finished package; must not mean success",
    ),
    Setting::mode(
        "DIR_MODE",
        "0770",
        "mode of a package's directories, whatever the umask",
    ),
    Setting::mode(
        "FILE_MODE",
        "0660",
        "mode of a package's files. Neither mode may let everybody write",
    ),
    Setting::bytes(
        "MAX_FILE_SIZE",
        2 << 30,
        1..=i64::MAX,
        "largest publication",
    ),
    Setting::bytes(
        "MIN_FREE_BYTES",
        100 << 20,
        0..=i64::MAX,
        "space that stays free on the file system of `EXPORT_DIR`; a package that would take them is refused before it is begun",
    ),
    Setting::list(
        "CHECKSUMS",
        "manifests of a package: `MD5` always, which is all if it is empty; `SHA256` and `SHA512` on request",
    ),
    Setting::any_text("TEMP_DIR", "/tmp", "packages are built in `EXPORT_DIR`").unused(),
    Setting::any_text(
        "IMPORT_DIR",
        "/home/ltp/ltp2edep",
        "states are read in `EXPORT_DIR`",
    )
    .unused(),
];

/// How this submodule lays out packages. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "ltp",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        Ok(Self {
            export_dir: constants.path("EXPORT_DIR")?,
            export_prefix: prefix(constants)?,
            dir_mode: mode(constants, "DIR_MODE", 0o700)?,
            file_mode: mode(constants, "FILE_MODE", 0o600)?,
            max_file_size: constants.integer("MAX_FILE_SIZE")?,
            min_free_bytes: constants.integer("MIN_FREE_BYTES")?,
            checksums: checksums(constants)?,
        })
    }
}

/// It becomes part of a name, and names with a leading dot are never packages.
fn prefix(constants: &Constants) -> Result<String, Error> {
    let name = "EXPORT_PREFIX";
    let prefix = constants.text(name)?;
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
    let mode = constants.mode(name)?;
    if mode & owner != owner {
        let problem =
            format!("too little: it keeps the daemon itself out, which needs {owner:04o}");
        return Err(constants.unfit(name, &problem));
    }
    if mode & 0o002 != 0 {
        let problem = "too much: it lets everybody on the machine change packages";
        return Err(constants.unfit(name, problem));
    }
    Ok(mode)
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
    use edeposit_settings::Sources;

    use super::*;

    fn load(settings: &str) -> Result<Settings, Error> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("edeposit");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("ltp.json"), settings).unwrap();
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
