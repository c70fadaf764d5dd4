//! Reading what is declared.

use crate::names::Names;
use crate::{Constants, Declaration, Error, Sources};

/// Settings of a submodule that are declared in one place.
///
/// The file is `$HOME/edeposit/SUBMODULE.json`, else `/etc/edeposit/SUBMODULE.json`; the environment variables
/// `EDEPOSIT_<SUBMODULE>_<NAME>` override it. Unknown names are warned of. A value of another type than declared, or beyond
/// its limits, is refused, whether the submodule reads it or not: going on with the default would be worse than not to
/// start. [`Declaration`] has an example.
pub trait Declared: Sized {
    /// The names, defaults and limits.
    const DECLARATION: &'static Declaration;

    /// Takes the values. That each is of its kind and within its limits has been checked; what is left to check here is
    /// how they go together, and forms that no kind knows, such as networks.
    ///
    /// # Errors
    /// A value does not do: [`Constants::invalid`] makes the error that names it and its place.
    fn from_constants(constants: &Constants) -> Result<Self, Error>;

    /// Reads the settings of this process. What is ignored in them is logged as a warning.
    ///
    /// # Errors
    /// The file cannot be read or holds no JSON object, or a value does not do.
    fn load() -> Result<Self, Error> {
        Self::load_sources(&Sources::of_process(None))
    }

    /// The same from other sources.
    ///
    /// # Errors
    /// As [`load`](Self::load); or an explicitly named file does not exist.
    fn load_sources(sources: &Sources) -> Result<Self, Error> {
        Ok(Self::read(sources)?.log_warnings())
    }
}

/// All that a daemon reads beside `amqp.json`: the [`Declared`] settings of one submodule, or of two.
pub trait OwnSettings: Sized {
    /// Reads them, and keeps what the operator can be told of them.
    ///
    /// # Errors
    /// As [`Declared::load`].
    fn read(sources: &Sources) -> Result<Loaded<Self>, Error>;
}

impl<D: Declared> OwnSettings for D {
    fn read(sources: &Sources) -> Result<Loaded<Self>, Error> {
        let constants = Constants::load(Names::Own(D::DECLARATION), sources)?;
        Ok(Loaded {
            settings: D::from_constants(&constants)?,
            constants: vec![constants],
        })
    }
}

impl<A: Declared, B: Declared> OwnSettings for (A, B) {
    fn read(sources: &Sources) -> Result<Loaded<Self>, Error> {
        let (a, b) = (A::read(sources)?, B::read(sources)?);
        Ok(Loaded {
            settings: (a.settings, b.settings),
            constants: [a.constants, b.constants].concat(),
        })
    }
}

/// Settings as they were read, and where each value comes from.
#[derive(Debug)]
pub struct Loaded<S> {
    /// The settings.
    pub settings: S,
    /// The constants that they were made of, one set a file. They have the warnings, and the
    /// [effective values](Constants::effective).
    pub constants: Vec<Constants>,
}

impl<S> Loaded<S> {
    /// The settings. What was ignored when they were read, and what is unsafe, is logged.
    pub fn log_warnings(self) -> S {
        for warning in self.constants.iter().flat_map(Constants::warnings) {
            tracing::warn!("{warning}");
        }
        self.settings
    }
}
