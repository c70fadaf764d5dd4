//! A set of named constants: a table of defaults, one file and the environment laid over it.
//!
//! This is the part that does not know what the constants are for. A submodule with a file of its
//! own uses it directly:
//!
//! ```
//! use edeposit_settings::{Constants, Default, Sources};
//!
//! let constants = Constants::load_sources(
//!     "aleph.json",
//!     &[
//!         ("ALEPH_URL", Default::Text("http://aleph.nkp.cz")),
//!         ("ALEPH_MAX_RECORDS", Default::Integer(30)),
//!     ],
//!     &Sources::none(), // `Constants::load` looks in $HOME, /etc and the environment
//! )?;
//! assert_eq!(constants.get("ALEPH_URL"), Some("http://aleph.nkp.cz"));
//! assert_eq!(constants.integer("ALEPH_MAX_RECORDS", 1..=100)?, 30);
//! # Ok::<(), edeposit_settings::Error>(())
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::file::{self, Given};
use crate::secret::shown;
use crate::suggest::nearest;
use crate::{Default, Error, Origin, Sources};

/// The constant that every table has beside its own: where below `$HOME` and `/etc` the file is.
const SETTINGS_PATH: &str = "SETTINGS_PATH";

/// Which names there are.
pub(crate) struct Names {
    /// Those with a default.
    pub defaults: IndexMap<String, String>,
    /// Is a name that has no default accepted all the same?
    pub convention: fn(&str) -> bool,
    /// What a name that is no longer used is called today.
    pub renamed: fn(&str) -> Option<String>,
}

/// The constants of one table with their values, all kept as text.
///
/// `Debug` shows `***` in place of passwords.
pub struct Constants {
    values: IndexMap<String, Held>,
    convention: fn(&str) -> bool,
    renamed: fn(&str) -> Option<String>,
    file: Option<PathBuf>,
    warnings: Vec<String>,
    /// The defaults of a submodule's own table, for their types.
    table: IndexMap<String, Default>,
    refused: Option<Error>,
}

struct Held {
    text: String,
    origin: Origin,
}

impl Constants {
    /// Reads `$HOME/edeposit/<file_name>`, else `/etc/edeposit/<file_name>`, else nothing, and
    /// the environment.
    ///
    /// # Errors
    /// The file cannot be read or is no JSON.
    pub fn load(file_name: &str, table: &[(&str, Default)]) -> Result<Self, Error> {
        Self::load_sources(file_name, table, &Sources::of_process(None))
    }

    /// The same from other sources.
    ///
    /// # Errors
    /// The file cannot be read or is no JSON, or an explicitly named one does not exist.
    pub fn load_sources(
        file_name: &str,
        table: &[(&str, Default)],
        sources: &Sources,
    ) -> Result<Self, Error> {
        let names = Names {
            defaults: table
                .iter()
                .map(|(name, default)| ((*name).to_owned(), default.to_string()))
                .collect(),
            convention: |_| false,
            renamed: |_| None,
        };
        let table = table
            .iter()
            .map(|(name, default)| ((*name).to_owned(), *default))
            .collect();
        Self::load_table(file_name, names, table, sources)
    }

    pub(crate) fn load_names(
        file_name: &str,
        names: Names,
        sources: &Sources,
    ) -> Result<Self, Error> {
        Self::load_table(file_name, names, IndexMap::new(), sources)
    }

    fn load_table(
        file_name: &str,
        names: Names,
        table: IndexMap<String, Default>,
        sources: &Sources,
    ) -> Result<Self, Error> {
        let path = (SETTINGS_PATH.to_owned(), format!("/edeposit/{file_name}"));
        let values = names
            .defaults
            .into_iter()
            .chain([path])
            .map(|(name, text)| {
                let origin = Origin::Default;
                (name, Held { text, origin })
            })
            .collect();
        let (file, warnings) = sources.find(file_name);
        let mut constants = Constants {
            values,
            convention: names.convention,
            renamed: names.renamed,
            file,
            warnings,
            table,
            refused: None,
        };
        if let Some(path) = constants.file.clone() {
            constants.apply_file(&path)?;
        }
        constants.apply_environment(sources);
        Ok(constants)
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), Error> {
        let Some(members) = file::read(path)? else {
            self.warn(format!(
                "{} is ignored: it holds no JSON object",
                path.display()
            ));
            return Ok(());
        };
        let origin = Origin::File(path.to_path_buf());
        for (name, given) in members {
            self.apply(&name, given, &origin);
        }
        let holds_password = self.values.iter().any(|(name, held)| {
            held.origin == origin && !held.text.is_empty() && shown(name, &held.text) != held.text
        });
        self.warnings
            .extend(file::open_to_others(path, holds_password));
        Ok(())
    }

