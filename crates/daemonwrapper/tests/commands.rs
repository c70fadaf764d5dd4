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

/// `status` shows the daemon's own words as a second line: those of the daemon that runs, and nobody else's.
#[test]
fn status_tells_how_the_daemon_stands() {
    let place = Place::new();
    let file = place.path("state").join("probe.status");
    let second_line = || {
        let said = place.run("status", &["status"]).expect(0).out;
        said.lines().nth(1).map(str::to_owned)
    };
    let pid = place.start(&["status"]);
    assert!(
        second_line().is_some_and(|line| line.starts_with("at your service for ")),
        "{:?}",
        second_line()
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&pid.to_string(), "1")).unwrap();
    assert_eq!(second_line(), None, "another process's words");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(second_line(), None, "anybody's words");

    signal(pid, "KILL");
    wait_until("the kill", || !alive(pid));
    let status = place.run("status", &["status"]).expect(3);
    assert_eq!(status.out, "not running\n", "a dead process's words");
    place.start(&[]);
    assert_eq!(second_line(), None, "a dead process's words");
    place.run("restart", &["status"]).expect(0);
    assert!(second_line().is_some());
    place.run("stop", &["status"]).expect(0);
    assert!(!file.exists());
}

/// The directory for the status file cannot be made: the daemon runs without it.
#[test]
fn a_status_that_cannot_be_written_does_no_harm() {
    let place = Place::new();
    fs::write(place.path("state"), "in the way").unwrap();
    let pid = place.start(&["status"]);
    let status = place.run("status", &["status"]).expect(0).out;
    assert_eq!(status.lines().count(), 1, "{status}");
    assert!(place.log().contains("cannot write the status file"));
    assert!(alive(pid));
    place.run("stop", &["status"]).expect(0);
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

/// kill -9: the PID file that is left behind stands in nobody's way.
#[test]
fn fault_41_killed_then_started_again() {
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

/// Two `start` at the same time, 50 times: one runs, the other says so in the original's words.
#[test]
fn fault_43_two_starts_at_once_and_exactly_one_runs() {
    for _ in 0..50 {
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
    let events = place.events();
    let bodies = events.matches("body").count();
    assert!(bodies > 0);
    assert!(!events.contains("beside-another"), "{events}");
    // None was broken off, though `stop` and `restart` have told many of them to end at the same time.
    assert_eq!(events.matches("on_exit").count(), bodies, "{events}");
}

#[test]
fn a_second_stop_only_waits() {
    let place = Place::new();
    let pid = place.start(&["mode=slower"]);
    let first = place.command("stop", &[]);
    let first = std::thread::spawn(move || finish(first));
    wait_until("the first one", || place.events().contains("stopping"));
    // Later than what the daemon takes for the same request.
    std::thread::sleep(Duration::from_millis(1100));
    assert!(alive(pid));
    place.run("stop", &[]).expect(0);
    first.join().unwrap().expect(0);
    assert!(!alive(pid));
    assert_eq!(place.events(), "body stopping finished on_exit ");
}

#[test]
fn a_daemon_that_could_not_come_back_is_not_taken_down() {
    let place = Place::new();
    let said = place.run("start", &["unfit"]).expect(1);
    assert_eq!(
        said.err,
        "the daemon cannot start: the probe was told to be unfit\n"
    );
    assert!(!place.pid_file().exists());
    assert_eq!(place.events(), "");

    let pid = place.start(&[]);
    for (option, reason) in [("unfit", "told to be unfit"), ("early-thread", "threads")] {
        let said = place.run("restart", &[option]).expect(1);
        assert!(said.err.contains(reason), "{}", said.err);
        let left = format!("The daemon that runs, with pid {pid}, was left alone.");
        assert!(said.err.contains(&left), "{}", said.err);
        assert!(alive(pid));
    }
    let refusals = place.log().matches("told to be unfit").count();
    assert_eq!(refusals, 2, "for whoever reads only the log");
    place.run("stop", &["unfit"]).expect(0);
}

#[test]
fn check_changes_nothing_and_start_shows_its_warnings() {
    let place = Place::new();
    let warning = "warning: the probe was told to warn\n";
    let said = place.run("check", &["unfit"]).expect(1);
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        (
            "",
            "the daemon cannot start: the probe was told to be unfit\n"
        )
    );
    let said = place.run("check", &["warns"]).expect(0);
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("the daemon can start\n", warning)
    );
    assert!(!place.pid_file().exists());

    let said = place.run("start", &["warns"]).expect(0);
    let pid = place.pid();
    let started = format!("started with pid {pid}\nat your service\n");
    assert_eq!(said.err, started + warning);
    place.run("check", &["warns"]).expect(0);
    assert!(alive(pid));
    let said = place.run("restart", &["warns"]).expect(0);
    assert!(said.err.ends_with(warning), "{}", said.err);
}

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
        return eprintln!("not checked: only root can give files away");
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
        return eprintln!("not checked: only root can become another user");
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
        return eprintln!("not checked: only root can mount /proc and become another user");
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
    let begin = Instant::now();
    let said = finish(command);
    if said.code == 99 || said.err.contains("unshare") {
        return eprintln!("not checked: /proc cannot be mounted here: {}", said.err);
    }
    assert_eq!(
        said.expect(0).out,
        format!("running with pid {pid}\n"),
        "and nothing is known of how long"
    );
    assert!(begin.elapsed() < Duration::from_secs(2));
}
