//! Full, read-only and missing disks, and a log that cannot be written: the command says so, the daemon lives.

mod common;

use std::fs;
use std::process::{Command, Stdio};

use edeposit_testkit::{mount_namespace, skip};

use common::{Place, Said, alive, finish, program, signal, wait_until};

/// Runs a shell script in a mount namespace of its own, where `$place` is the place's directory and `$probe` the program.
/// None if that cannot be had here.
fn apart(place: &Place, script: &str) -> Option<Said> {
    let Some(mut command) = mount_namespace() else {
        skip("no mount namespace can be had here");
        return None;
    };
    command
        .args(["sh", "-euc", script])
        .env("place", place.path(""))
        .env("probe", program())
        .env_remove("RUNTIME_DIRECTORY")
        .stdin(Stdio::null());
    Some(finish(command))
}

/// Not a byte is left where the PID file is to be.
#[test]
fn fault_45_a_full_disk_is_said() {
    let place = Place::new();
    let script = r#"
        mkdir "$place/disk"
        mount -t tmpfs -o size=16k tmpfs "$place/disk"
        chmod 700 "$place/disk"
        : > "$place/disk/probe.log"
        dd if=/dev/zero of="$place/disk/fill" bs=4k count=10 2>/dev/null || true
        "$probe" start "$place/disk""#;
    let Some(said) = apart(&place, script) else {
        return;
    };
    let said = said.expect(1);
    assert!(
        said.err.contains("PID file") && said.err.contains("No space left on device"),
        "{}",
        said.err
    );
    assert!(said.err.contains("--pid-file"), "{}", said.err);
}

/// Nothing can be written where the PID file is to be.
#[test]
fn fault_45_a_read_only_disk_is_said() {
    let place = Place::new();
    let script = r#"
        mkdir "$place/disk"
        mount -t tmpfs -o ro,mode=700 tmpfs "$place/disk"
        "$probe" start "$place/disk""#;
    let Some(said) = apart(&place, script) else {
        return;
    };
    let said = said.expect(1);
    assert!(
        said.err.contains("cannot create the PID file")
            && said.err.contains("Read-only file system")
            && said.err.contains("--pid-file"),
        "{}",
        said.err
    );
}

/// A command whose SIGXFSZ does what it does by default, whatever those who started the tests have made of it.
fn fatal_file_sizes(place: &Place, limit: &str) -> Command {
    let mut command = Command::new("env");
    command
        .args(["--default-signal=XFSZ", "prlimit", limit])
        .arg(program())
        .arg("start")
        .arg(place.path(""))
        .stdin(Stdio::null());
    command
}

/// Not even four bytes may be written (RLIMIT_FSIZE): said, and not ended by a signal without a word.
#[test]
fn fault_45_a_limit_of_file_sizes_is_said() {
    let place = Place::new();
    let said = finish(fatal_file_sizes(&place, "--fsize=0")).expect(1);
    assert!(
        said.err.contains("cannot write the PID file") && said.err.contains("File too large"),
        "{}",
        said.err
    );
}

/// The log grows to the limit of file sizes: its lines are lost, the daemon lives.
#[test]
fn fault_46_a_log_at_the_limit_of_file_sizes() {
    let place = Place::new();
    finish(fatal_file_sizes(&place, "--fsize=1000000:")).expect(0);
    let pid = place.pid();
    let limit = fs::metadata(place.path("probe.log")).unwrap().len();
    let limited = Command::new("prlimit")
        .arg(format!("--pid={pid}"))
        .arg(format!("--fsize={limit}:"))
        .status();
    assert!(limited.unwrap().success());
    signal(pid, "HUP");
    signal(pid, "HUP");
    // It has dealt with them when it answers the next one.
    let status = place.run("status", &[]).expect(0).out;
    assert!(status.contains(&pid.to_string()), "{status}");
    place.run("stop", &[]).expect(0);
    assert_eq!(fs::metadata(place.path("probe.log")).unwrap().len(), limit);
    // Its end was an orderly one, though no word of it could be logged.
    assert!(!alive(pid) && !place.pid_file().exists());
}

/// The disk with the log is full: the daemon lives, stops in order, and goes on to log when there is room.
#[test]
fn fault_46_a_log_on_a_full_disk() {
    let place = Place::new();
    let script = r#"
        mkdir "$place/disk"
        mount -t tmpfs -o size=64k tmpfs "$place/disk"
        chmod 700 "$place/disk"
        "$probe" start "$place/disk"
        dd if=/dev/zero of="$place/disk/fill" bs=4k count=100 2>/dev/null || true
        pid=$(head -1 "$place/disk/probe.pid")
        # More than what is left of the log's last page.
        for number in $(seq 200); do kill -HUP "$pid"; sleep 0.01; done
        "$probe" status "$place/disk"
        rm "$place/disk/fill"
        kill -HUP "$pid"
        "$probe" stop "$place/disk"
        cat "$place/disk/probe.log" >&2"#;
    let Some(said) = apart(&place, script) else {
        return;
    };
    let said = said.expect(0);
    assert!(said.out.starts_with("running with pid"), "{}", said.out);
    assert!(said.err.contains("ended with exit code 0"), "{}", said.err);
    assert!(
        said.err.contains("lost") || said.err.contains("could not be written"),
        "{}",
        said.err
    );
}

/// Its standard error is closed, or full: it runs, and nothing it logs gets into another of its files.
#[test]
fn fault_46_standard_error_is_closed_or_full() {
    for redirection in ["2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"] {
        let place = Place::new();
        let script = format!(
            "exec '{}' start '{}' -f {redirection}",
            program().display(),
            place.path("").display()
        );
        let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        wait_until("it to serve", || {
            fs::read_to_string(place.pid_file()).is_ok_and(|text| !text.is_empty())
                && place.events().contains("body")
        });
        signal(child.id(), "HUP");
        let status = place.run("status", &[]).expect(0).out;
        assert!(status.contains(&format!("pid {}", child.id())), "{status}");
        let pid_file = fs::read_to_string(place.pid_file()).unwrap();
        assert_eq!(pid_file, format!("{}\n", child.id()), "{redirection}");
        place.run("stop", &[]).expect(0);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{redirection}");
        assert_eq!(
            place.events(),
            "body stopping finished on_exit ",
            "{redirection}"
        );
    }
}

/// The caller's directory is gone, and SIGPIPE is ignored: the daemon works in `/` all the same.
#[test]
fn fault_50_the_callers_directory_is_gone() {
    let place = Place::new();
    fs::create_dir(place.path("gone")).unwrap();
    let script = format!(
        "cd '{0}/gone' && rmdir '{0}/gone' && exec '{1}' start '{0}'",
        place.path("").display(),
        program().display()
    );
    let mut command = Command::new("env");
    command
        .args(["--ignore-signal=PIPE", "sh", "-c", &script])
        .stdin(Stdio::null());
    finish(command).expect(0);
    let cwd = fs::read_link(format!("/proc/{}/cwd", place.pid())).unwrap();
    assert_eq!(cwd.to_str(), Some("/"));
    place.run("stop", &[]).expect(0);
}