    /// Unlike the file's, most names in the environment are none of ours: only those that are,
    /// or once were, are looked at.
    fn apply_environment(&mut self, sources: &Sources) {
        for (name, value) in &sources.env {
            let ours = self.is_known(name) || (self.renamed)(name).is_some();
            if !ours || name == SETTINGS_PATH {
                continue;
            }
            let given = match value.to_str() {
                Some(text) => Given::Text(text.to_owned()),
                None => Given::Unusable("no valid UTF-8"),
            };
            self.apply(name, given, &Origin::Environment);
        }
    }

    fn apply(&mut self, name: &str, given: Given, origin: &Origin) {
        let problem = match given.fit(self.table.get(name)) {
            _ if name == SETTINGS_PATH => "it cannot be set there".to_owned(),
            _ if name.starts_with('_') => "names with a leading '_' are no settings".to_owned(),
            _ if (self.renamed)(name).is_some() => {
                let new = (self.renamed)(name).unwrap_or_default();
                format!("it is called {new} now")
            }
            _ if !self.is_known(name) => {
                let known = self.values.keys().map(String::as_str);
                match nearest(name, known) {
                    Some(near) => format!("unknown name, did you mean {near}?"),
                    None => "unknown name".to_owned(),
                }
            }
            Given::Unusable(kind) => {
                self.refused.get_or_insert_with(|| Error::Value {
                    name: name.to_owned(),
                    origin: origin.clone(),
                    problem: format!("it is {kind}"),
                });
                format!("its value is {kind}, but must be a string or a number")
            }
            // fitted above
            Given::Flag(_) | Given::List(_) => return,
            Given::Text(text) => {
                let origin = origin.clone();
                self.values.insert(name.to_owned(), Held { text, origin });
                return;
            }
        };
        self.warn(format!("{name} in {origin} is ignored: {problem}"));
    }

    fn is_known(&self, name: &str) -> bool {
        self.values.contains_key(name) || (self.convention)(name)
    }

    /// Adds what the user of these constants has to remark about them.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Lays `values` over the constants, by the rules that hold for a file: unknown names and
    /// values of other types are ignored with a warning.
    pub fn substitute_globals<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a String, &'a serde_json::Value)>,
    ) {
        for (name, value) in values {
            self.apply(name, Given::from(value), &Origin::Program);
        }
    }

    /// All names, in the order of the table; last, `SETTINGS_PATH` and names that the convention
    /// accepted.
    #[must_use]
    pub fn get_all_constants(&self) -> Vec<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    /// What was ignored and what is unsafe, each in one line that names the place.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Refuses values of unusable types, which are otherwise ignored with a warning: for tables where going on with the
    /// default would be worse than not to start.
    ///
    /// # Errors
    /// A constant of this table was given such a value.
    pub fn refuse_unusable(&mut self) -> Result<(), Error> {
        self.refused.take().map_or(Ok(()), Err)
    }

    /// The file that was read, if there was one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// For messages: the file that was read, or `the defaults`.
    #[must_use]
    pub fn source(&self) -> Origin {
        self.file.clone().map_or(Origin::Default, Origin::File)
    }

    /// The value of a constant as text; `None` if there is no such constant.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|held| held.text.as_str())
    }

    /// Where the value of a constant comes from; `None` if there is no such constant.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.values.get(name).map(|held| &held.origin)
    }
}

impl fmt::Debug for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self
            .values
            .iter()
            .map(|(name, held)| (name, shown(name, &held.text)));
        f.debug_map().entries(values).finish()
    }
}

#[cfg(test)]
#[path = "constants_tests.rs"]
mod tests;
