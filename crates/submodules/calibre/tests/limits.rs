//! What a converter may not do: run for ever, outlive its job, fill the disk, say what is no text. A script in place of the
//! converter does each at once; `conversions.rs` has the real one.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{World, book};
use edeposit_calibre::Sandbox;

/// Writes a book as the converter does.
const WRITE: &str = r#"echo "EPUB output written to $2"; echo book >"$2""#;

/// Whether a process of this number runs; one that is dead and not reaped yet does not.
fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The file that the script writes beside itself.
fn beside(world: &World, name: &str) -> std::path::PathBuf {
    world.dir.path().join(name)
}

/// Defect 3: a conversion that hangs is ended after its time, with all of its processes, and answered.
#[tokio::test]
async fn a_hanging_conversion_is_ended_with_all_its_processes() {
    let script = r#"sleep 1000 & echo $! >"$(dirname "$0")/child"; echo "50% there"; wait"#;
    let world = World::with_script(script, |settings| settings.timeout = Duration::from_secs(1));
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert_eq!(error.name, "UserWarning");
    assert_eq!(
        error.message,
        "Conversion failed:\nkilled after 1 s (TIMEOUT)\n50% there"
    );
    let child = fs::read_to_string(beside(&world, "child")).unwrap();
    until("the child is gone", || !runs(&child)).await;
    assert_eq!(world.leftovers(), 0);
}

/// Defect 10: a conversion that nobody waits for is over, processes and files, when its future is dropped.
#[tokio::test]
async fn a_dropped_conversion_is_over_at_once() {
    let script = r#"sleep 1000 & echo $! >"$(dirname "$0")/child.new"; mv "$(dirname "$0")/child.new" "$(dirname "$0")/child"; wait"#;
    let world = World::with_script(script, |_| {});
    let conversion = world.convert("txt", "epub", b"x");
    tokio::select! {
        _ = conversion => panic!("it ended"),
        () = until("it runs", || beside(&world, "child").exists()) => {}
    }
    assert_eq!(world.leftovers(), 0);
    let child = fs::read_to_string(beside(&world, "child")).unwrap();
    until("the child is gone", || !runs(&child)).await;
}

/// Children that outlive a converter which has succeeded: one in its process group, one that left it.
#[tokio::test]
async fn nobody_outlives_a_conversion() {
    let script = format!(
        r#"d="$(dirname "$0")"; sleep 1000 & echo $! >"$d/child"
        setsid sh -c 'trap "" TERM; echo $$ >"$0/away.new"; mv "$0/away.new" "$0/away"; while :; do sleep 1; done' "$d" &
        until [ -e "$d/away" ]; do :; done; {WRITE}"#
    );
    let world = World::with_script(&script, |_| {});
    let response = world.convert("txt", "epub", b"x").await.unwrap();
    assert_eq!(book(&response), b"book\n");
    for child in ["child", "away"] {
        let child = fs::read_to_string(beside(&world, child)).unwrap();
        until("the child is gone", || !runs(&child)).await;
    }
}

/// The log counts too, and no more of it than its end is kept.
#[tokio::test]
async fn a_log_without_end_is_too_much() {
    let world = World::with_script("yes", |settings| settings.max_temp_size = 4 << 20);
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert_eq!(error.name, "UserWarning");
    assert!(error.message.len() < 10_000, "{}", error.message.len());
    assert_eq!(world.leftovers(), 0);
}

