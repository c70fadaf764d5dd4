//! All settings of a submodule in one place: the declaration.
//!
//! ```
//! use std::time::Duration;
//!
//! use edeposit_settings::{Constants, Declaration, Declared, Error, Setting, Sources};
//!
//! struct Settings {
//!     greeting: String,
//!     timeout: Duration,
//! }
//!
//! impl Declared for Settings {
//!     const DECLARATION: &'static Declaration = &Declaration {
//!         submodule: "greeter",
//!         settings: &[
//!             Setting::text("GREETING", "Hello", "how a greeting begins"),
//!             Setting::seconds("TIMEOUT", 5.0, 0.1..=60.0, "for one greeting"),
//!         ],
//!     };
//!
//!     fn from_constants(constants: &Constants) -> Result<Self, Error> {
//!         Ok(Settings {
//!             greeting: constants.text("GREETING")?.to_owned(),
//!             timeout: constants.seconds("TIMEOUT")?,
//!         })
//!     }
//! }
//!
//! // `Settings::load()` looks in `$HOME/edeposit/greeter.json`, `/etc/edeposit/greeter.json` and the environment.
//! let mut sources = Sources::none();
//! sources.env.insert("EDEPOSIT_GREETER_TIMEOUT".to_owned(), "0.5".into());
//! let settings = Settings::load_sources(&sources)?;
//! assert_eq!((settings.greeting.as_str(), settings.timeout), ("Hello", Duration::from_millis(500)));
//!
//! sources.env.insert("EDEPOSIT_GREETER_TIMEOUT".to_owned(), "soon".into());
//! assert_eq!(
//!     Settings::load_sources(&sources).err().unwrap().to_string(),
//!     "EDEPOSIT_GREETER_TIMEOUT in the environment: 'soon' cannot be used, it takes seconds from 0.1 to 60",
//! );
//! # Ok::<(), Error>(())
//! ```

use crate::{Setting, markdown};

/// All settings of a submodule. Everything that is said of them anywhere is made of this: where they are read from, what
/// is refused, what `check` prints, the table in the submodule's page of the documentation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Declaration {
    /// Lower-case letters, digits and `_`. The file is `SUBMODULE.json`, the environment variables are
    /// `EDEPOSIT_<SUBMODULE>_<NAME>`.
    pub submodule: &'static str,
    /// The settings, in the order in which they are shown.
    pub settings: &'static [Setting],
}

impl Declaration {
    /// The setting of this name, if there is one.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// The name of the file below `$HOME/edeposit` and `/etc/edeposit`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.json", self.submodule)
    }

    /// The environment variable of the setting of this name.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        format!("EDEPOSIT_{}_{name}", self.submodule.to_ascii_uppercase())
    }

    /// The settings as a Markdown table, for the documentation.
    #[must_use]
    pub fn table(&self) -> String {
        markdown::table(self.settings)
    }
}
