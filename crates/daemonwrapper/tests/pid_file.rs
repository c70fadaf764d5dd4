//! The PID file: whatever stands in its place, whoever owns it, what may be signalled.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;

use edeposit_testkit::skip;

use common::{ALREADY, NOTHING, Place, alive, finish, wait_until};

#[test]
fn a_pid_file_that_vanishes_is_made_anew() {
    let place = Place::new();
    let pid = place.start(&["watch=0.05"]);
    fs::remove_file(place.pid_file()).unwrap();
    wait_until("the new file", || {
        fs::read_to_string(place.pid_file()).is_ok_and(|text| text == format!("{pid}\n"))
    });
    wait_until("the log", || place.log().contains("made anew"));
    assert_eq!(
        place.run("start", &["watch=0.05"]).expect(1).out,
        ALREADY,
        "it is found again"
    );
    place.run("stop", &[]).expect(0);
    assert!(!alive(pid) && !place.pid_file().exists());
}

#[test]
fn of_two_daemons_with_one_pid_file_the_one_that_lost_it_ends() {
    let place = Place::new();
    let first = place.start(&["watch=2"]);
    fs::remove_file(place.pid_file()).unwrap();
    let second = place.start(&[]);
    wait_until("the end of the first", || !alive(first));
    assert!(
        place.log().contains("is now that of another daemon"),
        "{}",
        place.log()
    );
    assert!(alive(second));
    assert_eq!(place.pid(), second);
}

#[test]
fn a_lock_of_a_stranger_keeps_nobody_from_anything() {
    let place = Place::new();
    fs::write(place.pid_file(), "1\n").unwrap();
    let mut stranger = Command::new("flock")
        .arg(place.pid_file())
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    let held = || {
        let file = fs::File::open(place.pid_file()).unwrap();
        file.try_lock().is_err()
    };
    wait_until("the stranger's lock", held);
    place.run("status", &[]).expect(3);
    place.start(&[]);
    place.run("stop", &[]).expect(0);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// The PID file names a stranger's process: nobody signals it, and a start works.
#[test]
fn fault_42_a_recycled_pid_is_not_signalled() {
    let place = Place::new();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    let write = || fs::write(place.pid_file(), format!("{}\n", stranger.id())).unwrap();
    write();
    assert_eq!(place.run("status", &[]).expect(3).out, "not running\n");
    assert_eq!(place.run("stop", &[]).expect(0).out, NOTHING);
    write();
    place.run("restart", &[]).expect(0);
    place.run("stop", &[]).expect(0);
    write();
    place.start(&[]);
    // Locked by a living daemon, but naming another process: still not the stranger's business.
    write();
    let said = place.run("stop", &[]).expect(1);
    assert!(said.err.contains("does not name"), "{}", said.err);
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_python_original_runs_and_can_be_stopped() {
    let place = Place::new();
    let script = place.path("python_edeposit_amqp_test");
    symlink("/bin/sleep", &script).unwrap();
    let mut original = Command::new(&script).arg("60").spawn().unwrap();
    let command_line = format!("/proc/{}/cmdline", original.id());
    wait_until("its command line", || {
        !fs::read(&command_line).unwrap().is_empty()
    });
    fs::write(place.pid_file(), format!("{}\n", original.id())).unwrap();
    let said = place.run("start", &[]).expect(1);
    assert_eq!(said.out, ALREADY);
    assert!(
        said.err.contains(&format!("pid {} (", original.id())),
        "{}",
        said.err
    );
    place.run("status", &[]).expect(0);
    place.run("stop", &[]).expect(0);
    assert!(
        original.wait().unwrap().code().is_none(),
        "ended by the signal"
    );
    assert!(!place.pid_file().exists());
}

/// Puts something in the way and sees that every command refuses it, saying why, and leaves it as it is.
fn refused(reason: &str, in_the_way: impl FnOnce(&Place)) {
    let place = Place::new();
    in_the_way(&place);
    let before = fs::symlink_metadata(place.pid_file()).unwrap();
    for (action, code) in [("start", 1), ("stop", 4), ("restart", 4), ("status", 4)] {
        let said = place.run(action, &[]).expect(code);
        assert!(
            said.err.contains(reason) && said.err.contains("--pid-file"),
            "{action}: {}",
            said.err
        );
        assert_eq!(said.out, "");
    }
    let after = fs::symlink_metadata(place.pid_file()).unwrap();
    assert_eq!(
        (before.ino(), before.mode(), before.mtime_nsec()),
        (after.ino(), after.mode(), after.mtime_nsec())
    );
    assert_eq!(place.events(), "");
}

/// The PID file is a link: refused, its target untouched.
#[test]
fn fault_44_a_symbolic_link_is_refused() {
    refused("symbolic link", |place| {
        fs::write(place.path("target"), "1\n").unwrap();
        symlink(place.path("target"), place.pid_file()).unwrap();
    });
}

/// The PID file is a directory: refused.
#[test]
fn fault_44_a_directory_is_refused() {
    refused("no regular file", |place| {
        fs::create_dir(place.pid_file()).unwrap();
    });
}

/// The PID file is another user's: refused, for its writer could have any process signalled.
#[test]
fn fault_44_another_users_file_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can give files away");
    }
    let place = Place::new();
    fs::write(place.pid_file(), "1\n").unwrap();
    std::os::unix::fs::chown(place.pid_file(), Some(65_534), Some(65_534)).unwrap();
    for (action, code) in [("start", 1), ("stop", 4), ("restart", 4)] {
        let said = place.run(action, &[]).expect(code);
        assert!(said.err.contains("belongs to user 65534"), "{}", said.err);
    }
    assert_eq!(fs::read_to_string(place.pid_file()).unwrap(), "1\n");
    assert_eq!(place.events(), "");
}

