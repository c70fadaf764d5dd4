//! Random records with every field of the mapping.

mod common;

use common::{canonical, compat, validate};
use edeposit_marcxml2mods::{CaseSelection, Settings, convert, oai_to_marcxml};
use proptest::prelude::*;

const FIELDS: &[&str] = &[
    "010", "015", "020", "022", "024", "028", "033", "034", "035", "037", "040", "041", "043",
    "044", "045", "046", "047", "050", "060", "080", "082", "084", "086", "100", "110", "111",
    "130", "210", "240", "242", "245", "246", "250", "255", "256", "260", "264", "300", "310",
    "321", "351", "362", "440", "490", "500", "501", "502", "504", "505", "506", "508", "510",
    "511", "518", "520", "521", "530", "534", "540", "547", "583", "586", "590", "600", "610",
    "611", "630", "648", "650", "651", "653", "655", "656", "662", "700", "710", "711", "720",
    "730", "740", "752", "760", "762", "765", "767", "770", "772", "773", "774", "775", "776",
    "780", "785", "786", "800", "810", "811", "830", "852", "856", "880", "910", "BAS", "POV",
];

/// A record as the tests make it, to be written in either dialect.
#[derive(Debug, Clone)]
struct Random {
    leader: Option<String>,
    controls: Vec<(&'static str, String)>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    tag: &'static str,
    indicators: (char, char),
    subfields: Vec<(char, String)>,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\r', "&#13;")
}

impl Random {
    fn marcxml(&self) -> String {
        let mut xml = String::from("<record>");
        if let Some(leader) = &self.leader {
            xml += &format!("<leader>{}</leader>", escape(leader));
        }
        for (tag, text) in &self.controls {
            xml += &format!(
                "<controlfield tag=\"{tag}\">{}</controlfield>",
                escape(text)
            );
        }
        for field in &self.fields {
            let (one, two) = field.indicators;
            xml += &format!(
                "<datafield tag=\"{}\" ind1=\"{one}\" ind2=\"{two}\">",
                field.tag
            );
            for (code, text) in &field.subfields {
                xml += &format!("<subfield code=\"{code}\">{}</subfield>", escape(text));
            }
            xml += "</datafield>";
        }
        xml + "</record>"
    }

    fn oai(&self) -> String {
        self.marcxml()
            .replace("<record>", "<record><metadata><oai_marc>")
            .replace("</record>", "</oai_marc></metadata></record>")
            .replace("<leader>", "<fixfield id=\"LDR\">")
            .replace("</leader>", "</fixfield>")
            .replace("<controlfield tag", "<fixfield id")
            .replace("</controlfield>", "</fixfield>")
            .replace("<datafield tag", "<varfield id")
            .replace("</datafield>", "</varfield>")
            .replace(" ind1=", " i1=")
            .replace(" ind2=", " i2=")
            .replace("<subfield code", "<subfield label")
    }
}

/// Without characters that no XML may have.
fn legal(text: &str) -> String {
    let is_legal = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars()
        .filter(|c| is_legal(c) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect()
}

fn odd_value() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Zčžý ]{0,12}",
        "[-.:,;/\\[\\]() ]{0,6}",
        "[<>&\"'\\\\\t\n\r\u{a0}\u{b}|#]{0,6}".prop_map(|text| text.replace('\u{b}', "")),
        Just("880-01/(N".to_owned()),
        "(100|245|250|260|300|520|650|653|856|910)-0[12](/\\([N2]|/\\$1)?",
        "8\\(OCoLC\\)[0-9 ]{0,4}",
        "urn:hdl:x|hdl:x|http://hdl.loc.gov/loc|http://a.example/\\?b=1&c=<x>",
        "cze|eng|czeeng|rfc3066|d1990|c0200|96:4:3<10",
        "\\PC{0,8}",
    ];
    (word.clone(), word).prop_map(|(one, two)| legal(&(one + &two)))
}

fn clean_value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[A-Za-zčžý0-9]{1,10}( [a-z]{1,8}){0,3}[ ]?[.:,;/]?",
        1 => Just("http://a.example/x".to_owned()),
    ]
}

fn control() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let f008 = "[0-9 |-]{6}[bcdeikmnpqrstu|]([0-9]{4}|[|-]{4}|    ){2}(xr |xr-|enk|\\|\\|\\|)[a-z0-9 #|-]{17}(cze|eng|cz-|\\|\\|\\|| {3})[ a-z]{0,2}";
    let control = prop_oneof![
        f008.prop_map(|text| ("008", text)),
        "[acdfghkmoqrstv][a-z|](.{0,6})?[a-z]{0,8}".prop_map(|text| ("007", legal(&text))),
        "[a-z0-9 &<]{0,12}".prop_map(|text| ("001", text)),
        Just(("003", "CZ-PrNK".to_owned())),
        Just(("005", "20240224090043.0".to_owned())),
        Just(("FMT", "SE".to_owned())),
    ];
    prop::collection::vec(control, 0..6)
}

