//! The settings of this submodule, in the file `template_name.json`.

use edeposit_settings::{Constants, Declaration, Declared, Error, Setting};

const SETTINGS: &[Setting] = &[Setting::integer(
    "MAX_CHARACTERS",
    1000,
    1..=1_000_000,
    "that a text may have; a longer one is refused",
)
.unit("characters")];

/// How this submodule works. [`DECLARATION`](Declared::DECLARATION) has the names, defaults and meanings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `MAX_CHARACTERS`
    pub max_characters: usize,
}

impl Declared for Settings {
    const DECLARATION: &'static Declaration = &Declaration {
        submodule: "template_name",
        settings: SETTINGS,
    };

    fn from_constants(constants: &Constants) -> Result<Self, Error> {
        Ok(Self {
            max_characters: constants.integer("MAX_CHARACTERS")?,
        })
    }
}
