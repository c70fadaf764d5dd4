//! What kind of process the daemon is, how its start is reported, and where its log goes.

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use edeposit_testkit::PATIENCE;

use common::{Place, alive, finish, signal, wait_until};

fn proc(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

fn status_field(pid: u32, field: &str) -> String {
    let status = proc(pid, "status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

#[test]
fn it_is_a_proper_daemon() {
    let place = Place::new();
    let mut start = Command::new("sh");
    let probe = format!(
        "umask 077; ulimit -c unlimited 2>/dev/null; exec '{}' start '{}'",
        common::program().display(),
        place.path("").display()
    );
    start.args(["-c", &probe]).stdin(Stdio::null());
    finish(start).expect(0);
    let pid = place.pid();

    let meta = fs::metadata(place.pid_file()).unwrap();
    assert_eq!(
        fs::read_to_string(place.pid_file()).unwrap(),
        format!("{pid}\n")
    );
    assert_eq!(meta.mode() & 0o7777, 0o644, "whatever the caller's umask");

    assert_eq!(
        fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(),
        Some("/")
    );
    assert_eq!(status_field(pid, "Umask"), "0027");
    let stat = proc(pid, "stat");
    let fields: Vec<i64> = stat[stat.rfind(')').unwrap() + 4..]
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(-1))
        .collect();
    let [parent, group, session, terminal] = fields[..4] else {
        panic!("{stat}")
    };
    assert_ne!(
        parent,
        i64::from(std::process::id()),
        "the caller is not its parent"
    );
    assert_eq!(group, session);
    assert_ne!(
        session,
        i64::from(pid),
        "no session leader, so it can never get a terminal"
    );
    assert!(
        !alive(u32::try_from(session).unwrap()),
        "the leader of the session is gone"
    );
    assert_eq!(terminal, 0);
    for fd in 0..3 {
        assert_eq!(
            fs::read_link(format!("/proc/{pid}/fd/{fd}"))
                .unwrap()
                .to_str(),
            Some("/dev/null")
        );
    }
    let limits = proc(pid, "limits");
    let core: Vec<_> = limits
        .lines()
        .find(|line| line.starts_with("Max core"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(core[4..6], ["0", "0"], "no core dumps");

    let caught = u64::from_str_radix(&status_field(pid, "SigCgt"), 16).unwrap();
    for number in [1, 2, 3, 15, 20, 21, 22] {
        assert!(
            caught & (1 << (number - 1)) != 0,
            "signal {number} is caught"
        );
    }
    assert_eq!(status_field(pid, "SigBlk"), "0000000000000000");

    for name in ["TSTP", "TTIN", "TTOU"] {
        signal(pid, name);
    }
    place.run("stop", &[]).expect(0);
    assert!(!place.pid_file().exists());
    assert_eq!(place.events(), "body stopping finished on_exit ");
}

/// The caller has blocked and ignored signals: they work in the daemon.
#[test]
fn fault_50_signals_that_the_caller_blocked_or_ignored_work_all_the_same() {
    let place = Place::new();
    let mut start = Command::new("env");
    start
        .args(["--block-signal=TERM,HUP", "--ignore-signal=INT,CHLD"])
        .arg(common::program())
        .arg("start")
        .arg(place.path(""))
        .stdin(Stdio::null());
    let said = finish(start).expect(0);
    assert!(said.err.starts_with("started with pid "), "{}", said.err);
    let pid = place.pid();
    assert_eq!(status_field(pid, "SigBlk"), "0000000000000000");
    let ignored = u64::from_str_radix(&status_field(pid, "SigIgn"), 16).unwrap();
    for (name, number) in [("INT", 2), ("CHLD", 17)] {
        assert!(ignored & (1 << (number - 1)) == 0, "{name} is ignored");
    }
    signal(pid, "CHLD");
    signal(pid, "HUP");
    wait_until("the log to be reopened", || {
        place.log().contains("reopened")
    });
    assert!(alive(pid));
    signal(pid, "INT");
    wait_until("its end", || !alive(pid));
    assert_eq!(place.events(), "body stopping finished on_exit ");
    assert!(!place.pid_file().exists());
}

#[test]
fn in_the_foreground_the_terminal_keeps_its_signals_and_there_is_no_core_dump() {
    let place = Place::new();
    let mut start = Command::new("sh");
    let probe = format!(
        "ulimit -c unlimited 2>/dev/null; exec '{}' start '{}' -f 2>'{}'",
        common::program().display(),
        place.path("").display(),
        place.path("stderr").display()
    );
    start.args(["-c", &probe]).stdin(Stdio::null());
    let mut child = start.spawn().unwrap();
    let said = || fs::read_to_string(place.path("stderr")).unwrap_or_default();
    wait_until("it to be ready", || said().contains("started with pid"));
    let pid = child.id();
    let caught = u64::from_str_radix(&status_field(pid, "SigCgt"), 16).unwrap();
    for number in [20, 21, 22] {
        assert!(caught & (1 << (number - 1)) == 0, "signal {number}");
    }
    let limits = proc(pid, "limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core"))
        .unwrap();
    let core: Vec<_> = core.split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
    signal(pid, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_that_already_has_threads_cannot_be_forked() {
    let place = Place::new();
    let said = place.run("start", &["early-thread"]).expect(1);
    assert!(
        said.err
            .starts_with("cannot become a daemon: the program has 2 threads already"),
        "{}",
        said.err
    );
    assert_eq!(place.events(), "");
    assert_eq!(
        place
            .run("start", &["early-thread", "-f", "mode=finish"])
            .code,
        0
    );
}

/// The caller has left files and pipes open: they are closed in the daemon.
#[test]
fn fault_50_nothing_inherited_stays_open() {
    let place = Place::new();
    // The daemon would keep the pipe of descriptor 7 open, and `cat` would wait for ever.
    let script = format!(
        "'{}' start '{}' 7>&1 2>&1 | cat",
        common::program().display(),
        place.path("").display()
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the end of the pipe", || {
        shell.try_wait().unwrap().is_some()
    });
    let mut text = String::new();
    shell
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.starts_with("started with pid "), "{text}");
    let open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", place.pid()))
        .unwrap()
        .map(|entry| {
            fs::read_link(entry.unwrap().path())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    assert!(
        !open.iter().any(|target| target.starts_with("pipe:")),
        "{open:?}"
    );
}

#[test]
fn a_failure_before_ready_is_the_callers_to_see() {
    for (mode, reason) in [
        ("mode=fail", "the probe was told to fail"),
        ("mode=panic", "panic: the probe was told to panic"),
        ("mode=finish", "it ended before it was ready"),
        ("mode=abort", "it died without a word"),
    ] {
        let place = Place::new();
        let said = place.run("start", &[mode]).expect(1);
        assert_eq!(said.out, "");
        let log = place.path("probe.log");
        assert_eq!(
            said.err,
            format!(
                "the daemon has not started: {reason}; the log file is {}\n",
                log.display()
            )
        );
        if mode != "mode=abort" {
            assert_eq!(place.events(), "body on_exit ");
            assert!(!place.pid_file().exists(), "{mode}");
        }
        place.start(&[]);
    }
}

#[test]
fn a_daemon_that_does_not_get_ready_is_ended() {
    let place = Place::new();
    let said = place
        .run("start", &["mode=never-ready", "timeout=0.3"])
        .expect(1);
    assert!(
        said.err.starts_with(
            "the daemon was not ready within 0.3 s and has been ended; the log file is "
        ),
        "{}",
        said.err
    );
    assert_eq!(place.events(), "body stopping finished on_exit ");
    assert!(!place.pid_file().exists());
}

#[test]
fn what_happens_after_ready_is_logged() {
    for (mode, text) in [
        ("fail-later", "ending: the probe was told to fail later"),
        ("panic-later", "the probe was told to panic later"),
    ] {
        let place = Place::new();
        // It may be gone before the number in the file can be read.
        place.run("start", &[&format!("mode={mode}")]).expect(0);
        wait_until("its end", || place.log().contains("ended with exit code"));
        assert!(place.log().contains(text), "{}", place.log());
        assert_eq!(place.events(), "body on_exit ");
        wait_until("the PID file to go", || !place.pid_file().exists());
    }
}

/// The log was rotated: SIGHUP has the daemon write to the new one.
#[test]
fn fault_46_sighup_reopens_a_rotated_log() {
    let place = Place::new();
    let pid = place.start(&[]);
    assert_eq!(
        fs::metadata(place.path("probe.log")).unwrap().mode() & 0o137,
        0,
        "not for everybody's eyes"
    );
    fs::rename(place.path("probe.log"), place.path("probe.log.1")).unwrap();
    signal(pid, "HUP");
    wait_until("the new log", || place.log().contains("reopened"));
    place.run("stop", &[]).expect(0);
    let old = fs::read_to_string(place.path("probe.log.1")).unwrap();
    assert!(
        old.contains("INFO")
            && old.contains(&format!("started with pid {pid}"))
            && !old.contains("TERM"),
        "{old}"
    );
    let new = place.log();
    assert!(
        new.contains("SIGTERM: stopping") && new.contains("ended with exit code 0"),
        "{new}"
    );
    let stamp = new.split_whitespace().next().unwrap();
    assert!(
        stamp.contains('T') && stamp.ends_with('Z'),
        "UTC in RFC 3339: {stamp}"
    );
    assert!(!new.contains('\u{1b}'));
}

#[test]
fn a_log_that_cannot_be_opened_is_refused_before_the_fork() {
    let place = Place::new();
    fs::create_dir(place.path("probe.log")).unwrap();
    let said = place.run("start", &[]).expect(1);
    assert!(
        said.err.starts_with("cannot open the log file ") && said.err.contains("--log-file"),
        "{}",
        said.err
    );
    assert!(!place.pid_file().exists());
    assert_eq!(place.events(), "");
}

#[test]
fn a_relative_place_means_the_callers_directory() {
    let place = Place::new();
    let command = |action: &str| {
        let mut command = Command::new(common::program());
        command
            .args([action, "."])
            .current_dir(place.path(""))
            .stdin(Stdio::null());
        finish(command)
    };
    command("start").expect(0);
    let pid = place.pid();
    assert!(place.log().contains("started with pid"));
    command("stop").expect(0);
    assert!(!alive(pid) && !place.pid_file().exists());
}

#[test]
fn it_speaks_the_notify_protocol_in_the_foreground() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let receive = || {
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = place.command("start", &["-f"]);
    let mut child = command
        .env("NOTIFY_SOCKET", place.path("notify"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(receive(), "READY=1\nSTATUS=at your service\n");
    signal(child.id(), "TERM");
    assert_eq!(receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // Detached it is not the process that the service manager started.
    finish({
        let mut command = place.command("start", &[]);
        command.env("NOTIFY_SOCKET", place.path("notify"));
        command
    })
    .expect(0);
    place.run("stop", &[]).expect(0);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 10]).is_err());
}

/// The reader of its output is gone (EPIPE): no panic.
#[test]
fn fault_46_a_reader_that_is_gone_is_no_panic() {
    let place = Place::new();
    let script = format!(
        "'{}' status '{}' | true; '{}' start '{}' -f mode=fail 2>&1 | true",
        common::program().display(),
        place.path("").display(),
        common::program().display(),
        place.path("").display()
    );
    let said = finish({
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        command
    })
    .expect(0);
    assert!(!said.err.contains("panic"), "{}", said.err);
    assert_eq!(place.events(), "body on_exit ");
}
