//! Each recorded catalogue record gives what the original extracted from it, but for what is mended on purpose. Every such
//! difference is listed here with its reason; there are no others.

use edeposit_aleph::AlephError;
use edeposit_aleph::messages::{AlephRecord, Loose};
use edeposit_serializers::{Value, to_value};
use serde_json::json;

const MARC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../marc/testdata");

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{MARC}/{name}")).unwrap()
}

fn build(xml: String) -> Result<AlephRecord, AlephError> {
    AlephRecord::from_xml(
        Some("nkc".to_owned()),
        "CZE01".to_owned(),
        Loose::from("1"),
        xml,
    )
}

/// A field that is read differently: its name, the original's value, ours.
type Mended = (&'static str, Value, Value);

/// Compares a record with the recorded one after applying the mended fields to it.
fn check(name: &str, xml: String, parsed: &Value, semantic: &Value, mended: &[Mended]) {
    let record = to_value(&build(xml).unwrap()).unwrap();
    let mut expected = parsed.clone();
    for (field, original, ours) in mended {
        assert_eq!(
            expected[*field], *original,
            "{name}: the original's {field}"
        );
        expected[*field] = ours.clone();
    }
    assert_eq!(record["parsed_info"], expected, "{name}");
    assert_eq!(record["semantic_info"], *semantic, "{name}");
}

fn author(first: &str, last: &str, title: &str) -> Value {
    json!({"__nt_name": "Author", "firstName": first, "lastName": last, "title": title})
}

#[test]
fn sample_records() {
    let records: [(&str, Vec<Mended>); 6] = [
        ("monograph_languages", vec![]),
        ("monograph_unix", vec![]),
        ("no_publisher", vec![]),
        ("periodical_pevnost", vec![]),
        (
            "multivolume_lipa",
            vec![
                // 245 $n is the number of the part, $p its name; the original had them the wrong way round
                ("castDil", json!("Čas květu"), json!("Díl druhý")),
                ("nazevCasti", json!("Díl druhý"), json!("Čas květu")),
                // no comma at the end of a name
                (
                    "autori",
                    json!([author("Ludmila,", "Podlipná", "")]),
                    json!([author("Ludmila", "Podlipná", "")]),
                ),
            ],
        ),
        (
            "isbns_authors_urls",
            vec![
                // XML entities are decoded
                (
                    "nazev",
                    json!("Voda &amp; oheň v \"našem\" domě"),
                    json!("Voda & oheň v \"našem\" domě"),
                ),
                (
                    "podnazev",
                    json!("příručka &lt;nejen&gt; pro topiče"),
                    json!("příručka <nejen> pro topiče"),
                ),
                (
                    "nakladatelVydavatel",
                    json!("Horák &amp; syn"),
                    json!("Horák & syn"),
                ),
                // no commas at the ends of names, and no empty person for indicators without meaning
                (
                    "autori",
                    json!([
                        author("Bohumil,", "Čermák", "Ing., CSc."),
                        author("Eva,", "Dvořáková", ""),
                        author("Irena,", "Horáková", ""),
                        author("Kolář", "Jan", ""),
                        author("", "Žalud", ""),
                        author("Kosmas, II.,", "kronikář", ""),
                        author("", "", ""),
                    ]),
                    json!([
                        author("Bohumil", "Čermák", "Ing., CSc."),
                        author("Eva", "Dvořáková", ""),
                        author("Irena", "Horáková", ""),
                        author("Kolář", "Jan", ""),
                        author("", "Žalud", ""),
                        author("Kosmas II.", "kronikář", ""),
                    ]),
                ),
            ],
        ),
    ];
    for (name, mended) in records {
        let recorded: Value =
            serde_json::from_str(&read(&format!("{name}.epublication.json"))).unwrap();
        let (parsed, semantic) = (
            &recorded["parsed_info"]["value"],
            &recorded["semantic_info"]["value"],
        );
        check(
            name,
            read(&format!("{name}.xml")),
            parsed,
            semantic,
            &mended,
        );
    }
}

#[test]
fn a_deleted_record_is_not_found() {
    let recorded: Value = serde_json::from_str(&read("deleted_oai.epublication.json")).unwrap();
    let error = build(read("deleted_oai.xml")).unwrap_err();
    assert_raises(error, &recorded["AlephRecord"]["raises"]);

    // its semantic info is read all the same
    let record = edeposit_marc::Record::from_xml(&read("deleted_oai.xml")).unwrap();
    let semantic = edeposit_aleph::messages::SemanticInfo::from(&record);
    assert_eq!(
        to_value(&semantic).unwrap(),
        recorded["semantic_info"]["value"]
    );
}

#[test]
fn edge_cases() {
    let cases: Vec<Value> = serde_json::from_str(&read("edge_cases.json")).unwrap();
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let (name, xml) = (
            case["name"].as_str().unwrap(),
            case["xml"].as_str().unwrap().to_owned(),
        );
        let recorded = &case["AlephRecord"];
        match (name, &recorded["raises"]) {
            // a record without leader is monographic; the original could not take its length
            ("no leader", raises) => {
                assert_eq!(raises["exception_name"], "TypeError");
                let record = to_value(&build(xml).unwrap()).unwrap();
                assert_eq!(record["parsed_info"]["nazev"], "Název");
                assert_eq!(record["semantic_info"]["__nt_name"], "SemanticInfo");
            }
            (_, Value::Null) => {
                assert_eq!(
                    to_value(&build(xml).unwrap()).unwrap(),
                    recorded["value"],
                    "{name}"
                );
            }
            (_, raises) => assert_raises(build(xml).unwrap_err(), raises),
        }
    }
}

