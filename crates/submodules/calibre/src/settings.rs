//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/calibre.json`, or else `/etc/edeposit/calibre.json`. The
//! environment is not asked: names like `TIMEOUT` are anybody's. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `EBOOK_CONVERT` | `ebook-convert` | the converter, looked for in `PATH` if without a slash |
//! | `TEMP_DIR` | the system's | where each conversion gets a directory of its own |
//! | `TIMEOUT` | 540 | seconds a conversion may take; less than the handler may (`RABBITMQ_CALIBRE_HANDLER_TIMEOUT`, 600) |
//! | `MAX_INPUT_SIZE` | 67108864 | bytes a book may have before conversion |
//! | `MAX_OUTPUT_SIZE` | 67108864 | bytes a book may have after conversion |
//! | `MAX_TEMP_SIZE` | 1073741824 | bytes all files of a conversion may have together |
//! | `MEMORY_LIMIT` | 2147483648 | bytes of data each process of a conversion may have (`RLIMIT_DATA`); 0 is no limit |
//! | `MAX_JOBS` | processors, 4 at most | conversions at once |
//! | `SANDBOX` | `auto` | bubblewrap: `auto` uses it if it works, `required` refuses to start without, `off` does not use it |

use std::env;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use edeposit_settings::{Constants, Default as Value, Error, Sources};

const FILE: &str = "calibre.json";

const TABLE: [(&str, Value); 9] = [
    ("EBOOK_CONVERT", Value::Text("ebook-convert")),
    ("TEMP_DIR", Value::Text("")),
    ("TIMEOUT", Value::Integer(540)),
    ("MAX_INPUT_SIZE", Value::Integer(64 << 20)),
    ("MAX_OUTPUT_SIZE", Value::Integer(64 << 20)),
    ("MAX_TEMP_SIZE", Value::Integer(1 << 30)),
    ("MEMORY_LIMIT", Value::Integer(2 << 30)),
    ("MAX_JOBS", Value::Integer(0)),
    ("SANDBOX", Value::Text("auto")),
];

/// Largest size of a book: base64 in JSON, it must fit into a message.
const LARGEST_BOOK: i64 = 94 << 20;

/// Most conversions at once if nothing is set.
const MOST_JOBS: usize = 4;

/// Whether conversions run in a bubblewrap sandbox: without network, and without any files but the book and the system's
/// programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// If it works here.
    Auto,
    /// Never.
    Off,
    /// Always: without it nothing is converted.
    Required,
}

/// How conversions are run. The [module](self) has the names and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `EBOOK_CONVERT`
    pub ebook_convert: String,
    /// `TEMP_DIR`
    pub temp_dir: PathBuf,
    /// `TIMEOUT`
    pub timeout: Duration,
    /// `MAX_INPUT_SIZE`, bytes
    pub max_input_size: u64,
    /// `MAX_OUTPUT_SIZE`, bytes
    pub max_output_size: u64,
    /// `MAX_TEMP_SIZE`, bytes
    pub max_temp_size: u64,
    /// `MEMORY_LIMIT`, bytes; 0 is none
    pub memory_limit: u64,
    /// `MAX_JOBS`
    pub max_jobs: usize,
    /// `SANDBOX`
    pub sandbox: Sandbox,
}

impl Settings {
    /// Reads the settings from the files. What is ignored there is logged as a warning.
    ///
    /// # Errors
    /// The file is no JSON or cannot be read, or a value does not fit its purpose.
    pub fn load() -> Result<Self, Error> {
        let mut sources = Sources::of_process(None);
        sources.env.clear();
        Self::load_sources(&sources)
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
        let number = |name, range| constants.integer(name, range).map(i64::unsigned_abs);
        let sandbox = match constants.text("SANDBOX")? {
            "auto" => Sandbox::Auto,
            "off" => Sandbox::Off,
            "required" => Sandbox::Required,
            other => {
                return Err(Error::Value {
                    name: "SANDBOX".to_owned(),
                    origin: constants
                        .origin("SANDBOX")
                        .cloned()
                        .unwrap_or(edeposit_settings::Origin::Default),
                    problem: format!("'{other}' is none of auto, off, required"),
                });
            }
        };
        let max_jobs = match usize::try_from(number("MAX_JOBS", 0..=256)?) {
            Ok(jobs @ 1..) => jobs,
            _ => available_parallelism().map_or(1, |n| n.get().min(MOST_JOBS)),
        };
        Ok(Self {
            ebook_convert: constants.text("EBOOK_CONVERT")?.to_owned(),
            temp_dir: constants.path("TEMP_DIR")?.unwrap_or_else(env::temp_dir),
            timeout: constants.seconds("TIMEOUT", 0.001..=86_400.0)?,
            max_input_size: number("MAX_INPUT_SIZE", 0..=LARGEST_BOOK)?,
            max_output_size: number("MAX_OUTPUT_SIZE", 1..=LARGEST_BOOK)?,
            max_temp_size: number("MAX_TEMP_SIZE", 1..=1 << 40)?,
            memory_limit: number("MEMORY_LIMIT", 0..=1 << 42)?,
            max_jobs,
            sandbox,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_values() {
        let settings = Settings::load_sources(&Sources::none()).unwrap();
        assert_eq!(settings.ebook_convert, "ebook-convert");
        assert_eq!(settings.timeout, Duration::from_secs(540));
        assert_eq!(settings.memory_limit, 2_147_483_648);
        assert_eq!(settings.sandbox, Sandbox::Auto);
        assert!((1..=4).contains(&settings.max_jobs));
        assert!(settings.temp_dir.is_absolute());

        let mut sources = Sources::none();
        for (name, value) in [("TIMEOUT", "0.5"), ("MAX_JOBS", "7"), ("SANDBOX", "off")] {
            sources.env.insert(name.to_owned(), value.into());
        }
        let settings = Settings::load_sources(&sources).unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(500));
        assert_eq!((settings.max_jobs, settings.sandbox), (7, Sandbox::Off));

        sources.env.insert("SANDBOX".to_owned(), "perhaps".into());
        let error = Settings::load_sources(&sources).unwrap_err().to_string();
        assert!(
            error.contains("SANDBOX") && error.contains("perhaps"),
            "{error}"
        );
    }
}
