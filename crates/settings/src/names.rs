//! Which names there are in a settings file, and what the environment calls them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::suggest::nearest;
use crate::{Declaration, Setting, table};

/// The constant that every file has beside its own: where below `$HOME` and `/etc` the file is. It cannot be set.
pub(crate) const SETTINGS_PATH: &str = "SETTINGS_PATH";

/// Whose names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Names {
    /// The `RABBITMQ_...` constants of `amqp.json`: a table, and a convention for new submodules. Environment variables have
    /// the constants' names. As with the original, what cannot be used is passed over; whether a value does is asked by the
    /// getters, so that a mistake in one submodule's constants does not stop the daemon of another.
    Rabbitmq,
    /// A submodule's own. What cannot be used is refused.
    Own(&'static Declaration),
}

impl Names {
    pub fn file_name(self) -> String {
        match self {
            Names::Rabbitmq => "amqp.json".to_owned(),
            Names::Own(declaration) => declaration.file_name(),
        }
    }

    /// The names with a default, in the order of the documentation.
    pub fn defaults(self) -> Vec<(String, String, &'static Setting)> {
        match self {
            Names::Rabbitmq => table::defaults(),
            Names::Own(declaration) => declaration
                .settings
                .iter()
                .map(|setting| (setting.name.to_owned(), setting.default_text(), setting))
                .collect(),
        }
    }

    /// What is known of the constant of this name; `None` if there is none.
    pub fn setting(self, name: &str) -> Option<&'static Setting> {
        match self {
            Names::Rabbitmq => table::setting(name),
            Names::Own(declaration) => declaration.setting(name),
        }
    }

    /// Is a value that cannot be used an error?
    pub fn are_strict(self) -> bool {
        matches!(self, Names::Own(_))
    }

    /// The environment variable of a constant.
    pub fn variable(self, name: &str) -> String {
        match self {
            Names::Rabbitmq => name.to_owned(),
            Names::Own(declaration) => declaration.variable(name),
        }
    }

    /// The variables that are meant for these constants: each with the name that it gives a value to, which need not exist.
    ///
    /// Unlike a file's, most names in the environment are none of ours. `RABBITMQ_...` may be RabbitMQ's own, so of these
    /// only those count that are known, or once were.
    pub fn meant(
        self,
        env: &BTreeMap<String, OsString>,
    ) -> impl Iterator<Item = (&str, &str, &OsString)> {
        let prefix = match self {
            Names::Rabbitmq => String::new(),
            Names::Own(declaration) => declaration.variable(""),
        };
        env.range(prefix.clone()..)
            .map_while(move |(variable, value)| {
                let name = variable.strip_prefix(&prefix)?;
                Some((variable.as_str(), name, value))
            })
            .filter(move |(variable, name, _)| match self {
                Names::Rabbitmq => self.setting(name).is_some() || table::renamed(name).is_some(),
                Names::Own(declaration) => !is_of_another(declaration, variable),
            })
    }

    /// What is wrong with a name that cannot be set. `spelling` is how names are written where it was found.
    pub fn objection(self, name: &str, spelling: impl Fn(&str) -> String) -> Option<String> {
        let renamed = match self {
            Names::Rabbitmq => table::renamed(name),
            Names::Own(_) => None,
        };
        if name == SETTINGS_PATH {
            return Some("it cannot be set there".to_owned());
        }
        if name.starts_with('_') {
            return Some("names with a leading '_' are no settings".to_owned());
        }
        if let Some(new) = renamed {
            return Some(format!("it is called {new} now"));
        }
        if self.setting(name).is_some() {
            return None;
        }
        let known = self.defaults();
        let near = nearest(name, known.iter().map(|(name, ..)| name.as_str()));
        Some(match near {
            Some(near) => format!("unknown name, did you mean {}?", spelling(near)),
            None => "unknown name".to_owned(),
        })
    }
}

/// `EDEPOSIT_ALEPH_LINK_EXPORT_...` belongs to `aleph_link_export`, not to `aleph`.
fn is_of_another(declaration: &Declaration, variable: &str) -> bool {
    let own = declaration.variable("");
    table::known_submodules()
        .map(|x| format!("EDEPOSIT_{x}_"))
        .any(|prefix| prefix.len() > own.len() && variable.starts_with(&prefix))
}