fn random(
    value: impl Strategy<Value = String> + Clone + 'static,
    fields: &'static [&'static str],
    indicators: &'static str,
    codes: &'static str,
) -> impl Strategy<Value = Random> {
    let of = |set: &'static str| prop::sample::select(set.chars().collect::<Vec<_>>());
    let field = (
        prop::sample::select(fields),
        (of(indicators), of(indicators)),
        prop::collection::vec((of(codes), value), 0..7),
    )
        .prop_map(|(tag, indicators, subfields)| Field {
            tag,
            indicators,
            subfields,
        });
    let leader = "[0-9]{5}n[acdefgijkmoprt ][abcdims ] a2200000 [ai ][a -]4500".prop_map(Some);
    let leader = prop_oneof![6 => leader, 1 => Just(None), 1 => "x[a-z -]{0,30}x".prop_map(Some)];
    (leader, control(), prop::collection::vec(field, 0..25)).prop_map(
        |(leader, controls, fields)| Random {
            leader,
            controls,
            fields,
        },
    )
}

fn odd() -> impl Strategy<Value = Random> {
    random(
        odd_value().boxed(),
        FIELDS,
        "0123456789  -#x",
        "abcdefghijklmnopqrstuvwxyz0123456789AZaaab",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// No panic; a well-formed document, always the same, not out of proportion, with one UUID and one address of its own.
    #[test]
    fn any_record_becomes_a_document(record in odd(), url in "\\PC{0,20}") {
        let xml = record.marcxml();
        for byte_compat in [false, true] {
            for case_selection in CaseSelection::ALL {
                let settings = Settings { case_selection, byte_compat, ..Settings::default() };
                let convert = || convert(&xml, Some("u-1"), Some(&url), &settings).unwrap();
                let documents = convert();
                prop_assert_eq!(documents.len(), 1);
                let document = &documents[0];
                prop_assert_eq!(&documents, &convert());
                let events = canonical(document);
                prop_assert!(document.len() < 8_000 + 60 * (xml.len() + url.len()));
                let own = document.matches("<mods:identifier type=\"uuid\">u-1<").count();
                prop_assert_eq!(own, 1);
                let locators = events.iter().filter(|e| e.starts_with("<mods:electronicLocator")).count();
                let whole = document.contains("<mods:mods version=");
                let only = if whole { 1 } else { 0 };
                prop_assert_eq!(locators, only);
                if !byte_compat {
                    let own = "\n  <mods:identifier type=\"uuid\">u-1</mods:identifier>\n";
                    prop_assert!(document.contains(own));
                }
            }
        }
    }

    /// Both dialects say the same, and MARCXML made of one says it too.
    #[test]
    fn dialects_make_no_difference(record in odd()) {
        let settings = Settings::default();
        let document = |xml: &str| convert(xml, Some("u"), Some("http://u"), &settings).unwrap();
        let expected = document(&record.marcxml());
        prop_assert_eq!(&document(&record.oai()), &expected);
        prop_assert_eq!(&document(&oai_to_marcxml(&record.oai()).unwrap()), &expected);
        let once = oai_to_marcxml(&record.marcxml()).unwrap();
        prop_assert_eq!(oai_to_marcxml(&once).unwrap(), once);
    }

    #[test]
    fn text_that_is_no_record_is_an_error(text in "\\PC{0,40}", bytes in "[<>/a-z \"=&;!\\[\\]-]{0,60}") {
        prop_assert!(convert(&text, None, Some("u"), &Settings::default()).is_err());
        let broken = format!("<record><datafield tag=\"245\">{bytes}");
        prop_assert!(convert(&broken, None, Some("u"), &compat()).is_err());
    }
}

/// Links to other scripts. Those of 490, 852, 856 and 910 become what the schema has no place for, and that is kept: see the
/// documentation.
const LINKS: [&str; 8] = [
    "100-01/(N",
    "245-02/(N",
    "260-03/(N",
    "505-04",
    "650-05/€",
    "710-06",
    "586-07",
    "752-08",
];

fn clean() -> impl Strategy<Value = Random> {
    random(
        clean_value().boxed(),
        FIELDS,
        "0123456789   ",
        "abcdefghijklmnopqrstuvwxyz0166",
    )
    .prop_map(|mut record| {
        // a media type in a related item is the other thing that the schema has no place for
        record
            .fields
            .retain(|field| field.tag != "856" || field.indicators.1 != '2');
        for field in &mut record.fields {
            if field.tag == "490" {
                field.subfields.retain(|(code, _)| *code != '6');
            }
            for (code, value) in &mut field.subfields {
                if *code == '6' {
                    LINKS[value.len() % LINKS.len()].clone_into(value);
                }
            }
        }
        let subfields = record
            .fields
            .iter_mut()
            .flat_map(|field| &mut field.subfields);
        for (_, value) in subfields.filter(|(code, _)| matches!(code, 'u' | '0')) {
            "http://a.example/x?y=%20#z".clone_into(value);
        }
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_of_clean_records_are_valid(records in prop::collection::vec(clean(), 30)) {
        let mut documents = Vec::new();
        for record in &records {
            for case_selection in CaseSelection::ALL {
                let settings = Settings { case_selection, ..Settings::default() };
                documents.extend(convert(&record.marcxml(), Some("u"), Some("http://u"), &settings).unwrap());
            }
        }
        prop_assert_eq!(validate(documents.iter().map(String::as_str)), Ok(()));
    }
}
