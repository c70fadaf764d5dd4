//! Damaged records end with a record or an error; a good record of any content comes out as it was written.
//!
//! `robustness.rs` has text that was never a record. `PROPTEST_CASES=100000 cargo test -p edeposit-marc --test fuzz` tries
//! more.

use std::fmt::Write;

use edeposit_marc::{DataField, Dialect, Record, Records, Subfield};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const RECORDS: [&str; 7] = [
    include_str!("../testdata/deleted_oai.xml"),
    include_str!("../testdata/isbns_authors_urls.xml"),
    include_str!("../testdata/monograph_languages.xml"),
    include_str!("../testdata/monograph_unix.xml"),
    include_str!("../testdata/multivolume_lipa.xml"),
    include_str!("../testdata/no_publisher.xml"),
    include_str!("../testdata/periodical_pevnost.xml"),
];

/// Asks for everything there is to ask. What is made of a record is not much more than the record.
fn exercise(xml: &str) {
    for record in Records::new(xml).flatten() {
        let mut made = Vec::new();
        made.extend([
            record.title(),
            record.subtitle(),
            record.price(),
            record.part_number(),
        ]);
        made.extend([
            record.part_name(),
            record.publisher(),
            record.place(),
            record.date(),
        ]);
        made.extend([record.edition(), record.maker().to_owned(), record.format()]);
        made.extend(record.isbns().into_iter().chain(record.invalid_isbns()));
        made.extend(record.issns().into_iter().chain(record.invalid_issns()));
        made.extend(record.linking_issns().into_iter().chain(record.bindings()));
        made.extend(record.urls().into_iter().chain(record.internal_urls()));
        made.extend(
            record
                .originals()
                .into_iter()
                .chain(record.acquisition_notes()),
        );
        made.extend(record.signs("jp2").into_iter().chain(record.signs("sk")));
        let bytes: usize = made.iter().map(String::len).sum();
        assert!(bytes <= 4 * xml.len() + 1000, "{bytes} of {}", xml.len());
        let _ = (record.kind(), record.persons(), record.corporations());
        let _ = (
            record.is_closed(),
            record.is_deleted(),
            record.is_summary_record(),
        );
        let _ = (
            record.summary_record_number(),
            record.summary_record_note(),
            record.has_holdings(),
        );
    }
    let _ = Record::from_xml(xml);
}

/// Where to do something, where to take something from, and with what.
fn damage() -> impl Strategy<Value = Vec<(u8, Index, Index, char)>> {
    vec(
        (0..5_u8, any::<Index>(), any::<Index>(), any::<char>()),
        1..8,
    )
}

fn damaged(record: &str, damage: &[(u8, Index, Index, char)]) -> String {
    let mut characters: Vec<char> = record.chars().collect();
    for (what, at, to, character) in damage {
        if characters.is_empty() {
            break;
        }
        let (at, to) = (at.index(characters.len()), to.index(characters.len()));
        let range = at.min(to)..at.max(to);
        match what {
            0 => characters[at] = *character,
            1 => characters.insert(at, *character),
            2 => drop(characters.drain(range)),
            3 => {
                let copy = characters[range].to_vec();
                characters.splice(at..at, copy);
            }
            _ => characters.swap(at, to),
        }
    }
    characters.into_iter().collect()
}

/// A text without white space around it, as the reader gives it.
fn text() -> impl Strategy<Value = String> {
    "[^\\p{C}]{0,40}".prop_map(|text| text.trim().to_owned())
}

fn field() -> impl Strategy<Value = DataField> {
    let indicator = || select(vec![' ', '0', '1', '2', 'x']);
    let subfield = (select(vec!['a', 'b', 'c', 'z', '6', '-']), text())
        .prop_map(|(code, value)| Subfield { code, value });
    (indicator(), indicator(), vec(subfield, 0..6)).prop_map(|(ind1, ind2, subfields)| DataField {
        ind1,
        ind2,
        subfields,
    })
}

prop_compose! {
    fn record()(
        oai in any::<bool>(),
        leader in prop::option::of("[ 0-9a-z#]{24}"),
        control in vec((select(vec!["001", "003", "008", "FMT"]), text()), 0..4),
        data in vec((select(vec!["020", "100", "245", "260", "700", "910", "STZ"]), vec(field(), 1..4)), 0..6),
    ) -> Record {
        let mut record = Record {
            dialect: if oai { Dialect::OaiMarc } else { Dialect::MarcXml },
            ..Record::default()
        };
        record.controlfields = control.into_iter().map(|(id, text)| (id.to_owned(), text)).collect();
        record.datafields = data.into_iter().map(|(id, fields)| (id.to_owned(), fields)).collect();
        if oai {
            let ldr = leader.as_ref().map(|leader| ("LDR".to_owned(), leader.trim().to_owned()));
            record.controlfields.extend(ldr);
        }
        record.leader = leader;
        record
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
}

/// The record as its dialect is written.
fn write(record: &Record) -> String {
    let oai = record.dialect == Dialect::OaiMarc;
    let (control, tag, field, ind1, ind2, code) = if oai {
        ("fixfield", "id", "varfield", "i1", "i2", "label")
    } else {
        ("controlfield", "tag", "datafield", "ind1", "ind2", "code")
    };
    let mut xml = String::from(if oai {
        "<record><oai_marc>"
    } else {
        "<record>"
    });
    if let (Some(leader), false) = (&record.leader, oai) {
        let _ = write!(xml, "<leader>{leader}</leader>");
    }
    for (id, value) in &record.controlfields {
        let value = match (&record.leader, id.as_str()) {
            (Some(leader), "LDR") => leader,
            _ => value,
        };
        let _ = write!(xml, "<{control} {tag}='{id}'>{}</{control}>", escape(value));
    }
    for (id, fields) in &record.datafields {
        for one in fields {
            let _ = write!(
                xml,
                "<{field} {tag}='{id}' {ind1}='{}' {ind2}='{}'>",
                one.ind1, one.ind2
            );
            for subfield in &one.subfields {
                let _ = write!(
                    xml,
                    "<subfield {code}='{}'>{}</subfield>",
                    subfield.code,
                    escape(&subfield.value)
                );
            }
            let _ = write!(xml, "</{field}>");
        }
    }
    xml + if oai {
        "</oai_marc></record>"
    } else {
        "</record>"
    }
}

proptest! {
    #[test]
    fn fuzz_damaged_records(record in select(&RECORDS[..]), damage in damage()) {
        exercise(&damaged(record, &damage));
    }

    /// Two records, one begun inside the other.
    #[test]
    fn fuzz_records_in_each_other(one in select(&RECORDS[..]), two in select(&RECORDS[..]), from in any::<Index>(), to in any::<Index>()) {
        let (one, two): (Vec<char>, Vec<char>) = (one.chars().collect(), two.chars().collect());
        let mixed = one[..from.index(one.len())].iter().chain(&two[to.index(two.len())..]);
        exercise(&mixed.collect::<String>());
    }

    #[test]
    fn fuzz_any_record_comes_out_as_it_was_written(record in record()) {
        let read = Record::from_xml(&write(&record));
        let read = read.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&read, &record);
        exercise(&write(&record));
    }
}
