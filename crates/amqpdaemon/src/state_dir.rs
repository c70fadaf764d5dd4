//! Where a daemon keeps what has to outlive it.

use std::env;
use std::path::PathBuf;

/// `$STATE_DIRECTORY`, which systemd sets; else `/var/lib/edeposit` for root; else `edeposit` in the user's directory for
/// such things, `~/.local/state`. None: there is no home directory.
pub(crate) fn state_dir() -> Option<PathBuf> {
    if let Some(directories) = env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()) {
        // Several are separated by colons.
        return env::split_paths(&directories).next();
    }
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/edeposit"));
    }
    dirs::state_dir().map(|state| state.join("edeposit"))
}
