//! What the settings of a daemon come to: all values, and all that is wrong with them, not only the first thing.

use edeposit_settings::{Constants, Error, Settings};

use super::report::File;
use crate::wiring::Wiring;

#[derive(Default)]
pub(crate) struct Configured {
    /// Where the daemon works in RabbitMQ, if the settings say it.
    pub(crate) wiring: Option<Wiring>,
    pub(crate) files: Vec<File>,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<Error>,
}

impl Configured {
    /// Takes the settings of RabbitMQ, as far as they concern this submodule. `wired`: the program itself says where it
    /// works.
    pub(crate) fn broker(&mut self, settings: &Settings, submodule: &str, wired: Option<&Wiring>) {
        self.warnings.extend_from_slice(settings.warnings());
        if let Ok(effective) = settings.effective(submodule) {
            self.files.push(File {
                name: settings.constants().file_name(),
                source: settings.source(),
                settings: effective,
            });
        }
        let wiring = settings.submodule(submodule).and_then(|submodule| {
            let wired = wired.cloned().map(Ok);
            wired.unwrap_or_else(|| Wiring::of(settings, &submodule))
        });
        match wiring {
            Ok(wiring) => self.wiring = Some(wiring),
            Err(error) => self.errors.push(error),
        }
        let flags = [settings.answer_without_uuid(), settings.tracebacks()];
        self.errors
            .extend(flags.into_iter().filter_map(Result::err));
    }

    /// Takes settings of the submodule's own.
    pub(crate) fn own(&mut self, constants: &Constants) {
        self.warnings.extend_from_slice(constants.warnings());
        self.files.push(File {
            name: constants.file_name(),
            source: constants.source(),
            settings: constants.effective(),
        });
    }
}

#[cfg(test)]
mod tests {
    use edeposit_settings::Sources;

    use super::*;

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut sources = Sources::none();
        for name in [
            "RABBITMQ_HEARTBEAT",
            "RABBITMQ_TRACEBACKS",
            "RABBITMQ_PREFETCH",
        ] {
            sources.env.insert(name.to_owned(), "x".into());
        }
        let settings = Settings::load_sources(&sources).unwrap();
        let mut configured = Configured::default();
        configured.broker(&settings, "aleph", None);
        assert!(configured.wiring.is_none());
        let errors: Vec<_> = configured.errors.iter().map(Error::to_string).collect();
        assert!(
            errors[0].starts_with("RABBITMQ_PREFETCH in the environment"),
            "{errors:?}"
        );
        assert!(
            errors[1].starts_with("RABBITMQ_TRACEBACKS in the environment"),
            "{errors:?}"
        );
        // The connection is looked at when the submodule's part can be used.
        assert_eq!(errors.len(), 2);
        assert_eq!(configured.files[0].name, "amqp.json");
    }
}
