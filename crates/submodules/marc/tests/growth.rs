//! What a hostile document costs: work grows as the document does, and so does what is made of it.

use std::sync::mpsc;
use std::thread;

use edeposit_testkit::PATIENCE;

use edeposit_marc::{DataField, Limits, Record, Records, Subfield};

/// So much that work linear in it is done in a second or two, while quadratic work would take hours.
const MUCH: usize = 400_000;

/// Work that ends at all, with [`MUCH`] of what it is about.
fn ends(what: &str, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let working = thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match is_done.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: this does not end"),
        _ => working.join().unwrap(),
    }
}

fn subfield(code: char, value: impl Into<String>) -> Subfield {
    let value = value.into();
    Subfield { code, value }
}

/// A record of one field.
fn record(id: &str, subfields: Vec<Subfield>) -> Record {
    let (ind1, ind2) = ('1', ' ');
    let field = DataField {
        ind1,
        ind2,
        subfields,
    };
    let mut record = Record::default();
    record.datafields.insert(id.to_owned(), vec![field]);
    record
}

/// Comparing each attribute with all before it, as XML readers do to find duplicates, would be quadratic.
#[test]
fn many_attributes() {
    let limits = Limits {
        record: usize::MAX,
        ..Limits::default()
    };
    ends("attributes", move || {
        let attributes: String = (0..MUCH).map(|n| format!(" a{n}=''")).collect();
        let xml = format!("<record><datafield tag='245'{attributes}/></record>");
        let record = Records::with_limits(&xml, limits).next().unwrap().unwrap();
        assert_eq!(record.fields("245").len(), 1);
    });
}

/// So would be looking for each number among all invalid ones.
#[test]
fn many_invalid_numbers() {
    for id in ["020", "022"] {
        ends(id, move || {
            let valid = (0..MUCH).map(|n| subfield('a', format!("80-{n:06}")));
            let invalid = (0..MUCH).map(|n| subfield('z', format!("81-{n:06}")));
            let record = record(id, valid.chain(invalid).collect());
            assert_eq!(record.isbns().len() + record.issns().len(), MUCH);
        });
    }
}

/// A megabyte in one field, half of it names or signs, must not become hundreds of megabytes by repeating the other half
/// for each of them.
#[test]
fn many_names_or_signs_in_one_field() {
    let long = "x".repeat(60_000);
    let field = |id| {
        let mut subfields: Vec<_> = (0..490).map(|_| subfield('a', "jp2, a")).collect();
        subfields.extend("bcdbcd".chars().map(|code| subfield(code, long.as_str())));
        record(id, subfields)
    };
    let input = 6 * long.len();
    let persons = field("100").persons();
    let of_persons: usize = persons
        .iter()
        .map(|p| p.name.len() + p.second_name.len() + p.surname.len() + p.title.len())
        .sum();
    let corporations = field("110").corporations();
    let of_corporations: usize = corporations
        .iter()
        .map(|c| c.name.len() + c.place.len() + c.date.len())
        .sum();
    let signs = field("IST").signs("jp2");
    let of_signs: usize = signs.iter().map(String::len).sum();
    for (what, output) in [
        ("persons", of_persons),
        ("corporations", of_corporations),
        ("signs", of_signs),
    ] {
        assert!(output > 0 && output <= 9 * input, "{what}: {output}");
    }
}
