//! Records with the documents that the original made of them, recorded while it ran.

mod common;

use common::{canonical, compat, testdata};
use edeposit_amqpdaemon::Exception;
use edeposit_marcxml2mods::{
    CaseSelection, Settings, convert, convert_monograph, convert_multi_volume, convert_periodical,
};
use serde_json::Value;

struct Sample {
    name: String,
    xml: String,
    about: Value,
}

impl Sample {
    fn all() -> Vec<Self> {
        let mut samples: Vec<_> = std::fs::read_dir(testdata(""))
            .unwrap()
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let name = name.strip_suffix(".json")?.to_owned();
                (name != "edge_cases").then(|| Self {
                    xml: read(&format!("{name}.xml")),
                    about: serde_json::from_str(&read(&format!("{name}.json"))).unwrap(),
                    name,
                })
            })
            .collect();
        samples.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(samples.len(), 7);
        samples
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.about[key].as_str()
    }

    fn expected(&self, key: &str) -> Vec<String> {
        let files = self.about[key].as_array();
        let files = files.into_iter().flatten();
        files.map(|file| read(file.as_str().unwrap())).collect()
    }

    fn convert(&self, settings: &Settings) -> Vec<String> {
        convert(&self.xml, self.text("uuid"), self.text("url"), settings).unwrap()
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(testdata(name)).unwrap()
}

#[test]
fn the_originals_documents_byte_by_byte() {
    for sample in Sample::all() {
        let documents = sample.convert(&compat());
        assert_eq!(documents, sample.expected("mods"), "{}", sample.name);
    }
}

#[test]
fn its_intended_documents_byte_by_byte() {
    let settings = Settings {
        case_selection: CaseSelection::Auto,
        ..compat()
    };
    let mut found = 0;
    for sample in Sample::all() {
        let expected = sample.expected("intended_mods");
        let (uuid, url) = (sample.text("uuid"), sample.text("url"));
        let one_by_one = match sample.text("intended_kind") {
            Some("multimono") => convert_multi_volume(&sample.xml, uuid, url, &settings),
            Some("periodical") => convert_periodical(&sample.xml, uuid, url, &settings),
            _ => continue,
        };
        assert_eq!([one_by_one.unwrap()], *expected, "{}", sample.name);
        assert_eq!(sample.convert(&settings), expected, "{}", sample.name);
        found += 1;
    }
    assert_eq!(found, 2);
}

/// What section 6 of the catalogue of defects changes in these documents: in the original's, and in ours.
const MENDED: [(&str, &str); 5] = [
    // 4: the UUID stood inside a related item
    (
        "    <mods:identifier type=\"uuid\">0f7a4b1e-0d0e-4d0a-8f57-0a5a4dfe0003</mods:identifier>\n",
        "",
    ),
    (
        "  <mods:identifier type=\"ccnb\">cnb001122037",
        "  <mods:identifier type=\"uuid\">0f7a4b1e-0d0e-4d0a-8f57-0a5a4dfe0003</mods:identifier>\n  \
         <mods:identifier type=\"ccnb\">cnb001122037",
    ),
    // 5: an emptied related item that was not the first stayed
    ("  <mods:relatedItem>\n      </mods:relatedItem>\n", ""),
    // 12: a language that is no code
    (
        "  <mods:language>\n    <mods:languageTerm authority=\"iso639-2b\" type=\"code\">0-c</mods:languageTerm>\n  \
         </mods:language>\n",
        "",
    ),
    // 16: a list of areas that MODS does not know
    (" authority=\"czenas\">e-xr-pg", ">e-xr-pg"),
];

/// Without the accidents of white space the elements are the same, save for defects that show.
#[test]
fn the_same_elements_without_its_accidents() {
    let mut unseen = MENDED.to_vec();
    for sample in Sample::all() {
        let documents = sample.convert(&Settings::default());
        let expected = sample.expected("mods");
        assert_eq!(documents.len(), expected.len());
        for (document, expected) in documents.iter().zip(expected) {
            unseen.retain(|(from, _)| !expected.contains(from));
            let mend = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
            let expected = MENDED.iter().fold(expected, mend);
            assert_eq!(canonical(document), canonical(&expected), "{}", sample.name);
        }
    }
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// Small inputs, mostly bad ones.
#[test]
fn edge_cases() {
    let cases: Vec<Value> = serde_json::from_str(&read("edge_cases.json")).unwrap();
    assert!(cases.len() > 8);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let xml = case["xml"].as_str().unwrap();
        let (uuid, url) = (case["uuid"].as_str(), case["url"].as_str());
        let result = convert_monograph(xml, uuid, url, &compat());
        let expected = &case["marcxml2mods"];
        match (name, expected["wire"].as_str()) {
            // defect 1: the text was taken for a path
            ("blank", None) => {
                let exception = Exception::from(result.unwrap_err());
                assert_eq!(exception.name, "ValueError");
                assert!(exception.message.starts_with("There is no <record>"));
            }
            ("single line", None) => {
                assert!(result.unwrap().contains("<mods:title>Název</mods:title>"));
            }
            (_, Some(wire)) => {
                let answer: Value = serde_json::from_str(wire).unwrap();
                assert_eq!(answer["mods_files"][0], *result.unwrap(), "{name}");
            }
            (_, None) => {
                let exception = Exception::from(result.unwrap_err());
                let raised = &expected["raises"];
                assert_eq!(exception.name, raised["exception_name"], "{name}");
                assert_eq!(exception.kind, raised["exception_type"], "{name}");
                assert_eq!(exception.message, raised["exception"], "{name}");
                assert_eq!(exception.body_text(), raised["body"], "{name}");
            }
        }
    }
}
