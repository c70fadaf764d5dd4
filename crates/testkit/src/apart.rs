//! A mount namespace of a command's own, in which it may mount small, full or read-only file systems.

use std::process::Command;

/// `unshare` with the options by which a command can mount something here that nobody else sees; program and arguments are
/// to be added. Root of a container may do so itself or only in a user namespace, other users only there. None: neither is
/// allowed, or there is no `unshare`.
pub fn mount_namespace() -> Option<Command> {
    let options = ["--user --map-root-user --mount", "--mount"];
    let unshare = |options: &str| {
        let mut command = Command::new("unshare");
        command.args(options.split(' '));
        command
    };
    let is_allowed = |options: &&str| {
        let mount = ["mount", "-t", "tmpfs", "none", "/mnt"];
        let tried = unshare(options).args(mount).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    options.into_iter().find(is_allowed).map(unshare)
}