fn assert_raises(error: AlephError, raises: &Value) {
    let exception = edeposit_amqpdaemon::Exception::from(error);
    assert_eq!(raises["exception_type"], *exception.kind);
    assert_eq!(raises["exception_name"], *exception.name);
    assert_eq!(raises["exception"], *exception.message);
    assert_eq!(raises["body"], exception.body_text());
}

/// The records inside the recorded messages were filled by the original too.
#[test]
fn records_in_messages() {
    let mut compared = 0;
    for message in edeposit_testkit::wire::recorded("aleph") {
        if message.kind != "AlephRecord" {
            continue;
        }
        let record: Value = serde_json::from_str(&message.wire).unwrap();
        let xml = record["xml"].as_str().unwrap();
        if !xml.is_empty() {
            check(
                "",
                xml.to_owned(),
                &record["parsed_info"],
                &record["semantic_info"],
                &[],
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}

/// A serial in plain MARCXML has no FMT; only the leader tells.
#[test]
fn a_serial_without_fmt_is_a_periodical() {
    let xml = r#"<record><leader>-----nas-a22------i-4500</leader>
        <datafield tag="022" ind1=" " ind2=" "><subfield code="a">1805-9999</subfield></datafield>
        <datafield tag="IST" ind1="1" ind2=" "><subfield code="a">sk2024 0111</subfield><subfield code="b">akviz</subfield></datafield>
        <datafield tag="STZ" ind1=" " ind2=" "><subfield code="a">x</subfield></datafield></record>"#;
    let record = to_value(&build(xml.to_owned()).unwrap()).unwrap();
    assert_eq!(record["parsed_info"]["__nt_name"], "EPeriodical");
    assert_eq!(record["parsed_info"]["ISSN"], json!(["1805-9999"]));
    let semantic = &record["semantic_info"];
    assert_eq!(semantic["__nt_name"], "EPeriodicalSemanticInfo");
    // a sign of acquisition counts without copies; the notes do not
    assert_eq!(semantic["hasAcquisitionFields"], true);
    assert_eq!(
        semantic["acquisitionFields"],
        json!(["sk20240111", "akviz"])
    );
}