/// The PID file is a pipe: refused, and nobody waits for its other end.
#[test]
fn fault_44_a_fifo_is_refused_and_does_not_block() {
    refused("no regular file", |place| {
        assert!(
            Command::new("mkfifo")
                .args(["-m", "600"])
                .arg(place.pid_file())
                .status()
                .unwrap()
                .success()
        );
    });
}

/// The PID file has another name: refused.
#[test]
fn fault_44_a_hard_link_is_refused() {
    refused("hard link", |place| {
        fs::write(place.path("target"), "1\n").unwrap();
        fs::hard_link(place.path("target"), place.pid_file()).unwrap();
    });
}

/// The PID file has mode 0666: refused.
#[test]
fn fault_44_a_file_that_others_may_write_is_refused() {
    refused("mode 0666", |place| {
        fs::write(place.pid_file(), "1\n").unwrap();
        fs::set_permissions(place.pid_file(), fs::Permissions::from_mode(0o666)).unwrap();
    });
}

/// Others may rename files beside the PID file: refused.
#[test]
fn fault_44_a_place_that_others_may_write_to_is_refused() {
    let place = Place::new();
    let pid = place.start(&[]);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    for action in ["stop", "restart"] {
        let said = place.run(action, &[]).expect(4);
        assert!(said.err.contains("no sticky bit"), "{}", said.err);
    }
    assert!(alive(pid));
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    place.run("stop", &[]).expect(0);
}

/// The directory of the PID file is missing: a start says so.
#[test]
fn fault_45_without_its_directory_nothing_runs() {
    let place = Place::new();
    let missing = |action: &str| {
        let mut command = place.command(action, &["default-pid"]);
        command.env("RUNTIME_DIRECTORY", place.path("missing"));
        finish(command)
    };
    assert_eq!(missing("stop").expect(0).out, NOTHING);
    missing("status").expect(3);
    missing("start").expect(1);
}

/// The PID file holds rubbish: a start works.
#[test]
fn fault_42_a_rubbish_file_does_not_block_a_start() {
    let place = Place::new();
    for rubbish in ["", "-1\n", "rubbish\n", "1\n", "999999999999\n"] {
        fs::write(place.pid_file(), rubbish).unwrap();
        place.run("status", &[]).expect(3);
        place.start(&[]);
        place.run("stop", &[]).expect(0);
    }
}

#[test]
fn the_default_place_is_the_runtime_directory_if_there_is_one() {
    let place = Place::new();
    let with_runtime = |action: &str| {
        let mut command = place.command(action, &["default-pid", "default-log"]);
        command
            .env("RUNTIME_DIRECTORY", place.path("run"))
            .env("XDG_STATE_HOME", place.path("state"));
        finish(command)
    };
    fs::create_dir(place.path("run")).unwrap();
    if rustix::process::geteuid().is_root() {
        // The default log of root would be written outside of this place.
        let mut command = place.command("start", &["default-pid"]);
        command.env(
            "RUNTIME_DIRECTORY",
            format!("{}:/other", place.path("run").display()),
        );
        finish(command).expect(0);
    } else {
        with_runtime("start").expect(0);
        assert!(place.path("state/edeposit/probe.log").exists());
    }
    assert!(place.path("run/probe.pid").exists());
    with_runtime("stop").expect(0);
    assert!(!place.path("run/probe.pid").exists());
}

#[test]
fn another_user_may_ask_but_not_act() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become another user");
    }
    let place = Place::new();
    let pid = place.start(&[]);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(common::program(), place.path("probe")).unwrap();
    let as_nobody = |action: &str| {
        let mut command = Command::new(place.path("probe"));
        command
            .arg(action)
            .arg(place.path(""))
            .uid(65_534)
            .gid(65_534);
        finish(command)
    };
    let status = as_nobody("status").expect(0).out;
    assert!(
        status.starts_with(&format!("running with pid {pid}, up ")),
        "{status}"
    );
    let said = as_nobody("stop").expect(4);
    assert!(said.err.contains("belongs to user 0"), "{}", said.err);
    as_nobody("start").expect(1);
    assert!(alive(pid));
}

#[test]
fn status_of_another_users_daemon_where_proc_hides_it() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can mount /proc and become another user");
    }
    let place = Place::new();
    let pid = place.start(&[]);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(common::program(), place.path("probe")).unwrap();
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc || exit 99
         exec setpriv --reuid=65534 --regid=65534 --clear-groups '{0}/probe' status '{0}'",
        place.path("").display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    let said = finish(command);
    if said.code == 99 || said.err.contains("unshare") {
        return skip(&format!("/proc cannot be mounted here: {}", said.err));
    }
    assert_eq!(
        said.expect(0).out,
        format!("running with pid {pid}\n"),
        "and nothing is known of how long"
    );
}
