//! A set of named constants: defaults, one file and the environment laid over each other.
//!
//! This is the part that does not know what the constants are for. `amqp.json` and each submodule's own file are read here.

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::effective::Effective;
use crate::file;
use crate::given::Given;
use crate::names::{Names, SETTINGS_PATH};
use crate::printable::printable;
use crate::{Error, Origin, Setting, Sources};

/// For the name of the file, which is among the constants and cannot be set.
static PATH: Setting = Setting::text(SETTINGS_PATH, "", "where the file is");

/// The constants of one file with their values, all kept as text.
///
/// `Debug` shows `***` in place of secrets.
#[derive(Clone)]
pub struct Constants {
    names: Names,
    values: IndexMap<String, Held>,
    file: Option<PathBuf>,
    warnings: Vec<String>,
}

#[derive(Clone)]
struct Held {
    text: String,
    origin: Origin,
    setting: &'static Setting,
}

impl Constants {
    /// Reads `$HOME/edeposit/<file>`, else `/etc/edeposit/<file>`, else nothing, and the environment.
    pub(crate) fn load(names: Names, sources: &Sources) -> Result<Self, Error> {
        let path = format!("/edeposit/{}", names.file_name());
        let values = names
            .defaults()
            .into_iter()
            .chain([(SETTINGS_PATH.to_owned(), path, &PATH)])
            .map(|(name, text, setting)| {
                let origin = Origin::Default;
                let held = Held {
                    text,
                    origin,
                    setting,
                };
                (name, held)
            })
            .collect();
        let (file, warnings) = sources.find(&names.file_name());
        let mut constants = Constants {
            names,
            values,
            file,
            warnings,
        };
        if let Some(path) = constants.file.clone() {
            constants.apply_file(&path)?;
        }
        constants.apply_environment(sources)?;
        Ok(constants)
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), Error> {
        let Some(members) = file::read(path)? else {
            if self.names.are_strict() {
                return Err(Error::NoObject { path: path.into() });
            }
            self.warn(format!(
                "{} is ignored: it holds no JSON object",
                path.display()
            ));
            return Ok(());
        };
        let origin = Origin::File(path.to_path_buf());
        for (name, given) in members {
            self.apply(&name, given, &origin)?;
        }
        let holds_password = self.values.values().any(|held| {
            held.origin == origin && !held.text.is_empty() && held.setting.hides(&held.text)
        });
        self.warnings
            .extend(file::open_to_others(path, holds_password));
        Ok(())
    }

    fn apply_environment(&mut self, sources: &Sources) -> Result<(), Error> {
        for (variable, name, value) in self.names.meant(&sources.env) {
            let given = match value.to_str() {
                Some(text) => Given::Text(text.to_owned()),
                None => Given::Unusable("a text that is no valid UTF-8"),
            };
            self.apply(name, given, &Origin::Environment(variable.to_owned()))?;
        }
        Ok(())
    }

    /// Lays one value over what is there, or says why not.
    fn apply(&mut self, name: &str, given: Given, origin: &Origin) -> Result<(), Error> {
        let names = self.names;
        let objection = names.objection(name, |near| match origin {
            Origin::Environment(_) => names.variable(near),
            _ => near.to_owned(),
        });
        let (Some(setting), None) = (names.setting(name), &objection) else {
            let problem = objection.unwrap_or_default();
            self.warn(format!(
                "{} is ignored: {problem}",
                origin.place(&printable(name))
            ));
            return Ok(());
        };
        let refused = |problem| Error::Value {
            name: name.to_owned(),
            origin: origin.clone(),
            problem,
        };
        match setting.kind.text_of(given) {
            Ok(text) => {
                if names.are_strict()
                    && let Some(problem) = setting.problem(&text)
                {
                    return Err(refused(problem));
                }
                let held = Held {
                    text,
                    origin: origin.clone(),
                    setting,
                };
                self.values.insert(name.to_owned(), held);
            }
            Err(what) if names.are_strict() => return Err(refused(setting.unusable(what))),
            Err(what) => {
                let problem = format!("its value is {what}, but must be a string or a number");
                self.warn(format!("{} is ignored: {problem}", origin.place(name)));
            }
        }
        Ok(())
    }

    /// Adds what the user of these constants has to remark about them.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Lays `values` over the constants, by the rules that hold for a file.
    pub(crate) fn substitute<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a String, &'a serde_json::Value)>,
    ) -> Result<(), Error> {
        for (name, value) in values {
            self.apply(name, Given::from(value), &Origin::Program)?;
        }
        Ok(())
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

    /// The name of the file that they are looked for in: `amqp.json`.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.names.file_name()
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

    /// How a constant is declared; `None` if there is no such constant.
    pub(crate) fn setting(&self, name: &str) -> Option<&'static Setting> {
        self.values.get(name).map(|held| held.setting)
    }

    /// Every value that has an effect, with its origin and its meaning, secrets hidden, in the order of the declaration.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        self.values
            .iter()
            .filter(|(name, held)| *name != SETTINGS_PATH && held.setting.is_used())
            .map(|(name, held)| Effective::new(name, &held.text, held.origin.clone(), held.setting))
            .collect()
    }
}

impl fmt::Debug for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self
            .values
            .iter()
            .map(|(name, held)| (name, held.setting.shown(&held.text)));
        f.debug_map().entries(values).finish()
    }
}

#[cfg(test)]
#[path = "constants_tests.rs"]
mod tests;
