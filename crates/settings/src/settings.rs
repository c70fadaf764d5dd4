//! `amqp.json`: the `RABBITMQ_...` constants and their typed views.

use std::path::Path;

use indexmap::IndexMap;

use crate::constants::Names;
use crate::suggest::nearest;
use crate::{AmqpSettings, Connection, Constants, Error, Origin, Sources, Submodule};
use crate::{connection, file, table};

/// The settings of E-deposit's daemons.
///
/// Loading reads and checks the file's form. Whether the values do is told by the getters, so
/// that a mistake in one submodule's constants does not stop the daemon of another.
#[derive(Debug)]
pub struct Settings {
    constants: Constants,
}

impl Settings {
    /// Reads `$HOME/edeposit/amqp.json`, else `/etc/edeposit/amqp.json`, and the environment.
    ///
    /// # Errors
    /// The file cannot be read or is no JSON.
    pub fn load() -> Result<Self, Error> {
        Self::load_from(None)
    }

    /// The same, but from `file` if the command line names one.
    ///
    /// # Errors
    /// The file cannot be read, is no JSON, or was named and does not exist.
    pub fn load_from(file: Option<&Path>) -> Result<Self, Error> {
        Self::load_sources(&Sources::of_process(file))
    }

    /// The same from other sources.
    ///
    /// # Errors
    /// As [`Settings::load_from`].
    pub fn load_sources(sources: &Sources) -> Result<Self, Error> {
        let names = Names {
            defaults: table::defaults(),
            convention: table::follows_convention,
            renamed: table::renamed,
        };
        let mut constants = Constants::load_names("amqp.json", names, sources)?;
        if let Ok(Some(path)) = connection::password_file(&constants) {
            file::open_to_others(&path, true)
                .into_iter()
                .for_each(|warning| constants.warn(warning));
        }
        let mut settings = Settings { constants };
        settings.warn_of_near_names();
        Ok(settings)
    }

    /// A new submodule is accepted whatever its name, so a misspelt old one is only seen by its
    /// being close to one.
    fn warn_of_near_names(&mut self) {
        let known: Vec<&str> = table::known_submodules().collect();
        let warnings: Vec<String> = self
            .xs(table::x_of_constant)
            .into_iter()
            .filter(|x| x.len() > 4 && !known.contains(x))
            .filter_map(|x| {
                let near = nearest(x, known.iter().copied())?;
                Some(format!(
                    "RABBITMQ_{x}_... is taken for a new submodule '{}'; if RABBITMQ_{near}_... \
                     is meant, correct it",
                    x.to_ascii_lowercase()
                ))
            })
            .collect();
        for warning in warnings {
            self.constants.warn(warning);
        }
    }

    /// The `<X>` of all submodules, those of the table first, then those that `x_of` finds in the name of a constant.
    fn xs(&self, x_of: fn(&str) -> Option<&str>) -> Vec<&str> {
        let mut xs: Vec<&str> = table::known_submodules().collect();
        for name in self.constants.get_all_constants() {
            if let Some(x) = x_of(name)
                && !xs.contains(&x)
            {
                xs.push(x);
            }
        }
        xs
    }

    /// Names of all submodules: those of the original, then new ones whose `RABBITMQ_<X>_VIRTUALHOST` is set.
    #[must_use]
    pub fn submodule_names(&self) -> Vec<String> {
        self.xs(table::x_of_virtual_host)
            .iter()
            .map(|x| x.to_ascii_lowercase())
            .collect()
    }

    /// The settings of one submodule. It need not be mentioned anywhere: what is not set follows
    /// the naming convention. `downloader` and `marcxml2mods` are accepted for `downer` and
    /// `mx2mods`.
    ///
    /// # Errors
    /// `name` is no name, or a constant's value does not do.
    pub fn submodule(&self, name: &str) -> Result<Submodule, Error> {
        let x = table::x_of_submodule(name).ok_or_else(|| Error::SubmoduleName {
            name: name.to_owned(),
        })?;
        Submodule::from_constants(&self.constants, &x)
    }

    /// The schema of all submodules, by name, in the order of [`Settings::submodule_names`].
    ///
    /// Beyond the original, `aleph_link_export` has its own entry.
    ///
    /// # Errors
    /// A constant's value does not do; with one queue as both input and output, for example.
    pub fn get_amqp_settings(&self) -> Result<IndexMap<String, AmqpSettings>, Error> {
        self.xs(table::x_of_virtual_host)
            .into_iter()
            .map(|x| {
                let submodule = Submodule::from_constants(&self.constants, x)?;
                Ok((submodule.name.clone(), submodule.amqp_settings()))
            })
            .collect()
    }

    /// How to reach RabbitMQ. Reads the password file, if one is set.
    ///
    /// # Errors
    /// A constant's value does not do, or the password file cannot be read.
    pub fn connection(&self) -> Result<Connection, Error> {
        Connection::from_constants(&self.constants)
    }

    /// Bases of the addresses of RabbitMQ's management API, without a slash at the end: the one of
    /// `RABBITMQ_MANAGEMENT_URL`, else one for each host, in their order; never empty.
    ///
    /// # Errors
    /// `RABBITMQ_MANAGEMENT_URL` is no HTTP address or holds a login, or `RABBITMQ_HOST` is no list of hosts.
    pub fn management_urls(&self) -> Result<Vec<String>, Error> {
        connection::management_urls(&self.constants)
    }

    /// Is a request without a UUID answered with an exception? If not, it is dropped.
    ///
    /// # Errors
    /// `RABBITMQ_ANSWER_WITHOUT_UUID` is neither 0 nor 1.
    pub fn answer_without_uuid(&self) -> Result<bool, Error> {
        self.constants.flag("RABBITMQ_ANSWER_WITHOUT_UUID")
    }

    /// Are exceptions sent with their traceback?
    ///
    /// # Errors
    /// `RABBITMQ_TRACEBACKS` is neither 0 nor 1.
    pub fn tracebacks(&self) -> Result<bool, Error> {
        self.constants.flag("RABBITMQ_TRACEBACKS")
    }

    /// The value of a constant as text; `None` if there is no such constant.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.constants.get(name)
    }

    /// The constants themselves, with their typed getters.
    #[must_use]
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// See [`Constants::get_all_constants`].
    #[must_use]
    pub fn get_all_constants(&self) -> Vec<&str> {
        self.constants.get_all_constants()
    }

    /// See [`Constants::substitute_globals`].
    pub fn substitute_globals<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a String, &'a serde_json::Value)>,
    ) {
        self.constants.substitute_globals(values);
    }

    /// What was ignored and what is unsafe, each in one line that names the place.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.constants.warnings()
    }

    /// For messages: the file that was read, or `the defaults`.
    #[must_use]
    pub fn source(&self) -> Origin {
        self.constants.source()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
