//! The settings of this submodule, in the file `calibre.json`.

use std::env;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

/// Largest size of a book: base64 in JSON, it must fit into a message.
const LARGEST_BOOK: i64 = 94 << 20;

/// Most conversions at once if nothing is set.
const MOST_JOBS: u16 = 4;

const SETTINGS: &[Setting] = &[
    Setting::text(
        "EBOOK_CONVERT",
        "ebook-convert",
        "the converter, looked for in `PATH` if without a slash. If it is not under `/usr`, the directory it is in can be \
         seen from the sandbox",
    ),
    Setting::optional_path(
        "TEMP_DIR",
        "",
        "where each conversion gets a directory of its own; the daemon's own, or sticky as `/tmp` is. If it is not set, \
         `$TMPDIR`, else `/tmp`",
    ),
    Setting::seconds(
        "TIMEOUT",
        540.0,
        0.001..=86_400.0,
        "longest time for a conversion; must be below `RABBITMQ_CALIBRE_HANDLER_TIMEOUT` (600)",
    ),
    Setting::bytes(
        "MAX_INPUT_SIZE",
        64 << 20,
        0..=LARGEST_BOOK,
        "largest book before conversion",
    ),
    Setting::bytes(
        "MAX_OUTPUT_SIZE",
        64 << 20,
        1..=LARGEST_BOOK,
        "largest book after conversion",
    ),
    Setting::bytes(
        "MAX_TEMP_SIZE",
        1 << 30,
        1..=1 << 40,
        "most that all files of a conversion may have together, 4096 at least counted for each; looked at twice a second, and \
         never exceeded by any one file",
    ),
    Setting::bytes(
        "MEMORY_LIMIT",
        2 << 30,
        0..=1 << 42,
        "most data that each process of a conversion may have (`RLIMIT_DATA`); 0 is no limit. Large PDFs take the most",
    ),
    Setting::integer(
        "MAX_JOBS",
        0,
        0..=256,
        "conversions at once; 0: as many as there are processors, 4 at most",
    ),
    Setting::word(
        "SANDBOX",
        "auto",
        &["auto", "off", "required"],
        "bubblewrap: `auto` uses it if it works, `required` refuses to start without, `off` does not use it",
    ),
];

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

/// How conversions are run. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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
    pub max_jobs: u16,
    /// `SANDBOX`
    pub sandbox: Sandbox,
}

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "calibre",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let sandbox = match constants.text("SANDBOX")? {
            "off" => Sandbox::Off,
            "required" => Sandbox::Required,
            _ => Sandbox::Auto,
        };
        let max_jobs = match constants.integer("MAX_JOBS")? {
            0 => available_parallelism().map_or(1, |n| {
                u16::try_from(n.get()).map_or(MOST_JOBS, |n| n.min(MOST_JOBS))
            }),
            jobs => jobs,
        };
        let temp_dir = constants.optional_path("TEMP_DIR")?;
        Ok(Self {
            ebook_convert: constants.text("EBOOK_CONVERT")?.to_owned(),
            temp_dir: temp_dir.unwrap_or_else(env::temp_dir),
            timeout: constants.seconds("TIMEOUT")?,
            max_input_size: constants.integer("MAX_INPUT_SIZE")?,
            max_output_size: constants.integer("MAX_OUTPUT_SIZE")?,
            max_temp_size: constants.integer("MAX_TEMP_SIZE")?,
            memory_limit: constants.integer("MEMORY_LIMIT")?,
            max_jobs,
            sandbox,
        })
    }
}

#[cfg(test)]
mod tests {
    use edeposit_settings::Sources;

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
            let name = Settings::DECLARATION.variable(name);
            sources.env.insert(name, value.into());
        }
        let settings = Settings::load_sources(&sources).unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(500));
        assert_eq!((settings.max_jobs, settings.sandbox), (7, Sandbox::Off));
    }
}
