//! `start`, `stop`, `restart` and `status` in every state of the daemon and of its PID file.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Place, alive, finish, signal, wait_until};

const ALREADY: &str = "It looks like a daemon is already running!\n";
const NOTHING: &str = "There is no running instance to be stopped.\n";

#[test]
fn a_whole_life() {
    let place = Place::new();
    assert_eq!(place.run("status", &[]).expect(3).out, "not running\n");
    let pid = place.start(&[]);
    assert!(alive(pid));
    let status = place.run("status", &[]).expect(0).out;
    assert!(
        status.starts_with(&format!("running with pid {pid}, up ")) && status.ends_with(" s\n"),
        "{status}"
    );
    let stopped = place.run("stop", &[]).expect(0);
    assert_eq!((stopped.out.as_str(), stopped.err.as_str()), ("", ""));
    assert!(!alive(pid), "stop returns only when it has ended");
    assert!(!place.pid_file().exists());
    assert_eq!(place.events(), "body stopping finished on_exit ");
    assert_eq!(place.run("status", &[]).expect(3).out, "not running\n");
}

#[test]
fn started_twice() {
    let place = Place::new();
    let pid = place.start(&[]);
    for options in [&[][..], &["-f"]] {
        let said = place.run("start", options).expect(1);
        assert_eq!(said.out, ALREADY);
        assert!(
            said.err.contains(&format!("pid {pid} (")) && said.err.contains("/probe start "),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("--name") && said.err.contains("--pid-file"),
            "{}",
            said.err
        );
    }
    assert_eq!(place.pid(), pid);
    assert!(alive(pid));
}

#[test]
fn two_names_run_side_by_side() {
    let place = Place::new();
    let pid = place.start(&[]);
    place.run("start", &["name=other"]).expect(0);
    place.run("stop", &["name=other"]).expect(0);
    assert!(alive(pid), "only the other one was meant");
}

#[test]
fn stop_without_an_instance() {
    let place = Place::new();
    assert_eq!(place.run("stop", &[]).expect(0).out, NOTHING);
    assert!(!place.pid_file().exists());
    fs::write(place.pid_file(), "rubbish").unwrap();
    assert_eq!(place.run("stop", &[]).expect(0).out, NOTHING);
    assert!(
        !place.pid_file().exists(),
        "what was left behind is removed"
    );
}

#[test]
fn killed_then_started_again() {
    let place = Place::new();
    let pid = place.start(&[]);
    signal(pid, "KILL");
    wait_until("the kill", || !alive(pid));
    assert!(place.pid_file().exists());
    assert_eq!(place.run("status", &[]).expect(3).out, "not running\n");
    let next = place.start(&[]);
    assert_ne!(next, pid);
    signal(next, "KILL");
    wait_until("the kill", || !alive(next));
    assert_eq!(place.run("stop", &[]).expect(0).out, NOTHING);
    assert!(!place.pid_file().exists());
}

#[test]
fn restart_of_a_running_and_of_no_daemon() {
    let place = Place::new();
    let said = place.run("restart", &[]).expect(0);
    let first = place.pid();
    assert_eq!(
        (said.out.as_str(), said.err),
        ("", format!("started with pid {first}\nat your service\n"))
    );
    let said = place.run("restart", &["mode=slow"]).expect(0);
    let second = place.pid();
    assert_eq!(
        said.err,
        format!("started with pid {second}\nat your service\n")
    );
    assert!(first != second && !alive(first) && alive(second));
    place.run("restart", &[]).expect(0);
    assert!(!alive(second), "a daemon that takes its time is waited for");
    assert_eq!(place.events().matches("on_exit").count(), 2);
}

#[test]
fn a_restart_that_cannot_succeed_leaves_the_old_daemon_alone() {
    let place = Place::new();
    let pid = place.start(&[]);
    fs::rename(place.path("probe.log"), place.path("old.log")).unwrap();
    symlink("/dev/null", place.path("probe.log")).unwrap();
    let said = place.run("restart", &[]).expect(1);
    assert!(
        said.err.contains("log file") && said.err.contains("--log-file"),
        "{}",
        said.err
    );
    assert!(alive(pid));
}

#[test]
fn restart_in_the_foreground_replaces_the_old_daemon() {
    let place = Place::new();
    let pid = place.start(&[]);
    let mut child = place.command("restart", &["-f"]).spawn().unwrap();
    wait_until("the new one", || {
        place.pid_file().exists()
            && fs::read_to_string(place.pid_file()).unwrap() == format!("{}\n", child.id())
    });
    assert!(!alive(pid));
    place.run("stop", &[]).expect(0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn many_starts_at_once_and_exactly_one_runs() {
    for _ in 0..20 {
        let place = Place::new();
        let starts: Vec<_> = (0..2)
            .map(|_| {
                let command = place.command("start", &[]);
                std::thread::spawn(move || finish(command))
            })
            .collect();
        let said: Vec<_> = starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect();
        let mut codes: Vec<_> = said.iter().map(|said| said.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1], "{said:?}");
        assert_eq!(
            said.iter().find(|said| said.code == 1).unwrap().out,
            ALREADY
        );
        assert_eq!(place.events(), "body ");
        place.run("stop", &[]).expect(0);
    }
}

#[test]
fn starts_stops_and_status_at_once_do_not_trip_over_each_other() {
    let place = Place::new();
    let deadline = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for action in ["start", "stop", "status", "restart"] {
            let place = &place;
            scope.spawn(move || {
                while Instant::now() < deadline {
                    let said = place.run(action, &[]);
                    let expected: &[i32] = match action {
                        "status" => &[0, 3],
                        "stop" => &[0],
                        // Another one was quicker, or somebody ended this one before it was ready.
                        _ => &[0, 1],
                    };
                    assert!(expected.contains(&said.code), "{action}: {said:?}");
                }
            });
        }
    });
    place.run("stop", &[]).expect(0);
    assert!(!place.pid_file().exists());
    let (bodies, exits) = (
        place.events().matches("body").count(),
        place.events().matches("on_exit").count(),
    );
    assert!(bodies > 0);
    // Signalled twice, by stop and by restart, a daemon ends at once, without on_exit.
    assert!(exits <= bodies, "{}", place.events());
}

#[test]
fn a_recycled_pid_is_not_signalled() {
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

#[test]
fn a_symbolic_link_is_refused() {
    refused("symbolic link", |place| {
        fs::write(place.path("target"), "1\n").unwrap();
        symlink(place.path("target"), place.pid_file()).unwrap();
    });
}

#[test]
fn a_fifo_is_refused_and_does_not_block() {
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

#[test]
fn a_hard_link_is_refused() {
    refused("hard link", |place| {
        fs::write(place.path("target"), "1\n").unwrap();
        fs::hard_link(place.path("target"), place.pid_file()).unwrap();
    });
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    refused("mode 0666", |place| {
        fs::write(place.pid_file(), "1\n").unwrap();
        fs::set_permissions(place.pid_file(), fs::Permissions::from_mode(0o666)).unwrap();
    });
}

#[test]
fn a_rubbish_file_does_not_block_a_start() {
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
    // Only root can become another user.
    if !rustix::process::geteuid().is_root() {
        return;
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
