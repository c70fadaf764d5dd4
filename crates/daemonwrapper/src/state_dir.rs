//! Where a daemon keeps what has to outlive it.

use std::env;
use std::path::PathBuf;

/// `$STATE_DIRECTORY`, which systemd sets; else `/var/lib/edeposit` for root; else `~/.local/state/edeposit`. None: there is no
/// home directory.
#[must_use]
pub fn state_dir() -> Option<PathBuf> {
    if let Some(directories) = env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()) {
        // Several are separated by colons.
        return env::split_paths(&directories).next();
    }
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/edeposit"));
    }
    of_user()
}

/// `edeposit` in the user's directory for such things, `~/.local/state`.
pub(crate) fn of_user() -> Option<PathBuf> {
    dirs::state_dir().map(|state| state.join("edeposit"))
}
