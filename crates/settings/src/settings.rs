//! `amqp.json`: the `RABBITMQ_...` constants and their typed views.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::names::Names;
use crate::suggest::nearest;
use crate::{AmqpSettings, Connection, Constants, Effective, Error, Origin, Sources, Submodule};
use crate::{connection, file, markdown, table};

/// The settings of E-deposit's daemons.
///
/// Loading reads and checks the file's form. Whether the values do is told by the getters, so
/// that a mistake in one submodule's constants does not stop the daemon of another.
#[derive(Debug)]
pub struct Settings {
    constants: Constants,
    named_file: Option<PathBuf>,
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
        let mut constants = Constants::load(Names::Rabbitmq, sources)?;
        if let Ok(Some(path)) = connection::password_file(&constants) {
            file::open_to_others(&path, true)
                .into_iter()
                .for_each(|warning| constants.warn(warning));
        }
        let mut settings = Settings {
            constants,
            named_file: sources.explicit.clone(),
        };
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
        Submodule::from_constants(&self.constants, &x_of(name)?)
    }

    /// The submodule with the name nearest to this one, if it is so near that it may be what was meant. For a program that
    /// takes new names: one that is near to none is hardly a misspelling.
    #[must_use]
    pub fn near_submodule(&self, name: &str) -> Option<String> {
        let mut known = self.submodule_names();
        known.extend(table::aliases().map(str::to_ascii_lowercase));
        nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
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

    /// The general constants as a Markdown table, for the documentation.
    #[must_use]
    pub fn table() -> String {
        markdown::table(&table::GENERAL)
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

    /// Every constant that concerns a submodule, with its origin and its meaning: the general ones, those of its schema,
    /// and what it has for itself of the general ones. Secrets are hidden.
    ///
    /// # Errors
    /// `name` is no name, or a constant's value does not do.
    pub fn effective(&self, name: &str) -> Result<Vec<Effective>, Error> {
        let x = x_of(name)?;
        let constants = &self.constants;
        let general = table::GENERAL.iter().filter(|setting| setting.is_used());
        let own = table::PER_SUBMODULE
            .map(|ending| table::name_of(&x, ending))
            .into_iter()
            .filter_map(|name| Some((constants.setting(&name)?, name)));
        let mut effective: Vec<Effective> = general
            .map(|setting| (setting, setting.name.to_owned()))
            .chain(
                table::SCHEMA
                    .iter()
                    .map(|s| (s, table::name_of(&x, s.name))),
            )
            .chain(own)
            .map(|(setting, name)| {
                let value = match constants.get(&name) {
                    Some(value) => value.to_owned(),
                    None => table::conventional(&x, setting.name),
                };
                let origin = constants.origin(&name).cloned().unwrap_or(Origin::Default);
                Effective::new(&name, &value, origin, setting)
            })
            .collect();
        let port = connection::default_port(constants)?;
        for entry in &mut effective {
            if entry.name == "RABBITMQ_PORT" {
                entry.value = port.to_string();
            }
        }
        Ok(effective)
    }

    /// See [`Constants::get_all_constants`].
    #[must_use]
    pub fn get_all_constants(&self) -> Vec<&str> {
        self.constants.get_all_constants()
    }

    /// Lays `values` over the constants, by the rules that hold for a file: unknown names and values of other types are
    /// ignored with a warning.
    pub fn substitute_globals<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a String, &'a serde_json::Value)>,
    ) {
        // Of these constants none is refused.
        let _ = self.constants.substitute(values);
    }

    /// What was ignored and what is unsafe, each in one line that names the place.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.constants.warnings()
    }

    /// The file that the command line names in place of the usual ones, if it does. Programs that are to see the same
    /// settings have to be given it too.
    #[must_use]
    pub fn named_file(&self) -> Option<&Path> {
        self.named_file.as_deref()
    }

    /// For messages: the file that was read, or `the defaults`.
    #[must_use]
    pub fn source(&self) -> Origin {
        self.constants.source()
    }
}

/// The `<X>` in the names of a submodule's constants.
fn x_of(submodule: &str) -> Result<String, Error> {
    table::x_of_submodule(submodule).ok_or_else(|| Error::SubmoduleName {
        name: submodule.to_owned(),
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
