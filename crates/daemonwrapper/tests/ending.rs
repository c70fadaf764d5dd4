//! How the daemon ends: exit codes, one signal and a second one, the drain time.

mod common;

use std::fs;
use std::time::Duration;

use common::{Place, alive, signal, wait_until};

#[test]
fn exit_codes_and_panics_of_other_threads() {
    let code = |mode: &str| {
        let place = Place::new();
        let said = place.run("start", &["-f", mode]);
        assert!(!place.pid_file().exists());
        (said.code, said.err)
    };
    assert_eq!(code("mode=fail").0, 1);
    let (own, log) = code("mode=fail-75");
    assert_eq!(own, 75);
    assert!(log.contains("told to fail with 75"), "{log}");
    let (panicked, log) = code("mode=panic");
    assert_eq!(panicked, 101);
    assert!(
        log.contains("ERROR")
            && log.contains("panic in thread main at ")
            && log.contains("told to panic"),
        "{log}"
    );

    let place = Place::new();
    let pid = place.start(&["mode=panic-in-thread"]);
    wait_until("the panic in the log", || {
        place.log().contains("panic in thread helper at ")
    });
    assert!(alive(pid));
}

/// SIGTERM, SIGINT, SIGQUIT: each ends it with code 0 when the work in hand is done.
#[test]
fn fault_40_each_of_the_three_signals_ends_it_in_order() {
    for name in ["TERM", "INT", "QUIT"] {
        let place = Place::new();
        let mut probe = place.foreground(&["mode=slow"]);
        assert_eq!(
            fs::read_to_string(place.pid_file()).unwrap(),
            format!("{}\n", probe.child.id())
        );
        assert!(
            probe.log().contains("running in the foreground with pid"),
            "{}",
            probe.log()
        );
        signal(probe.child.id(), name);
        assert_eq!(probe.code(), 0);
        assert_eq!(place.events(), "body stopping finished on_exit ");
        assert!(!place.pid_file().exists());
    }
}

/// A second signal: the end at once, with the signal's code.
#[test]
fn fault_40_a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let mut probe = place.foreground(&["mode=deaf"]);
    signal(probe.child.id(), "TERM");
    wait_until("the first signal", || place.events().contains("stopping"));
    signal(probe.child.id(), "INT");
    assert_eq!(probe.code(), 128 + 2);
    assert!(!place.pid_file().exists());
    assert!(!place.events().contains("on_exit"));
}

/// SIGTERM twice at once is one request; a later one insists.
#[test]
fn fault_40_sigterm_at_once_again_is_the_same_request_and_later_insists() {
    let place = Place::new();
    let mut probe = place.foreground(&["mode=deaf"]);
    let pid = probe.child.id();
    // Both wait for it when it goes on, so that SIGTERM follows at once however busy the machine is.
    for name in ["STOP", "INT", "TERM", "CONT"] {
        signal(pid, name);
    }
    wait_until("the first signal", || place.events().contains("stopping"));
    // Time is what makes a signal a later one.
    std::thread::sleep(Duration::from_millis(1200));
    assert!(alive(pid), "the second signal has ended it");
    signal(pid, "TERM");
    assert_eq!(probe.code(), 128 + 15);
}

/// Work that does not end: broken off after the drain time, code 75.
#[test]
fn fault_40_the_drain_time_is_a_bound() {
    let place = Place::new();
    let mut probe = place.foreground(&["mode=deaf", "drain=0.1"]);
    let said = place.run("stop", &["drain=0.1"]).expect(0);
    assert!(said.err.starts_with("waiting for pid "), "{}", said.err);
    assert_eq!(probe.code(), 75);
    assert!(!place.pid_file().exists());
    assert!(probe.log().contains("breaking off"), "{}", probe.log());
}

#[test]
fn one_that_does_not_end_is_reported_and_killed_only_by_force() {
    let place = Place::new();
    let pid = place.start(&[]);
    signal(pid, "STOP");
    // Ten seconds longer than the drain time of the command.
    let said = place.run("stop", &["drain=0"]).expect(1);
    assert!(
        said.err.contains(&format!(
            "the daemon with pid {pid} has not ended within 10 s"
        )),
        "{}",
        said.err
    );
    assert!(alive(pid));
    let said = place.run("stop", &["drain=0", "--force"]).expect(0);
    assert!(
        said.err.contains(&format!("killing pid {pid}")),
        "{}",
        said.err
    );
    assert!(!alive(pid) && !place.pid_file().exists());
}
