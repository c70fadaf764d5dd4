//! Documents are valid against the schema of MODS 3.4.

mod common;

use common::{compat, record, testdata, validate};
use edeposit_marcxml2mods::{
    CaseSelection, Settings, convert, convert_monograph, convert_multi_volume,
};

#[test]
fn documents_of_the_samples_are_valid() {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(testdata("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".xml") || name.contains("mods-") {
            continue;
        }
        let xml = std::fs::read_to_string(&path).unwrap();
        for case_selection in CaseSelection::ALL {
            let settings = Settings {
                case_selection,
                ..Settings::default()
            };
            let url = "http://edeposit.example.cz/?a=1&b=<2>";
            documents.extend(convert(&xml, Some("u & <v>"), Some(url), &settings).unwrap());
        }
    }
    assert_eq!(documents.len(), 7 * 5);
    validate(documents.iter().map(String::as_str)).unwrap();
}

/// The schema is one that tells: what it must refuse is refused.
#[test]
fn an_invalid_document_is_told() {
    let valid = convert_monograph(
        &record("245 10 $aA"),
        None,
        Some("http://a.example/"),
        &Settings::default(),
    )
    .unwrap();
    validate([valid.as_str()]).unwrap();
    for (from, to) in [
        ("typeOfResource", "typeOfresource"),
        ("electronicLocator", "url"),
        ("single unit", "book"),
        ("type=\"code\"", "kind=\"code\""),
    ] {
        let record = record("LDR 00000nam a2200000 a 4500\n245 10 $aA");
        let valid = convert_monograph(
            &record,
            None,
            Some("http://a.example/"),
            &Settings::default(),
        );
        let valid = valid.unwrap();
        assert!(valid.contains(from), "{from}");
        assert!(
            validate([valid.replace(from, to).as_str()]).is_err(),
            "{from}"
        );
    }
}

/// Defect 16: what the schema refuses is left out.
#[test]
fn defect_16_nothing_invalid_is_written() {
    let lines = "
        LDR 00000nam a2200000 a 4500
        043 __ $be-uk$2ukscp$cgb
        245 10 $aA
        520 __ $aSummary$uhttp://a.example/<x y>
        662 __ $2list
        765 __ $fxr$tOther";
    let url = Some("http://a.example/");
    let document = convert_monograph(&record(lines), None, url, &Settings::default()).unwrap();
    validate([document.as_str()]).unwrap();
    assert!(!document.contains("hierarchicalGeographic"));
    assert!(!document.contains("href="));
    assert!(document.contains("<mods:geographicCode>e-uk</mods:geographicCode>"));
    assert_eq!(document.matches("<mods:originInfo>").count(), 1);
    let original = convert_monograph(&record(lines), None, url, &compat()).unwrap();
    assert!(validate([original.as_str()]).is_err());
    assert!(original.contains("<mods:hierarchicalGeographic/>"));
    assert!(original.contains("<mods:originInfo/>"));
    assert!(original.contains("authority=\"ukscp\""));
    assert!(original.contains("xlink:href=\"http://a.example/&lt;x y&gt;\""));
    let volumes = convert_multi_volume(&record("245 10 $aA"), None, url, &Settings::default());
    validate([volumes.unwrap().as_str()]).unwrap();
    let volumes = convert_multi_volume(&record("245 10 $aA"), None, url, &compat()).unwrap();
    assert!(volumes.contains("<mods:originInfo/>"));
}

/// A program that is not ours, and knows nothing of the Czech profile, reads the same book.
#[test]
fn an_independent_reader_makes_a_citation() {
    let xml = std::fs::read_to_string(testdata("monograph_unix.xml")).unwrap();
    let url = Some("http://a.example/");
    let document = convert_monograph(&xml, Some("u-1"), url, &Settings::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mods.xml");
    std::fs::write(&path, document).unwrap();
    let output = std::process::Command::new("xml2bib")
        .args(["--no-latex"])
        .arg(path)
        .output()
        .expect("xml2bib is missing: cargo xtask test installs it, or apt-get install bibutils");
    let citation = String::from_utf8(output.stdout).unwrap();
    for line in [
        "author=\"Raymond, Eric S.\"",
        "title=\"Umění programování v UNIXu\"",
        "year=\"2004\"",
        "publisher=\"Computer Press\"",
        "address=\"Brno\"",
        "isbn=\"80-251-0225-4 (brož.)\"",
        "language=\"Czech\"",
    ] {
        assert!(citation.contains(line), "{line}: {citation}");
    }
}
