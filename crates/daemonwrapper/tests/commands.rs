//! `start`, `stop`, `restart` and `status` in every state of the daemon.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use common::{ALREADY, NOTHING, Place, alive, finish, signal, wait_until};

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
    // It is written when the daemon is ready, which `start` has just heard.
    let at_service = || second_line().is_some_and(|line| line.starts_with("at your service for "));
    wait_until("the status to be written", at_service);
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
    wait_until("the status to be written", at_service);
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
    wait_until("the log to tell it", || {
        place.log().contains("cannot write the status file")
    });
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
    const ROUNDS: usize = 30;
    let place = Place::new();
    std::thread::scope(|scope| {
        for action in ["start", "stop", "status", "restart"] {
            let place = &place;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
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
