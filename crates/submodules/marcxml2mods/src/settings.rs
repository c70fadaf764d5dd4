//! The settings of this submodule, in the file `marcxml2mods.json`.

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

use crate::case_selection::CaseSelection;

const SETTINGS: &[Setting] = &[
    Setting::word(
        "CASE_SELECTION",
        CaseSelection::Monograph.as_str(),
        &CaseSelection::WORDS,
        "what a record is described as, see below",
    ),
    Setting::flag(
        "BYTE_COMPAT",
        false,
        "`true`: the original's documents byte for byte, with their accidents",
    ),
    Setting::bytes(
        "MAX_RECORD_BYTES",
        4 << 20,
        // no message with more gets that far
        1..=64 << 20,
        "largest `marc_xml`",
    ),
];

/// How this submodule converts. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and
/// meanings.
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

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "marcxml2mods",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let selection = constants.text("CASE_SELECTION")?;
        let problem = |problem: &str| constants.invalid("CASE_SELECTION", problem);
        Ok(Self {
            case_selection: selection.parse().map_err(problem)?,
            byte_compat: constants.flag("BYTE_COMPAT")?,
            max_record_bytes: constants.integer("MAX_RECORD_BYTES")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use edeposit_settings::Sources;

    use super::*;

    fn load(settings: &str) -> Result<Settings, Error> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("edeposit");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("marcxml2mods.json"), settings).unwrap();
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
}
