//! Processes that die in the middle, several at once, and an archive that looks on: never half a package.

mod common;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Place, U, request, request_with, settings};
use edeposit_ltp::Ltp;
use edeposit_testkit::sip::{self, Change, Watch};
use edeposit_testkit::{PATIENCE, poll_until, random};
use tokio_util::sync::CancellationToken;

/// The directory a child process exports into, see [`child`].
const CHILD: &str = "EDEPOSIT_LTP_CHILD";

/// How many processes are killed.
const KILLS: u32 = 60;

/// Not a test but a process of its own for one: exports a large file again and again.
#[test]
#[ignore = "run by another test"]
fn child() {
    let out = std::env::var_os(CHILD).unwrap();
    let ltp = Ltp::new(settings(out.as_ref())).unwrap();
    let request = request_with(&vec![9; 3_000_000]);
    println!("ready");
    loop {
        ltp.export(&request, &CancellationToken::new()).unwrap();
    }
}

/// kill -9 at random moments of an export: a package there is a whole one, and the next start leaves only that.
/// Also defect 7: leftovers stayed for ever.
#[test]
fn killed_at_random_moments() {
    let place = Place::new();
    let mut moments = random();
    let mut with_leftovers = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(CHILD, place.out())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        poll_until("an export begins", PATIENCE, || {
            let busy = !sip::rubbish(&place.out())?.is_empty();
            Ok(busy.then_some(()))
        })
        .unwrap();
        // The moment is what is random here; nothing is waited for.
        std::thread::sleep(Duration::from_micros(moments.u64(..400_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        if place.package().exists() {
            sip::verify(&place.package(), U).unwrap();
        }
        let left = sip::rubbish(&place.out()).unwrap();
        with_leftovers += u32::from(left.iter().any(|name| name.starts_with(".tmp-")));
        // A start, in which nothing is exported.
        Ltp::new(settings(&place.out())).unwrap();
        place.clean();
        let visible = sip::visible(&place.out()).unwrap();
        assert!(visible.is_empty() || visible == [format!("complete_{U}")]);
    }
    assert!(
        with_leftovers > KILLS / 10,
        "only {with_leftovers} were in the middle of it"
    );
    place.exported(&request());
}

/// A start leaves alone what another living process works on. Also defect 15.
#[test]
fn the_work_of_others_is_not_rubbish() {
    let place = Place::new();
    let mut starts = 0;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            for _ in 0..20 {
                let request = request_with(&vec![5; 300_000]);
                place.export(&request).unwrap();
            }
        });
        while !other.is_finished() {
            Ltp::new(settings(&place.out())).unwrap();
            starts += 1;
        }
    });
    assert!(starts > 3);
    place.exported(&request());
}

/// Defect 15: several requests for the same book at once, here of two daemons with four threads each. One after
/// the other, and whole.
#[test]
fn the_same_book_at_once() {
    let place = Place::new();
    let other = Ltp::new(settings(&place.out())).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8_u8 {
            let ltp = if number % 2 == 0 { &place.ltp } else { &other };
            scope.spawn(move || {
                for size in 0..5 {
                    let data = vec![number; 10_000 * (size + 1)];
                    ltp.export(&request_with(&data), &CancellationToken::new())
                        .unwrap();
                }
            });
        }
    });
    sip::verify(&place.package(), U).unwrap();
    let file = place.package().join(format!("original/oc_{U}.epub"));
    let data = std::fs::read(file).unwrap();
    assert!(data.len() == 50_000 && data.iter().all(|byte| *byte == data[0]));
    assert_eq!(
        sip::visible(&place.out()).unwrap(),
        [format!("complete_{U}")]
    );
    place.clean();
}

/// Defect 4: what an onlooker sees of an export is one rename, and of the next one the exchange.
#[test]
fn one_rename() {
    let place = Place::new();
    let watch = Watch::new(&place.out()).unwrap();
    let target = format!("complete_{U}");
    place.export(&request_with(&vec![3; 1_000_000])).unwrap();
    assert_eq!(watch.changes().unwrap(), [Change::MovedTo(target.clone())]);
    place.export(&request_with(&vec![4; 1_000_000])).unwrap();
    // one system call, told in two halves: the earlier package leaves and the new one comes
    let mut changes = watch.changes().unwrap();
    changes.sort_by_key(|change| matches!(change, Change::MovedTo(_)));
    assert_eq!(
        changes,
        [Change::MovedFrom(target.clone()), Change::MovedTo(target)]
    );
}

/// Defect 4: whenever the archive looks, there is a package, and its files are all there.
#[test]
fn whoever_looks_sees_a_whole_package() {
    const EXPORTS: usize = 300;
    let place = Place::new();
    place.export(&request_with(&[1; 1000])).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..EXPORTS {
                place.export(&request_with(&[2; 50_000])).unwrap();
            }
            ended.store(true, Ordering::Relaxed);
        });
        while !ended.load(Ordering::Relaxed) {
            look(&place.package());
        }
    });
}

/// The package is there, and what is there is whole; unless it was replaced during the look.
fn look(package: &Path) {
    let identity = || std::fs::metadata(package).unwrap().ino();
    let before = identity();
    let parts = [
        format!("info_{U}.xml"),
        format!("MD5_{U}.md5"),
        format!("original/oc_{U}.epub"),
        "metadata/mods_volume.xml".to_owned(),
    ];
    let missing: Vec<_> = parts
        .iter()
        .filter(|part| !package.join(part).exists())
        .collect();
    let info = std::fs::read_to_string(package.join(&parts[0])).unwrap_or_default();
    if identity() == before {
        assert!(missing.is_empty(), "{missing:?}");
        assert!(info.ends_with("</info>"), "{info}");
    }
}