/// Defect 4 and 2: a half-written output goes with its directory, and the report may be in any language.
#[tokio::test]
async fn a_failure_leaves_no_file_and_is_told_in_any_language() {
    let script = r#"echo half >"$2"; echo "Kniha „Žluťoučký kůň“ nejde číst" >&2; exit 3"#;
    let world = World::with_script(script, |_| {});
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert_eq!(
        error.message,
        "Conversion failed:\nexit status 3\nKniha „Žluťoučký kůň“ nejde číst"
    );
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn success_without_a_book_is_none() {
    for (script, reason) in [
        ("exit 0", "did not say"),
        ("kill -9 $$", "signal 9"),
        (r#"echo "EPUB output written to $2""#, "cannot be read"),
        (
            r#"echo "EPUB output written to $2"; mkdir "$2""#,
            "no regular file",
        ),
        (
            r#"echo "EPUB output written to $2"; ln -s /etc/passwd "$2""#,
            "cannot be read",
        ),
    ] {
        let world = World::with_script(script, |_| {});
        let error = world.convert("txt", "epub", b"x").await.unwrap_err();
        assert_eq!(error.name, "UserWarning");
        assert!(error.message.starts_with("Conversion failed:\n"), "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert_eq!(world.leftovers(), 0);
    }
}

#[tokio::test]
async fn output_that_is_no_utf8_is_told_all_the_same() {
    let script = format!(r"printf 'P\370evod\033[31m\r\000\302\233\n'; {WRITE}");
    let world = World::with_script(&script, |_| {});
    let response = world.convert("txt", "epub", b"x").await.unwrap();
    assert!(
        response.protocol.starts_with("P\u{fffd}evod[31m\n"),
        "{}",
        response.protocol
    );
}

/// Defects 5, 11 and 12: private directory, a name that is no secret, and nothing of either in the log.
#[tokio::test]
async fn the_converter_sees_a_private_directory_and_a_clean_environment() {
    let script = format!(r#"stat -c %a . ..; env; pwd; {WRITE}"#);
    let world = World::with_script(&script, |_| {});
    let log = world.convert("txt", "epub", b"x").await.unwrap().protocol;
    assert!(log.starts_with("700\n700\n"), "{log}");
    assert!(
        log.contains("EPUB output written to document.txt.epub"),
        "{log}"
    );
    assert!(log.contains("QT_QPA_PLATFORM=offscreen\n"), "{log}");
    assert!(log.contains("HOME=home\n"), "{log}");
    assert!(!log.contains("edeposit-calibre-"), "{log}");
    assert!(!log.contains("CARGO"), "{log}");
}

/// Defect 8: sizes. Many small files are stopped as one large file is.
#[tokio::test]
async fn sizes_are_limited() {
    let world = World::with_script(WRITE, |settings| {
        settings.max_input_size = 10;
        settings.max_output_size = 4;
    });
    let error = world.convert("txt", "epub", &[b'x'; 11]).await.unwrap_err();
    assert_eq!(error.name, "ValueError");
    assert!(error.message.contains("MAX_INPUT_SIZE"), "{error}");
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert!(error.message.contains("MAX_OUTPUT_SIZE"), "{error}");

    let script =
        r#"mkdir "$2"; echo 12345 >"$2/a"; echo 12345 >"$2/b"; echo "OEB output written to $2""#;
    for (limit, fits) in [(11, false), (1000, true)] {
        let world = World::with_script(script, |settings| settings.max_output_size = limit);
        let result = world.convert("txt", "oeb", b"x").await;
        match result {
            Ok(response) => assert!(fits && book(&response).starts_with(b"PK")),
            Err(error) => assert!(
                !fits && error.message.contains("MAX_OUTPUT_SIZE"),
                "{error}"
            ),
        }
        assert_eq!(world.leftovers(), 0);
    }

    let many = r#"n=0; while :; do head -c 65536 /dev/zero >"tmp/$n"; n=$((n + 1)); done"#;
    let world = World::with_script(many, |settings| settings.max_temp_size = 1 << 20);
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert!(error.message.contains("MAX_TEMP_SIZE"), "{error}");
    assert_eq!(world.leftovers(), 0);

    let one = r#"trap '' XFSZ; head -c 9000000 /dev/zero >tmp/one && echo written; ls -s tmp/one; exit 1"#;
    let world = World::with_script(one, |settings| settings.max_temp_size = 1 << 20);
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert!(!error.message.contains("written"), "{error}");
}

#[tokio::test]
async fn memory_is_limited() {
    let world = World::with_script("ulimit -d; ulimit -c; exit 1", |settings| {
        settings.memory_limit = 256 << 20;
    });
    let error = world.convert("txt", "epub", b"x").await.unwrap_err();
    assert!(error.message.ends_with("\n262144\n0"), "{error}");
}

/// Defect 13: no more conversions at once than allowed.
#[tokio::test(flavor = "multi_thread")]
async fn conversions_run_concurrently_up_to_the_limit() {
    let script = format!(
        r#"d="$(dirname "$0")"; touch "$d/run.$$"; ls "$d" | grep -c run >>"$d/seen"; sleep 0.3; rm "$d/run.$$"; {WRITE}"#
    );
    let world = World::with_script(&script, |settings| settings.max_jobs = 2);
    let convert = || world.convert("txt", "epub", b"x");
    let (a, b, c, d, e) = tokio::join!(convert(), convert(), convert(), convert(), convert());
    for result in [a, b, c, d, e] {
        result.unwrap();
    }
    let seen = fs::read_to_string(beside(&world, "seen")).unwrap();
    assert_eq!(seen.lines().max(), Some("2"), "{seen}");
    assert_eq!(seen.lines().count(), 5);
}

#[test]
fn what_is_missing_is_told_at_the_start() {
    use edeposit_calibre::{Calibre, Settings};
    use edeposit_settings::Declared;
    let mut settings = Settings::load_sources(&edeposit_settings::Sources::none()).unwrap();
    settings.sandbox = Sandbox::Off;
    settings.ebook_convert = "no-such-converter".to_owned();
    let error = Calibre::new(settings.clone()).unwrap_err().to_string();
    assert!(
        error.contains("no-such-converter") && error.contains("install calibre"),
        "{error}"
    );
    settings.ebook_convert = "true".to_owned();
    settings.temp_dir = Path::new("/no/such/dir").to_owned();
    let error = Calibre::new(settings).unwrap_err().to_string();
    assert!(error.contains("/no/such/dir"), "{error}");
}
