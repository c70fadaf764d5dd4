//! States of packages: asking for them, and what an export makes of earlier ones.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{Place, U, request, request_with};
use edeposit_ltp::messages::ExportRequest;
use edeposit_testkit::sip;

/// The archive's side: renames the package.
fn rename(place: &Place, from: &str, to: &str) {
    let name = |name: &str| place.path(&name.replace('U', U));
    fs::rename(name(from), name(to)).unwrap();
}

#[test]
fn from_delivered_to_done_and_again() {
    let place = Place::new();
    assert_eq!(
        place.track().unwrap_err().to_string(),
        format!("UUID {U} not found!")
    );
    place.exported(&request());
    assert_eq!(place.track().unwrap(), ("complete_".to_owned(), false));
    for (state, text, exported) in [
        ("loading_U", "loading_", false),
        ("error_U", "error_", false),
        ("U_ok", "_ok", true),
        ("Done_U", "Done_", true),
    ] {
        rename(&place, "complete_U", state);
        assert_eq!(place.track().unwrap(), (text.to_owned(), exported));
        // Defect 5: the state of an earlier export stayed beside the new one.
        place.exported(&request());
        assert_eq!(place.track().unwrap(), ("complete_".to_owned(), false));
    }
}

/// Defect 3: the second package was moved into the first.
#[test]
fn a_package_in_place_of_another() {
    let place = Place::new();
    place.exported(&request_with(&[1; 5000]));
    // what the archive has put into it goes with it
    fs::create_dir_all(place.package().join("deep/er")).unwrap();
    fs::write(place.package().join("deep/er/report"), "x").unwrap();
    let book = ExportRequest {
        filename: "x.pdf".to_owned(),
        ..request_with(&[2; 3000])
    };
    place.exported(&book);
    let file = place.package().join(format!("original/oc_{U}.pdf"));
    assert_eq!(fs::read(file).unwrap(), [2; 3000]);
    // A bare directory was a package for the original, too.
    rename(&place, "complete_U", "U");
    assert_eq!(place.track().unwrap(), (String::new(), false));
    place.exported(&request());
}

/// Defect 5: of several states the one that counts, always the same.
#[test]
fn the_order_of_states() {
    let place = Place::new();
    for (state, expected) in [
        (U.to_owned(), ("", false)),
        (format!("complete_{U}"), ("complete_", false)),
        (format!("wait_{U}"), ("wait_", false)),
        (format!("error_{U}"), ("error_", false)),
        (format!("success_{U}"), ("success_", true)),
        (format!("{U}_OK"), ("_OK", true)),
    ] {
        fs::create_dir(place.path(&state)).unwrap();
        let (text, exported) = place.track().unwrap();
        assert_eq!((text.as_str(), exported), expected, "{state}");
    }
}

/// Defect 5: only directories are packages.
#[test]
fn files_and_links_are_no_states() {
    let place = Place::new();
    fs::write(place.path(&format!("done_{U}")), "").unwrap();
    fs::create_dir(place.home.path().join("elsewhere")).unwrap();
    symlink(
        place.home.path().join("elsewhere"),
        place.path(&format!("ok_{U}")),
    )
    .unwrap();
    fs::create_dir(place.path(&format!(".tmp-12345678-{U}"))).unwrap();
    assert!(place.track().is_err());
    // They do not stand in the way of an export either, and stay.
    symlink(place.home.path().join("elsewhere"), place.package()).unwrap();
    place.export(&request()).unwrap();
    sip::verify(&place.package(), U).unwrap();
    assert!(place.home.path().join("elsewhere").is_dir());
    assert!(place.path(&format!("done_{U}")).is_file());
}

/// Defect 8: the id of a book in the id of another one.
#[test]
fn the_book_next_door_is_left_alone() {
    let place = Place::new();
    let book = |id: &str| ExportRequest {
        book_uuid: id.to_owned(),
        ..request()
    };
    for id in ["12", "a_1", "1"] {
        place.export(&book(id)).unwrap();
    }
    place.export(&book("1")).unwrap();
    assert_eq!(
        sip::visible(&place.out()).unwrap(),
        ["complete_1", "complete_12", "complete_a_1"]
    );
    fs::rename(place.path("complete_12"), place.path("done_12")).unwrap();
    fs::rename(place.path("complete_a_1"), place.path("done_a_1")).unwrap();
    assert_eq!(place.ltp.track("1").unwrap().error, "complete_");
    assert!(place.ltp.track("12").unwrap().exported);
    assert!(place.ltp.track("a_1").unwrap().exported);
    assert!(place.ltp.track("2").is_err());
    assert!(place.ltp.track("").is_err());
}

/// What is called like a state of the book, and has no info file to say so, is not deleted.
#[test]
fn a_state_of_unknown_contents_is_set_aside() {
    let place = Place::new();
    let state = place.path(&format!("error_{U}"));
    fs::create_dir(&state).unwrap();
    fs::write(state.join("report.txt"), "damaged").unwrap();
    place.export(&request()).unwrap();
    assert_eq!(place.track().unwrap().0, "complete_");
    let aside = sip::rubbish(&place.out()).unwrap();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].starts_with(".old-") && aside[0].ends_with(&format!("-error_{U}")));
    let report = place.path(&aside[0]).join("report.txt");
    assert_eq!(fs::read_to_string(report).unwrap(), "damaged");
}
