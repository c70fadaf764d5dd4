//! Requests carried out on a tree in a temporary directory, and what goes wrong in between.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::Tree;
use edeposit_ftp_manager::messages::{Request, Response, Userlist};
use edeposit_ftp_manager::{Manager, ManagerError};
use edeposit_testkit::skip;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::json;

fn add(name: &str, password: &str) -> Request {
    Request::AddUser {
        username: name.to_owned(),
        password: json!(password),
    }
}

fn remove(name: &str) -> Request {
    Request::RemoveUser {
        username: name.to_owned(),
    }
}

fn homes(tree: &Tree) -> usize {
    fs::read_dir(&tree.settings.data_path).unwrap().count()
}

fn users(manager: &Manager) -> Vec<String> {
    match manager.carry_out(Request::ListRegisteredUsers, false) {
        Ok(Response::Userlist(Userlist { users })) => users,
        other => panic!("{other:?}"),
    }
}

/// A request that was carried out, but whose answer got lost, does no harm when it comes again.
#[test]
fn delivered_again() {
    let tree = Tree::new();
    let manager = Manager::new(tree.settings.clone());
    let done = |request, again| {
        assert_eq!(
            manager.carry_out(request, again).unwrap(),
            Response::Done(true)
        );
    };
    done(add("argo", "heslo"), true);
    let file = fs::read(&tree.settings.login_file).unwrap();
    done(add("argo", "heslo"), true);
    assert_eq!(fs::read(&tree.settings.login_file).unwrap(), file);
    // not the same request
    for (password, again) in [("heslo", false), ("jine", true)] {
        let refused = manager.carry_out(add("argo", password), again);
        assert!(matches!(refused, Err(ManagerError::AlreadyRegistered(_))));
    }
    done(remove("argo"), false);
    done(remove("argo"), true);
    let refused = manager.carry_out(remove("argo"), false);
    assert!(matches!(refused, Err(ManagerError::NotFound(_))));
    // died after the account was gone, before the home was
    fs::create_dir_all(tree.settings.data_path.join("argo/k")).unwrap();
    done(remove("argo"), true);
    assert_eq!(homes(&tree), 0);
    assert_eq!(
        fs::read_dir(tree.settings.state_path.join("locks"))
            .unwrap()
            .count(),
        0
    );
}

/// A user without home there is none, and no home of nobody either.
#[test]
fn a_write_that_fails_leaves_nothing() {
    let tree = Tree::new();
    let manager = Manager::new(tree.settings.clone());
    // the new file cannot be made in the place of a directory
    let new = tree.settings.conf_path.join("ftpd.passwd.new");
    fs::create_dir(&new).unwrap();
    assert!(manager.carry_out(add("argo", "heslo"), false).is_err());
    assert_eq!((homes(&tree), users(&manager).len()), (0, 0));
    fs::remove_dir(&new).unwrap();
    // no home can be made
    fs::write(tree.settings.data_path.join("argo"), "x").unwrap();
    assert!(manager.carry_out(add("argo", "heslo"), false).is_err());
    assert_eq!((homes(&tree), users(&manager).len()), (1, 0));
    // a home that was there before stays if something goes wrong
    fs::create_dir(tree.settings.data_path.join("host")).unwrap();
    fs::create_dir(&new).unwrap();
    assert!(manager.carry_out(add("host", "heslo"), false).is_err());
    assert!(tree.settings.data_path.join("host").exists());
}

/// Deeper than any path can be named, with links, pipes and directories that are closed; nothing outside is touched.
#[test]
fn any_tree_is_removed() {
    let tree = Tree::new();
    let manager = Manager::new(tree.settings.clone());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "x").unwrap();
    manager.carry_out(add("argo", "heslo"), false).unwrap();
    let home = tree.settings.data_path.join("argo");
    symlink(outside.path(), home.join("link")).unwrap();
    symlink(outside.path(), home.join("+1")).unwrap();
    symlink("/nowhere", home.join("broken")).unwrap();
    rustix::fs::mkfifoat(CWD, home.join("pipe"), Mode::RWXU).unwrap();
    for name in ["a/b/c", "a/b/d", "closed/below", "+2/+3"] {
        fs::create_dir_all(home.join(name)).unwrap();
        fs::write(home.join(name).join("file"), "x").unwrap();
    }
    for number in 0..5000 {
        fs::write(home.join(format!("a/{number}")), "").unwrap();
    }
    fs::set_permissions(
        home.join("closed"),
        std::os::unix::fs::PermissionsExt::from_mode(0o555),
    )
    .unwrap();
    let mut here = rustix::fs::open(&home, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let name = "d".repeat(200);
    for _ in 0..2000 {
        mkdirat(&here, &name, Mode::RWXU).unwrap();
        here = openat(&here, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    drop(here);
    manager.carry_out(remove("argo"), false).unwrap();
    assert_eq!((homes(&tree), users(&manager).len()), (0, 0));
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"x");
}

/// Defect 11: what cannot be removed is told. The account is gone all the same, and nobody inherits the rest.
#[test]
fn what_is_left_is_told() {
    let tree = Tree::new();
    let manager = Manager::new(tree.settings.clone());
    manager.carry_out(add("argo", "heslo"), false).unwrap();
    let home = tree.settings.data_path.join("argo");
    fs::create_dir_all(home.join("k/l")).unwrap();
    fs::write(home.join("k/l/book.pdf"), "x").unwrap();
    fs::write(home.join("k/stays"), "x").unwrap();
    if !immutable(&home.join("k/stays"), true) {
        return skip(
            "only root can mark files as immutable, where the file system has such a mark",
        );
    }
    let told = manager.carry_out(remove("argo"), false).unwrap_err();
    assert!(matches!(told, ManagerError::HomeLeft { .. }), "{told}");
    assert!(told.to_string().contains("k/stays"), "{told}");
    assert_eq!(users(&manager).len(), 0);
    assert!(!home.exists());
    manager.carry_out(add("argo", "nove"), false).unwrap();
    assert!(!home.join("k").exists());
    let left = fs::read_dir(&tree.settings.data_path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path != &home)
        .unwrap();
    assert!(!left.join("k/l").exists());
    assert!(immutable(&left.join("k/stays"), false));
    // the next removal takes the rest of the earlier one too
    manager.carry_out(remove("argo"), false).unwrap();
    assert_eq!(homes(&tree), 0);
}

fn immutable(path: &Path, on: bool) -> bool {
    std::process::Command::new("chattr")
        .arg(if on { "+i" } else { "-i" })
        .arg(path)
        .status()
        .is_ok_and(|status| status.success())
}
