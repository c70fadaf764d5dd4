//! The recorded records: kind, dialect and state. What becomes of the other values is tested with the messages of the
//! `aleph` daemon, which are made of them.

use edeposit_marc::{Dialect, Record};
use serde_json::Value;

#[test]
fn kinds_dialects_and_states() {
    // (record, the original's kind, ours, deleted)
    let records = [
        // position 7 and 19 of the leader are read now, so a single volume is known as such
        ("deleted_oai", "monographic", "single_unit", true),
        ("isbns_authors_urls", "monographic", "single_unit", false),
        ("monograph_languages", "monographic", "single_unit", false),
        ("monograph_unix", "monographic", "single_unit", false),
        (
            "multivolume_lipa",
            "multipart_monograph",
            "multipart_monograph",
            false,
        ),
        ("no_publisher", "monographic", "single_unit", false),
        ("periodical_pevnost", "continuing", "continuing", false),
    ];
    for (name, original, ours, deleted) in records {
        let path =
            |extension| format!("{}/testdata/{name}.{extension}", env!("CARGO_MANIFEST_DIR"));
        let xml = std::fs::read_to_string(path("xml")).unwrap();
        let recorded = std::fs::read_to_string(path("epublication.json")).unwrap();
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let record = Record::from_xml(&xml).unwrap();

        assert_eq!(recorded["pub_type"], original, "{name}");
        assert_eq!(record.kind().as_str(), ours, "{name}");
        assert_eq!(
            recorded["oai_marc"],
            record.dialect == Dialect::OaiMarc,
            "{name}"
        );
        assert_eq!(record.is_deleted(), deleted, "{name}");
    }
}
