//! What a hostile document costs: time grows as the document does, and so does what is made of it.

use std::time::{Duration, Instant};

use edeposit_marc::{DataField, Limits, Record, Records, Subfield};

/// How many times longer eight times as much takes: 8 if the time is linear in the amount, 64 if it is quadratic. The
/// best of three counts, for a busy machine only ever adds.
fn growth(mut work: impl FnMut(usize), amount: usize) -> f64 {
    let mut best = |amount| {
        let once = |_| {
            let started = Instant::now();
            work(amount);
            started.elapsed()
        };
        (0..3).map(once).min().unwrap_or(Duration::ZERO)
    };
    best(8 * amount).as_secs_f64() / best(amount).as_secs_f64()
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
    let work = |count| {
        let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
        let xml = format!("<record><datafield tag='245'{attributes}/></record>");
        let record = Records::with_limits(&xml, limits).next().unwrap().unwrap();
        assert_eq!(record.fields("245").len(), 1);
    };
    let growth = growth(work, 5_000);
    assert!(growth < 24.0, "{growth}");
}

/// So would be looking for each number among all invalid ones.
#[test]
fn many_invalid_numbers() {
    for id in ["020", "022"] {
        let work = |count| {
            let valid = (0..count).map(|n| subfield('a', format!("80-{n:06}")));
            let invalid = (0..count).map(|n| subfield('z', format!("81-{n:06}")));
            let record = record(id, valid.chain(invalid).collect());
            assert_eq!(record.isbns().len() + record.issns().len(), count);
        };
        let growth = growth(work, 2_000);
        assert!(growth < 24.0, "{id}: {growth}");
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
