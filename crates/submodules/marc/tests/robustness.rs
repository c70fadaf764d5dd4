//! Whatever comes over the network, reading it ends with a record or an error, never with a panic.

use edeposit_marc::{Record, Records};
use proptest::prelude::*;

/// Reads a document and asks for everything there is to ask.
fn exercise(xml: &str) {
    for record in Records::new(xml).flatten() {
        let _ = (record.kind(), record.persons(), record.corporations());
        let _ = (record.bindings(), record.isbns(), record.issns());
        let _ = (record.signs("jp2"), record.summary_record_number());
        let _ = (record.publisher(), record.place(), record.date());
        for id in record.controlfields.keys().chain(record.datafields.keys()) {
            let _ = record.lookup(id);
            let _ = record.get(id, 'a', None, None);
        }
    }
    let _ = Record::from_xml(xml);
}

const RECORD: &str = include_str!("../testdata/isbns_authors_urls.xml");

/// Pieces that make documents which are nearly right.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<record>".to_owned()),
        Just("</record>".to_owned()),
        Just("<oai_marc>".to_owned()),
        Just("</oai_marc>".to_owned()),
        Just("<leader>".to_owned()),
        Just("</leader>".to_owned()),
        Just("<varfield id='245' i1='1'>".to_owned()),
        Just("</varfield>".to_owned()),
        Just("<datafield tag='100' ind1='1'>".to_owned()),
        Just("</datafield>".to_owned()),
        Just("<controlfield tag='001'>".to_owned()),
        Just("</controlfield>".to_owned()),
        Just("<subfield code='a' label='b'>".to_owned()),
        Just("</subfield>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("<!DOCTYPE x [".to_owned()),
        "&#?[a-z0-9]{0,4};?",
        "[ -,:;(\\[ěščř0-9]{0,6}",
    ]
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_in_a_record(text in ".{0,80}", code in any::<char>(), tag in ".{0,4}") {
        exercise(&format!("<record><leader>{text}</leader><datafield tag='{tag}' ind1='{code}'>\
            <subfield code='{code}'>{text}</subfield></datafield></record>"));
    }

    #[test]
    fn nearly_records(pieces in prop::collection::vec(piece(), 0..40)) {
        exercise(&pieces.concat());
    }

    #[test]
    fn a_real_record_with_a_byte_changed_or_cut_off(at in 0..RECORD.len(), byte in any::<u8>()) {
        let mut changed = RECORD.as_bytes().to_vec();
        changed[at] = byte;
        exercise(&String::from_utf8_lossy(&changed));
        exercise(&String::from_utf8_lossy(&RECORD.as_bytes()[..at]));
    }

    /// What is put into a subfield comes out of it.
    #[test]
    fn values_survive(text in "[^\\p{C}]{0,40}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let xml = format!("<record><datafield tag='245'><subfield code='a'>{escaped}</subfield></datafield></record>");
        let record = Record::from_xml(&xml).unwrap();
        prop_assert_eq!(record.get("245", 'a', None, None).unwrap(), [text.trim_matches(' ')]);
    }
}
