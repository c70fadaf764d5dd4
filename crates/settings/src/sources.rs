//! Where to look for settings: the outside world of this crate, in one value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The places where settings are looked for. [`Sources::of_process`] is what programs use;
/// tests make their own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The home directory, in which `edeposit/<file>` is looked for first.
    pub home: Option<PathBuf>,
    /// The system's directory, `/etc`, in which `edeposit/<file>` is looked for next.
    pub etc: PathBuf,
    /// The environment variables.
    pub env: BTreeMap<String, OsString>,
    /// A file to use instead of the two; it must exist.
    pub explicit: Option<PathBuf>,
}

impl Sources {
    /// `HOME`, `/etc` and the environment of this process; `explicit` is the file that the
    /// command line names, if it does.
    ///
    /// As with the original, an unset `HOME` is not made up for from the user database.
    #[must_use]
    pub fn of_process(explicit: Option<&Path>) -> Self {
        Sources {
            home: std::env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from),
            etc: PathBuf::from("/etc"),
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            explicit: explicit.map(Path::to_path_buf),
        }
    }

    /// Nothing but the defaults.
    #[must_use]
    pub fn none() -> Self {
        Sources::default()
    }

    /// The file to read, if there is one. It need not be readable, nor even exist if it was named
    /// explicitly: reading tells. With it, a warning for each place that could not be looked at.
    ///
    /// Such a place is passed over, as by the original: a daemon that runs as another user may still
    /// have root's `HOME`.
    pub(crate) fn find(&self, file_name: &str) -> (Option<PathBuf>, Vec<String>) {
        let mut warnings = Vec::new();
        if let Some(path) = &self.explicit {
            return (Some(path.clone()), warnings);
        }
        let etc = Some(&self.etc).filter(|etc| !etc.as_os_str().is_empty());
        let file = [self.home.as_ref(), etc]
            .into_iter()
            .flatten()
            .map(|directory| directory.join("edeposit").join(file_name))
            .find(|path| match path.try_exists() {
                Ok(exists) => exists,
                // A directory on the way that is none, such as a `HOME` of /dev/null: no file.
                Err(error) if error.kind() == ErrorKind::NotADirectory => false,
                Err(error) => {
                    let path = path.display();
                    warnings.push(format!(
                        "cannot look whether there is a {path}, going on without it: {error}"
                    ));
                    false
                }
            });
        (file, warnings)
    }
}
