//! What goes wrong leaves nothing behind, an earlier package as it was, and the original error for the caller.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Place, RECORD, U, request, request_with, settings};
use edeposit_amqpdaemon::Exception;
use edeposit_ltp::messages::ExportRequest;
use edeposit_ltp::{Ltp, LtpError};
use edeposit_testkit::{mount_namespace, sip, skip};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

/// Defect 1: an id that is a path deleted any directory and wrote outside.
#[test]
fn ids_that_are_paths() {
    let place = Place::new();
    let precious = place.home.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("book"), "x").unwrap();
    for id in [
        "../precious",
        precious.to_str().unwrap(),
        "",
        ".",
        "..",
        "a/../../precious",
        ".locks",
    ] {
        let bad = ExportRequest {
            book_uuid: id.to_owned(),
            ..request()
        };
        let told = Exception::from(place.export(&bad).unwrap_err());
        assert_eq!(told.name, "ValueError");
        let words = format!("'{id}' is not a valid book_uuid!");
        assert!(told.message.starts_with(&words), "{told}");
        let told = Exception::from(place.ltp.track(id).unwrap_err());
        assert!(told.message.starts_with(&words), "{told}");
    }
    assert_eq!(fs::read(precious.join("book")).unwrap(), b"x");
    assert_eq!(
        sip::visible(place.home.path()).unwrap(),
        ["out", "precious"]
    );
    place.clean();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Defects 1 and 11: whatever a message has for the id and the file's name, all that comes of it is one package with
    /// its files where they belong, or an error.
    #[test]
    fn nothing_from_a_message_is_a_path(
        book_uuid in "([a-c./_-]|\\PC|\\x00){0,6}",
        filename in "([a-c./]|\\PC|\\x00){0,9}",
    ) {
        let place = Place::new();
        let request = ExportRequest { book_uuid: book_uuid.clone(), filename, ..request() };
        let done = place.export(&request);
        let expected = done.map_or(vec![], |()| vec![format!("complete_{book_uuid}")]);
        prop_assert_eq!(sip::visible(&place.out()).unwrap(), expected.clone());
        prop_assert_eq!(sip::visible(place.home.path()).unwrap(), ["out"]);
        place.clean();
        for package in expected {
            let list = sip::run(&place.path(&package), "find . -type f | wc -l").unwrap();
            prop_assert_eq!(list.trim(), "4");
            let names = sip::visible(&place.path(&package).join("original")).unwrap();
            let (stem, suffix) = names[0].rsplit_once('.').unwrap();
            prop_assert_eq!(stem, format!("oc_{book_uuid}"));
            prop_assert!(suffix.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }
}

/// Defect 1: nor by links that somebody has put where files of ours go.
#[test]
fn links_in_the_way() {
    let place = Place::new();
    let outside = place.home.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir(place.path(".locks")).unwrap();
    symlink(&outside, place.path(".locks")).unwrap();
    let told = Exception::from(place.export(&request()).unwrap_err());
    assert_eq!(told.name, "OSError");
    assert!(told.message.contains(".locks"), "{told}");
    fs::remove_file(place.path(".locks")).unwrap();
    fs::create_dir(place.path(".locks")).unwrap();
    symlink(outside.join("lock"), place.path(".locks").join(U)).unwrap();
    assert!(place.export(&request()).is_err());
    assert_eq!(sip::visible(&outside).unwrap(), [""; 0]);
}

/// Defects 7, 10 and 14: the error's own words, nothing left, and what was there before is as it was.
#[test]
fn errors_leave_nothing() {
    let place = Place::with(|settings| settings.max_file_size = 100_000);
    let good = request_with(b"the first one");
    let bad = |change: fn(&mut ExportRequest)| {
        let mut bad = request();
        change(&mut bad);
        bad
    };
    let cases = [
        (
            bad(|r| r.b64_data = "abc".to_owned()),
            "TypeError",
            "Incorrect padding",
        ),
        // found out after a hundred thousand bytes were written
        (
            bad(|r| r.b64_data = "A".repeat(99_999)),
            "TypeError",
            "Incorrect padding",
        ),
        (
            bad(|r| r.b64_data = "A".repeat(400_000)),
            "ValueError",
            "100000 bytes",
        ),
        (
            bad(|r| r.aleph_record = "no record".to_owned()),
            "ValueError",
            "There is no <record> in your MARC XML document!",
        ),
        (
            bad(|r| r.aleph_record = "<record><x".to_owned()),
            "XMLSyntaxError",
            "broken",
        ),
        (
            bad(|r| r.aleph_record = RECORD.replace("910", "911")),
            "ValueError",
            "910 $a",
        ),
        (
            bad(|r| r.urn_nbn = Some("a\u{1}".to_owned())),
            "ValueError",
            "urn_nbn",
        ),
    ];
    for round in 0..2 {
        for (request, name, words) in &cases {
            let told = Exception::from(place.export(request).unwrap_err());
            assert_eq!(told.name, *name, "{told}");
            assert!(told.message.contains(words), "{told}");
            place.clean();
        }
        match round {
            0 => assert_eq!(sip::visible(&place.out()).unwrap(), [""; 0]),
            _ => {
                sip::verify(&place.package(), U).unwrap();
                let file = place.package().join(format!("original/oc_{U}.epub"));
                assert_eq!(fs::read(file).unwrap(), b"the first one");
            }
        }
        place.exported(&good);
    }
    // the limit itself is allowed
    place.exported(&request_with(&[7; 100_000]));
}

#[test]
fn too_little_room() {
    let place = Place::with(|settings| settings.min_free_bytes = 1 << 60);
    let told = Exception::from(place.export(&request()).unwrap_err());
    assert_eq!(told.name, "OSError");
    assert!(
        told.message
            .starts_with("[Errno 28] No space left on device")
            && told.message.contains("MIN_FREE_BYTES"),
        "{told}"
    );
    place.clean();
}

/// Nobody waits for the answer any more: the work ends and leaves nothing.
#[test]
fn given_up() {
    let place = Place::new();
    let stop = CancellationToken::new();
    stop.cancel();
    let error = place.ltp.export(&request(), &stop).unwrap_err();
    assert!(matches!(error, LtpError::GivenUp));
    assert_eq!(sip::visible(&place.out()).unwrap(), [""; 0]);
    place.clean();
}

/// An export directory that is missing or is a file is told at start.
#[test]
fn no_export_directory() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing");
    let error = Ltp::new(settings(&missing)).unwrap_err().to_string();
    assert!(
        error.contains("[Errno 2] No such file or directory") && error.contains("missing"),
        "{error}"
    );
    fs::write(&missing, "").unwrap();
    assert!(Ltp::new(settings(&missing)).is_err());
}

