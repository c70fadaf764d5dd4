//! The rules of the PID file, each against a real file.

use std::os::unix::fs::symlink;
use std::process::Command;

use edeposit_testkit::skip;
use tempfile::TempDir;

use super::*;

const SETTLE: Duration = Duration::from_millis(100);

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pid");
    (directory, path)
}

fn claim(path: &Path) -> Result<Claim, Error> {
    PidFile::claim(path, SETTLE, None)
}

fn ours(path: &Path) -> PidFile {
    match claim(path).unwrap() {
        Claim::Ours(file) => file,
        Claim::Taken(running) => panic!("taken by {running}"),
    }
}

fn refusal(path: &Path) -> String {
    let error = claim(path).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(look(path, Owner::Us).is_err(), "`stop` must refuse it too");
    let text = error.to_string();
    assert!(
        text.contains("--pid-file") && text.contains(path.to_str().unwrap()),
        "{text}"
    );
    text
}

#[test]
fn content_mode_and_removal() {
    let (_directory, path) = place();
    let file = ours(&path);
    assert_eq!(fs::read(&path).unwrap(), b"", "no number before the fork");
    file.write_pid().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", std::process::id())
    );
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    file.remove().unwrap();
    assert!(!path.exists());
    file.remove().unwrap();
}

#[test]
fn a_held_file_is_taken_and_reported_until_it_is_let_go() {
    let (_directory, path) = place();
    let file = ours(&path);
    file.write_pid().unwrap();
    match claim(&path).unwrap() {
        Claim::Taken(other) => assert_eq!(other.pid, std::process::id()),
        Claim::Ours(_) => panic!("claimed twice"),
    }
    assert_eq!(running(&path, SETTLE).unwrap().unwrap().pid_file, path);
    drop(file);
    assert_eq!(running(&path, SETTLE).unwrap(), None);
    assert!(path.exists(), "only looked at");
    ours(&path);
}

#[test]
fn a_patient_claim_gets_the_lock_of_an_ending_daemon() {
    let (_directory, path) = place();
    let file = ours(&path);
    file.write_pid().unwrap();
    let end = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        file.remove().unwrap();
    });
    let claim = PidFile::claim(&path, SETTLE, Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(claim, Claim::Ours(_)));
    end.join().unwrap();
}

#[test]
fn a_lock_without_a_holders_number_is_busy() {
    let (_directory, path) = place();
    let file = ours(&path);
    let busy = |path: &Path| {
        assert!(matches!(claim(path), Err(Error::Busy { .. })));
        assert!(matches!(running(path, SETTLE), Err(Error::Busy { .. })));
        assert!(matches!(look(path, Owner::Us), Ok(Seen::Unclear)));
    };
    busy(&path);
    // A number left from before, now that of a stranger: he does not hold the file.
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&path, format!("{}\n", stranger.id())).unwrap();
    busy(&path);
    assert!(!still_names(&file.open().file, stranger.id()));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn whatever_an_unlocked_file_says_it_is_stale() {
    let own = std::process::id().to_string();
    for content in [
        "",
        "rubbish",
        "-1\n",
        "0\n",
        "1\n",
        "99999999999999999999\n",
        own.as_str(),
    ] {
        let (_directory, path) = place();
        fs::write(&path, content).unwrap();
        assert_eq!(running(&path, SETTLE).unwrap(), None, "{content:?}");
        let file = ours(&path);
        file.write_pid().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{own}\n"));
    }
}

#[test]
fn only_possible_pids_are_read() {
    for content in [
        "",
        "x",
        "-1",
        "0",
        "2147483648",
        "4294967297",
        "1 2",
        "12345678901234567",
    ] {
        let (_directory, path) = place();
        fs::write(&path, content).unwrap();
        assert_eq!(read_pid(&File::open(&path).unwrap()), None, "{content:?}");
    }
    let (_directory, path) = place();
    fs::write(&path, "4711\n").unwrap();
    assert_eq!(read_pid(&File::open(&path).unwrap()), Some(4711));
}

#[test]
fn a_replaced_file_is_not_removed() {
    let (_directory, path) = place();
    let file = ours(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    file.remove().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
}

#[test]
fn refuses_links_pipes_and_directories() {
    let (directory, path) = place();
    let target = directory.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, &path).unwrap();
    assert!(refusal(&path).contains("symbolic link"));
    fs::remove_file(&path).unwrap();
    symlink(directory.path().join("nowhere"), &path).unwrap();
    assert!(refusal(&path).contains("symbolic link"));
    assert!(!directory.path().join("nowhere").exists());
    fs::remove_file(&path).unwrap();
    fs::hard_link(&target, &path).unwrap();
    assert!(refusal(&path).contains("hard link"));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    assert!(
        Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert!(refusal(&path).contains("no regular file"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refusal(&path).contains("no regular file"));
}

#[test]
fn refuses_what_others_may_write() {
    for mode in [0o666, 0o664, 0o646] {
        let (_directory, path) = place();
        fs::write(&path, "1\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let text = refusal(&path);
        assert!(
            text.contains(&format!("{mode:04o}")) && text.contains("Remove it"),
            "{text}"
        );
    }
}

#[test]
fn refuses_a_directory_in_which_others_may_rename_files() {
    let (directory, path) = place();
    for mode in [0o777, 0o775, 0o757] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        let error = claim(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("mode {mode:04o}, no sticky bit"))
                && !error.contains("Remove it"),
            "{error}"
        );
        assert!(!path.exists());
    }
    for mode in [0o1777, 0o1775, 0o755] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        ours(&path).remove().unwrap();
    }
    if !rustix::process::geteuid().is_root() {
        return skip("only root can give a directory to another user");
    }
    for mode in [0o1777, 0o755] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(directory.path(), Some(65_534), None).unwrap();
        let error = claim(&path).unwrap_err().to_string();
        assert!(error.contains("belongs to user 65534"), "{error}");
    }
}

