//! What is in a package.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{Place, U, request, request_with};
use edeposit_ltp::Algorithm;
use edeposit_ltp::messages::ExportRequest;
use edeposit_testkit::sip;

/// File by file, by programs that are not ours.
#[test]
fn a_real_book() {
    let place = Place::new();
    let book = sip::epub(100_000).unwrap();
    place.exported(&request_with(&book));
    let name = format!("original/oc_{U}.epub");
    assert_eq!(std::fs::read(place.package().join(&name)).unwrap(), book);
    let list = "find . -mindepth 1 | sort";
    assert_eq!(
        sip::run(&place.package(), list).unwrap(),
        format!(
            "./MD5_{U}.md5\n./info_{U}.xml\n./metadata\n./metadata/mods_volume.xml\n./original\n./{name}\n"
        )
    );
    let info = std::fs::read_to_string(place.package().join(format!("info_{U}.xml"))).unwrap();
    let sizes = "stat -c %s MD5_*.md5 metadata/* original/*";
    let sizes = sip::run(&place.package(), sizes).unwrap();
    let size: u64 = sizes.lines().map(|line| line.parse::<u64>().unwrap()).sum();
    assert!(
        info.contains(&format!("<size>{}</size>", size / 1024)),
        "{info}"
    );
    assert!(
        info.contains(&format!(
            "<itemlist itemtotal=\"2\">\n\t\t<item>/{name}</item>\n\t\t<item>/metadata/mods_volume.xml</item>\n\t</itemlist>"
        )),
        "{info}"
    );
    let urn = ExportRequest {
        urn_nbn: Some(String::new()),
        ..request()
    };
    place.exported(&urn);
    let info = std::fs::read_to_string(place.package().join(format!("info_{U}.xml"))).unwrap();
    assert!(!info.contains("urnnbn"), "{info}");
}

/// Defect 11: whatever the publisher calls the file, its name in the package is harmless.
#[test]
fn hostile_file_names() {
    let place = Place::new();
    for (filename, name) in [
        ("A.PDF".to_owned(), "PDF"),
        ("x.e/../../../pwned".to_owned(), "pwned"),
        ("x.\n<item>".to_owned(), "bin"),
        (format!("x.{}", "y".repeat(200)), "bin"),
        ("x.\0".to_owned(), "bin"),
    ] {
        place.exported(&ExportRequest {
            filename,
            ..request()
        });
        let file = place.package().join(format!("original/oc_{U}.{name}"));
        assert!(file.is_file(), "{name}");
    }
}

/// The manifests of other algorithms beside MD5, by coreutils.
#[test]
fn other_checksums() {
    let place = Place::with(|settings| {
        settings.checksums = vec![Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512];
    });
    place.exported(&request_with(&sip::epub(1000).unwrap()));
    for (manifest, program) in [
        (format!("SHA256_{U}.sha256"), "sha256sum"),
        (format!("SHA512_{U}.sha512"), "sha512sum"),
    ] {
        let command = format!("sed 's# /#  #' {manifest} | {program} -c --strict");
        let said = sip::run(&place.package(), &command).unwrap();
        assert_eq!(
            said,
            format!("metadata/mods_volume.xml: OK\noriginal/oc_{U}.epub: OK\n")
        );
    }
}

/// Base64 as mailers break it, and in the alphabet of addresses: characters outside the standard one are passed over.
#[test]
fn broken_lines() {
    let place = Place::new();
    let request = ExportRequest {
        b64_data: "UEsD\nBAoA-\r\n_AAAAAA==".to_owned(),
        ..request()
    };
    place.exported(&request);
    let name = format!("original/oc_{U}.epub");
    let read = std::fs::read(place.package().join(name)).unwrap();
    assert_eq!(read, b"PK\x03\x04\x0a\0\0\0\0\0");
}

/// Defect 6: packages were world-writable. Modes are the settings' whatever the umask; while it is built, nobody
/// else may look in.
#[test]
fn modes() {
    for (umask, dir_mode, file_mode) in [(0, 0o770, 0o660), (0o077, 0o2775, 0o644)] {
        // Other tests of this file do not look at modes.
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        let place = Place::with(|settings| {
            settings.dir_mode = dir_mode;
            settings.file_mode = file_mode;
        });
        place.export(&request()).unwrap();
        rustix::process::umask(before);
        let modes = |kind| {
            let command = format!("find . -type {kind} -printf '%m\\n' | sort -u");
            sip::run(&place.package(), &command).unwrap()
        };
        assert_eq!(modes('d'), format!("{dir_mode:o}\n"));
        assert_eq!(modes('f'), format!("{file_mode:o}\n"));
        let locks = std::fs::metadata(place.path(".locks")).unwrap();
        assert_eq!(locks.permissions().mode() & 0o777, 0o700);
    }
}