/// The directory a child process exports into, see [`child`].
const CHILD: &str = "EDEPOSIT_LTP_CHILD";

/// Not a test but a process of its own for one: exports a megabyte, and prints what it was told.
#[test]
#[ignore = "run by other tests"]
fn child() {
    let out = std::env::var_os(CHILD).unwrap();
    let ltp = Ltp::new(settings(out.as_ref())).unwrap();
    let stop = CancellationToken::new();
    let told = ltp.export(&request_with(&vec![9; 1_000_000]), &stop);
    println!("told: {:?}", told.map_err(|error| error.to_string()));
}

/// This program, doing nothing but [`child`].
fn child_command(place: &Place) -> String {
    format!(
        "{CHILD}='{}' '{}' --ignored --exact child --nocapture",
        place.out().display(),
        std::env::current_exe().unwrap().display()
    )
}

fn shell(mut command: Command, script: &str) -> String {
    let output = command.args(["sh", "-c", script]).output().unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The system refuses to write in the middle of the file (RLIMIT_FSIZE).
#[test]
fn a_file_that_grows_too_large_for_the_system() {
    let place = Place::new();
    let mut limited = Command::new("env");
    limited.args(["--ignore-signal=XFSZ", "prlimit", "--fsize=300000"]);
    let said = shell(limited, &child_command(&place));
    assert!(said.contains("[Errno 27] File too large"), "{said}");
    assert_eq!(sip::visible(&place.out()).unwrap(), [""; 0]);
    place.clean();
}

/// A file system that fills up in the middle of the package: a small tmpfs in a mount namespace of the child's own. The
/// publication fits in exactly, what comes after it does not; and one without room for another file.
#[test]
fn a_full_disk() {
    let place = Place::new();
    let out = place.out();
    let out = out.display();
    for options in ["size=1003520", "size=20m,nr_inodes=6"] {
        let script = format!(
            "mount -t tmpfs -o {options} none '{out}' && {} ; ls -A '{out}' '{out}/.locks'",
            child_command(&place)
        );
        let Some(unshare) = mount_namespace() else {
            return skip("no mount namespace can be had here");
        };
        let said = shell(unshare, &script);
        assert!(
            said.contains("[Errno 28] No space left on device") && !said.contains("bytes free"),
            "{said}"
        );
        let listed = said.rsplit_once("filtered out").unwrap().1;
        let left = listed.lines().skip(1).collect::<Vec<_>>().join(" ");
        assert!(!left.contains(".tmp-") && !left.contains(U), "{said}");
        assert!(left.contains(".locks"), "{said}");
    }
}
