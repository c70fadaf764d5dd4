//! The settings of this submodule.
//!
//! They are in a file of their own: `$HOME/edeposit/marcxml2mods.json`, or else `/etc/edeposit/marcxml2mods.json`;
//! environment variables of the same names override them. See [`edeposit_settings::Constants`].
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `CASE_SELECTION` | `monograph` | what a record is described as, see [`CaseSelection`] |
//! | `BYTE_COMPAT` | false | true: the accidents of the original's documents too, see [`Settings::byte_compat`] |
//! | `MAX_RECORD_BYTES` | 4194304 | size of a record's XML, in bytes |

use std::str::FromStr;

use edeposit_settings::{Constants, Default as Value, Error, Sources};

const FILE: &str = "marcxml2mods.json";

const TABLE: [(&str, Value); 3] = [
    ("CASE_SELECTION", Value::Text("monograph")),
    ("BYTE_COMPAT", Value::Flag(false)),
    ("MAX_RECORD_BYTES", Value::Integer(4 * 1024 * 1024)),
];

/// How it is decided what a record is described as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CaseSelection {
    /// `monograph`: always a monograph, whatever the record is. So the original does.
    #[default]
    Monograph,
    /// `auto`: as the record says ([`Case::of`](crate::Case::of)); periodicals and multi-volume works get the
    /// few elements that the original's documentation promises.
    Auto,
    /// `full`: as the record says; periodicals and multi-volume works are described completely.
    Full,
    /// `multivolume`: always a multi-volume work, with the few elements of `auto`.
    MultiVolume,
    /// `periodical`: always a periodical, with the few elements of `auto`.
    Periodical,
}

impl CaseSelection {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Monograph,
        Self::Auto,
        Self::Full,
        Self::MultiVolume,
        Self::Periodical,
    ];

    /// The word in settings and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monograph => "monograph",
            Self::Auto => "auto",
            Self::Full => "full",
            Self::MultiVolume => "multivolume",
            Self::Periodical => "periodical",
        }
    }
}

impl FromStr for CaseSelection {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|selection| selection.as_str() == text)
            .ok_or("write monograph, auto, full, multivolume or periodical")
    }
}

/// How this submodule converts. The [module](self) has the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `CASE_SELECTION`
    pub case_selection: CaseSelection,
    /// `BYTE_COMPAT`: documents are those of the original byte for byte, with its misplaced elements, its odd white
    /// space and its doubled values, as far as they were well-formed.
    pub byte_compat: bool,
    /// `MAX_RECORD_BYTES`
    pub max_record_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            case_selection: CaseSelection::Monograph,
            byte_compat: false,
            max_record_bytes: 4 * 1024 * 1024,
        }
    }
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
        let selection = constants.text("CASE_SELECTION")?;
        let case_selection = selection.parse().map_err(|problem: &str| {
            constants.invalid("CASE_SELECTION", &format!("'{selection}': {problem}"))
        })?;
        // above 64 MiB no message would get that far
        let bytes = constants.integer("MAX_RECORD_BYTES", 1..=64 * 1024 * 1024)?;
        Ok(Self {
            case_selection,
            byte_compat: constants.flag("BYTE_COMPAT")?,
            max_record_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        })
    }
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

    #[test]
    fn defaults_and_values() {
        assert_eq!(load("{}").unwrap(), Settings::default());
        let settings =
            load(r#"{"CASE_SELECTION": "full", "BYTE_COMPAT": true, "MAX_RECORD_BYTES": 1000}"#);
        assert_eq!(
            settings.unwrap(),
            Settings {
                case_selection: CaseSelection::Full,
                byte_compat: true,
                max_record_bytes: 1000
            }
        );
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            r#"{"CASE_SELECTION": "book"}"#,
            r#"{"BYTE_COMPAT": "perhaps"}"#,
            r#"{"MAX_RECORD_BYTES": 0}"#,
        ] {
            assert!(load(wrong).is_err(), "{wrong}");
        }
    }
}