#[test]
fn refuses_another_users_file_but_reports_on_it() {
    let (_directory, path) = place();
    let (path, owner) = if rustix::process::geteuid().is_root() {
        fs::write(&path, "1\n").unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        (path, 65_534)
    } else {
        (PathBuf::from("/etc/passwd"), 0)
    };
    let text = look(&path, Owner::Us).err().unwrap().to_string();
    assert!(text.contains(&format!("belongs to user {owner}")), "{text}");
    assert!(!text.contains("Remove it"), "{text}");
    assert_eq!(running(&path, SETTLE).unwrap(), None);
}

#[test]
fn a_missing_directory_is_named() {
    let (directory, _) = place();
    let error = claim(&directory.path().join("missing/x.pid"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("reach the directory") && error.contains("missing/x.pid"),
        "{error}"
    );
}

/// A process whose command line is that of the Python original.
fn original(directory: &Path) -> std::process::Child {
    let script = directory.join("python_edeposit_amqp_test");
    symlink("/bin/sleep", &script).unwrap();
    let child = Command::new(&script).arg("60").spawn().unwrap();
    // For a moment after `exec` the command line is empty.
    while fs::read(format!("/proc/{}/cmdline", child.id()))
        .unwrap()
        .is_empty()
    {
        thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn a_running_python_original_counts_though_it_does_not_lock() {
    let (directory, path) = place();
    let mut other = original(directory.path());
    let pid = other.id();
    fs::write(&path, format!("{pid}\n")).unwrap();
    match claim(&path).unwrap() {
        Claim::Taken(running) => assert_eq!(running.pid, pid),
        Claim::Ours(_) => panic!("an original runs"),
    }
    assert_eq!(running(&path, SETTLE).unwrap().unwrap().pid, pid);
    // Written long before that process began, the number meant another one.
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    assert_eq!(running(&path, SETTLE).unwrap(), None);
    other.kill().unwrap();
    other.wait().unwrap();
    ours(&path);
}

#[test]
fn no_strangers_lock_passes_for_a_daemons() {
    let (_directory, path) = place();
    fs::write(&path, "4711\n").unwrap();
    let stranger = File::open(&path).unwrap();
    lock::take_as_a_reader(&stranger);
    rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(running(&path, SETTLE).unwrap(), None);
    assert!(matches!(look(&path, Owner::Us), Ok(Seen::Free(_))));
    let file = ours(&path);
    file.write_pid().unwrap();
    assert!(!is_at(&stranger, &path), "made anew");
    assert!(running(&path, SETTLE).unwrap().is_some());
    // Nor can he say anything about a daemon that runs.
    let stranger = File::open(&path).unwrap();
    assert_eq!(lock::take(&stranger).ok(), None, "not open for writing");
    assert!(running(&path, SETTLE).unwrap().is_some());
}

#[test]
fn a_file_that_is_gone_is_made_anew() {
    let (_directory, path) = place();
    let file = ours(&path);
    file.write_pid().unwrap();
    assert!(matches!(file.keep(), Ok(Kept::InPlace)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(file.keep(), Ok(Kept::MadeAnew)));
    assert!(matches!(file.keep(), Ok(Kept::InPlace)));
    let found = running(&path, SETTLE).unwrap().unwrap();
    assert_eq!(found.pid, std::process::id());
    // What cannot be trusted is left alone, and so is another daemon's.
    fs::remove_file(&path).unwrap();
    symlink("/dev/null", &path).unwrap();
    assert!(file.keep().unwrap_err().to_string().contains("link"));
    fs::remove_file(&path).unwrap();
    let other = ours(&path);
    other.write_pid().unwrap();
    assert!(matches!(file.keep(), Ok(Kept::Lost(_))));
    other.remove().unwrap();
    file.remove().unwrap();
    assert!(matches!(file.keep(), Ok(Kept::InPlace)));
    assert!(!path.exists(), "at the end it stays away");
}

#[test]
fn a_daemon_that_was_told_to_end_is_marked_and_still_found() {
    let (_directory, path) = place();
    let file = ours(&path);
    file.write_pid().unwrap();
    assert!(!is_stopping(&File::open(&path).unwrap()));
    file.mark_stopping().unwrap();
    assert!(is_stopping(&File::open(&path).unwrap()));
    let pid = std::process::id();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{pid}\nstopping\n")
    );
    assert_eq!(running(&path, SETTLE).unwrap().unwrap().pid, pid);
}
