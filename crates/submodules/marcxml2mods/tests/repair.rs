//! What is done to a document after the mapping, and the original's accidents in that.

mod common;

use common::{compat, document, elements, elements_with, leader, of, record};
use edeposit_marcxml2mods::{
    CaseSelection, ConversionError, Settings, convert, convert_monograph, convert_multi_volume,
    convert_periodical, oai_to_marcxml,
};

const URL: Option<&str> = Some("http://u.example/");

fn new() -> Settings {
    Settings::default()
}

fn with_uuid(lines: &str, settings: &Settings) -> String {
    convert_monograph(&record(lines), Some("u-1"), URL, settings).unwrap()
}

/// 4.8 step 1.
#[test]
fn attributes_of_the_root() {
    let names = |document: String| {
        let root = document.split_once("<mods:mods ").unwrap().1;
        let root = root.split_once(">\n").unwrap().0.to_owned();
        let names = root
            .split("=\"")
            .filter_map(|part| part.rsplit(['"', ' ']).next());
        names
            .map(str::to_owned)
            .filter(|n| !n.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let record = record("245 10 $aA");
    let settings = new();
    assert_eq!(
        names(convert_monograph(&record, None, URL, &settings).unwrap()),
        "version ID xmlns:mods xmlns:xlink xmlns:xsi xsi:schemaLocation"
    );
    for document in [
        convert_multi_volume(&record, None, None, &settings),
        convert_periodical(&record, None, None, &settings),
    ] {
        assert_eq!(
            names(document.unwrap()),
            "xmlns:mods ID xmlns:xlink xmlns:xsi xsi:schemaLocation"
        );
    }
}

/// Step 3, and defect 4: the UUID went into related items.
#[test]
fn defect_04_the_uuid_is_the_documents_own() {
    let own = "\n  <mods:identifier type=\"uuid\">u-1</mods:identifier>\n";
    let lines = "245 10 $aA\n773 0_ $x1234-5679";
    let original = with_uuid(lines, &compat());
    assert!(original.contains("\n    <mods:identifier type=\"uuid\">u-1</mods:identifier>\n    <mods:identifier type=\"issn\">"));
    let document = with_uuid(lines, &new());
    assert!(
        document.ends_with(&format!("</mods:recordInfo>{own}</mods:mods>\n")),
        "{document}"
    );
    let lines = "245 10 $aA\n773 0_ $x1234-5679\n015 __ $acnb1";
    let document = with_uuid(lines, &new());
    assert!(
        document.contains(&format!("{own}  <mods:identifier type=\"ccnb\">")),
        "{document}"
    );
    for settings in [compat(), new()] {
        let without = convert_monograph(&record(lines), Some(""), URL, &settings).unwrap();
        assert!(!without.contains("uuid"));
    }
}

/// Step 4: the country comes first where there is a place, else last.
#[test]
fn country() {
    let code = "<place><placeTerm type=\"code\" authority=\"marccountry\">xr-</placeTerm></place>";
    let town = "<place><placeTerm type=\"text\">Brno</placeTerm></place>";
    let origin = of("originInfo", &(leader(&[]) + "\n260 __ $aBrno")).concat();
    assert!(
        origin.contains(&format!("<originInfo>{code}{town}")),
        "{origin}"
    );
    let origin = of("originInfo", &leader(&[])).concat();
    assert!(
        origin.ends_with(&format!("</issuance>{code}</originInfo>")),
        "{origin}"
    );
    // a place in a related item is one too
    let found = elements(&(leader(&[]) + "\n775 __ $fxr"));
    assert!(
        found
            .iter()
            .any(|e| e.starts_with("<relatedItem") && e.contains(code))
    );
    // an empty imprint has the place in it; the original wrote it behind
    let document = document("245 10 $aA", &new());
    assert!(document.contains("  <mods:originInfo>\n    <mods:place>\n"));
    assert!(document.contains("    </mods:place>\n  </mods:originInfo>\n"));
}

/// Step 6, and defect 3: punctuation goes from both ends of titles and places, entities are no punctuation.
#[test]
fn defect_03_punctuation_of_titles() {
    for (title, trimmed) in [
        ("[Plzeň]", "Plzeň"),
        ("Dílo (brož.)", "Dílo (brož."),
        (" - ; A:B - ", "A:B"),
        ("Simon &", "Simon &amp;"),
        ("a <b>", "a &lt;b&gt;"),
        ("<b", "&lt;b"),
        ("C&A /", "C&amp;A"),
    ] {
        let found = of("titleInfo", &format!("245 10 $a{title}"));
        assert_eq!(
            found,
            [format!("<titleInfo><title>{trimmed}</title></titleInfo>")]
        );
    }
    let found = of("subject", "600 14 $aX$t(T)$n(1)");
    assert!(
        found[0].contains("<title>T</title><partNumber>(1)</partNumber>"),
        "{found:?}"
    );
    let found = of("originInfo", &(leader(&[]) + "\n260 __ $a(Brno)$b(P)"));
    assert!(found[0].contains(">Brno</placeTerm>") && found[0].contains("<publisher>(P)<"));
}

/// The white space that the original leaves where it empties a title, and what a title empty before leaves.
#[test]
fn accidents_of_emptied_texts() {
    let lines = leader(&[]) + "\n245 10 $a[-]$bB\n260 __ $a(";
    let document = document_of(&lines);
    assert!(
        document.contains("    <mods:title>\n          </mods:title>\n    <mods:subTitle>B"),
        "{document}"
    );
    assert!(
        document
            .contains("      <mods:placeTerm type=\"text\">\n              </mods:placeTerm>\n"),
        "{document}"
    );
    let lines = leader(&[]) + "\n245 10 $cC$n1\n260 __ $a:";
    let document = document_of(&lines);
    assert!(
        document.contains("    <mods:title/>\n          <mods:partNumber>1"),
        "{document}"
    );
    assert!(
        document.contains("      <mods:placeTerm type=\"text\" />\n            </mods:place>"),
        "{document}"
    );
    let tidy = common::document(&lines, &new());
    assert!(
        tidy.contains("    <mods:title/>\n    <mods:partNumber>1"),
        "{tidy}"
    );
}

fn document_of(lines: &str) -> String {
    document(lines, &compat())
}

/// Steps 8 to 10, and defect 5: no related item keeps an address, or stays empty for want of one.
#[test]
fn defect_05_addresses_of_related_items() {
    let lines = "856 42 $uhttp://a\n856 42 $uhttp://b\n765 __ $tT";
    let original = of("relatedItem", lines);
    assert_eq!(original.len(), 3, "{original:?}");
    assert!(original[1] == "<relatedItem></relatedItem>" && original[2].contains("http://b"));
    let document = common::document(lines, &new());
    assert_eq!(
        document.matches("<mods:relatedItem").count(),
        1,
        "{document}"
    );
    assert!(!document.contains("<mods:url"));
    // one that was empty before is not meant
    let document = common::document("765 __ $zx\n856 42 $uhttp://b", &new());
    assert!(document.contains("<mods:relatedItem type=\"otherVersion\" />"));

    let document = document_of("856 42 $uhttp://a\n765 __ $tT");
    assert!(
        document.contains("  <mods:relatedItem>\n      </mods:relatedItem>\n  <mods:recordInfo>"),
        "{document}"
    );
    let document = document_of("856 42 $uhttp://a");
    assert!(
        document.contains("  </mods:location>\n    <mods:recordInfo>\n"),
        "{document}"
    );
    let document = document_of("856 42 $qx$uhttp://a");
    assert!(
        document.contains("  <mods:relatedItem>\n      </mods:relatedItem>\n"),
        "{document}"
    );
}

#[test]
fn an_address_is_needed_unless_the_record_has_one() {
    let none = |lines: &str| convert_monograph(&record(lines), None, None, &compat());
    assert_eq!(none("245 10 $aA").unwrap_err(), ConversionError::NoUrl);
    assert!(
        none("856 40 $uhttp://a\n910 __ $aX")
            .unwrap()
            .contains(">http://a</mods:electronicLocator>")
    );
    let document = document_of("245 10 $aA");
    assert!(document.contains("\n    <mods:location>\n    <mods:holdingSimple>\n      <mods:copyInformation>\n        <mods:electronicLocator>"));
    let empty = document_of("856 40 $zx\n856 41 $uhttp://a\n910 __ $aX");
    assert!(
        empty.contains("        <mods:electronicLocator>\n        </mods:electronicLocator>\n"),
        "{empty}"
    );
    let empty = convert_monograph(&record("245 10 $aA"), None, Some(""), &new()).unwrap();
    assert!(empty.contains("<mods:electronicLocator/>"));
}

/// Defect 2: what the caller sends is text.
#[test]
fn defect_02_uuid_and_url_are_escaped() {
    let document = convert_monograph(
        &record("245 10 $aA"),
        Some("<u>&\""),
        Some("http://a/?b=1&c=<x>"),
        &compat(),
    );
    let document = document.unwrap();
    assert!(document.contains(">&lt;u&gt;&amp;\"</mods:identifier>"));
    assert!(document.contains(">http://a/?b=1&amp;c=&lt;x&gt;</mods:electronicLocator>"));
    common::canonical(&document);
    let wrong = convert_monograph(&record("245 10 $aA"), Some("\u{1}"), URL, &new());
    assert!(matches!(
        wrong,
        Err(ConversionError::Character { code: 1, .. })
    ));
}

/// Defect 1: a text is never a path.
#[test]
fn defect_01_no_file_is_read() {
    for text in ["/etc/passwd", "", " ", "file:///etc/passwd"] {
        let error = convert(text, None, URL, &new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "There is no <record> in your MARC XML document!"
        );
    }
}

/// Defect 6: entities, depth and size.
#[test]
fn defect_06_hostile_documents_are_refused() {
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><record><leader>&b;</leader></record>";
    let deep = format!(
        "<record>{}{}</record>",
        "<a>".repeat(5000),
        "</a>".repeat(5000)
    );
    let many = format!("<record>{}</record>", "<subfield code='a'/>".repeat(50_000));
    let large = format!("<record><leader>{}</leader></record>", "x".repeat(5 << 20));
    let pairs: String = (0..3000)
        .map(|_| "<datafield tag='880'><subfield code='6'>260-01250</subfield></datafield>")
        .collect();
    let pairs = format!(
        "<record><datafield tag='260'><subfield code='6'>880-01</subfield></datafield>{pairs}</record>"
    );
    let long = "eng,".repeat(15_000);
    let languages: String = (0..8)
        .map(|_| format!("<datafield tag='041'><subfield code='a'>{long}</subfield></datafield>"))
        .collect();
    let languages = format!("<record>{languages}</record>");
    for hostile in [bomb, &deep, &many, &large, &pairs, &languages] {
        assert!(convert(hostile, None, URL, &new()).is_err());
    }
    for tag in ["045", "245", "250", "260", "300", "856", "880"] {
        let field = format!(
            "<datafield tag='{tag}' ind2='1'><subfield code='6'>880-01</subfield></datafield>"
        );
        let many = format!("<record>{}</record>", field.repeat(1001));
        let error = convert(&many, None, URL, &new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The record has more than 1000 fields of one kind, no document is made of so many"
        );
        // as many as may be, in time
        let most = format!("<record>{}</record>", field.repeat(1000));
        assert!(convert(&most, None, URL, &new()).is_ok(), "{tag}");
    }
    let dots = format!(
        "<record><datafield tag='245'><subfield code='a'>{}</subfield></datafield></record>",
        ".".repeat(60_000)
    );
    assert!(convert(&dots, None, URL, &new()).is_ok());
}

/// Defect 7: the kind of publication.
#[test]
fn defect_07_the_case_is_chosen() {
    let auto = Settings {
        case_selection: CaseSelection::Auto,
        ..new()
    };
    let kind = |lines: &str| {
        let document = convert(&record(lines), None, URL, &auto).unwrap().remove(0);
        match document {
            d if d.contains("<mods:genre>volume</mods:genre>") => "periodical",
            d if d.contains("<mods:genre>title</mods:genre>") => "multi-volume",
            d if d.contains("<mods:genre>electronic volume</mods:genre>") => "monograph",
            d => panic!("{d}"),
        }
    };
    let at = |seven, nineteen| leader(&[(7, seven), (19, nineteen)]);
    for (lines, expected) in [
        (
            "FMT SE\nLDR 00000nam a2200000 a 4500".to_owned(),
            "periodical",
        ),
        ("245 00 $aA".to_owned(), "monograph"),
        ("LDR 00000na\n245 00 $aA$n1".to_owned(), "monograph"),
        (at('b', ' '), "periodical"),
        (at('i', 'a'), "periodical"),
        (at('s', ' '), "periodical"),
        (at('m', ' ') + "\n245 00 $aA$n1", "multi-volume"),
        (at('m', ' ') + "\n245 00 $aA$pP", "multi-volume"),
        (at('m', 'a'), "multi-volume"),
        (at('m', ' '), "monograph"),
        (at('a', 'a') + "\n245 00 $aA$n1", "monograph"),
        (at('d', 'a'), "monograph"),
    ] {
        assert_eq!(kind(&lines), expected, "{lines}");
    }
    // always a monograph by default
    let document = convert(&record("FMT SE"), None, URL, &new())
        .unwrap()
        .remove(0);
    assert!(document.contains("electronic volume"));
}

#[test]
fn full_descriptions() {
    let full = Settings {
        case_selection: CaseSelection::Full,
        ..new()
    };
    let convert = |lines: &str| {
        convert(&record(lines), Some("u-1"), URL, &full)
            .unwrap()
            .remove(0)
    };
    let periodical = convert(
        "LDR 00000nas a2200000 i 4500\nFMT SE\n008 150112c20159999xr mr p o       0   a0cze d\n\
         022 __ $a1213-8215\n245 00 $aPevnost :$bměsíčník\n264 _1 $aPraha :$bCasablanca,$c2015-\n\
         264 _2 $bDistributor\n300 __ $asv.\n362 0_ $aRoč. 1, č. 1-\n780 00 $tDech draka$x1211-2771",
    );
    for text in [
        "ID=\"MODS_TITLE_0001\"",
        "<mods:title>Pevnost</mods:title>",
        "<mods:genre>electronic title</mods:genre>",
        "<mods:publisher>Casablanca</mods:publisher>",
        "<mods:issuance>continuing</mods:issuance>",
        "<mods:frequency>Monthly</mods:frequency>",
        "<mods:identifier type=\"issn\">1213-8215</mods:identifier>",
        "type=\"date/sequential designation\">Roč. 1, č. 1-<",
        "<mods:relatedItem type=\"preceding\">",
        "<mods:extent>sv.</mods:extent>",
    ] {
        assert!(periodical.contains(text), "{text}: {periodical}");
    }
    assert!(!periodical.contains("Distributor"));
    let volumes = convert(
        "LDR 00000nam a2200000 aa4500\n245 00 $aLípy.$nDíl 2,$pČas květu /\n260 __ $aBrno :$bAlej\n300 __ $a3 sv.",
    );
    for text in [
        "<mods:genre>electronic title</mods:genre>",
        "<mods:issuance>multipart monograph</mods:issuance>",
        "<mods:partNumber>Díl 2</mods:partNumber>",
        "<mods:extent>3 sv.</mods:extent>",
        "  <mods:part type=\"volume\">\n    <mods:detail type=\"volume\">\n      <mods:number>Díl 2</mods:number>\n      \
         <mods:title>Čas květu</mods:title>",
    ] {
        assert!(volumes.contains(text), "{text}: {volumes}");
    }
    common::validate([periodical.as_str(), volumes.as_str()]).unwrap();
    // any other record is a monograph as ever
    let book = "LDR 00000nam a2200000 a 4500\n245 00 $aA\n264 _1 $bP";
    assert_eq!(convert(book), with_uuid(book, &new()));
}

/// Defects 8 to 11 are kept: documents of the same records stay comparable.
#[test]
fn defects_08_to_11_are_kept() {
    let found = |lines: &str| elements_with(lines, &new()).concat();
    assert_eq!(found("020 __ $a1$a2").matches("<identifier").count(), 1);
    assert!(found("007 ta\n007 cr").contains(">remote<"));
    assert!(found("501 __ $zz$aa").contains("<note>a z</note>"));
    let lost =
        "130 0_ $aLOST\n720 __ $aLOST\n034 __ $aLOST\n086 __ $aLOST\n264 _1 $bLOST\n336 __ $aLOST";
    assert!(!found(lost).contains("LOST"));
    assert!(!found("856 40 $uhttp://own").contains("http://own"));
}

/// Defects 12 to 14: codes that say nothing, broken words and doubled values.
#[test]
fn defects_12_to_14_values_that_say_nothing() {
    let new_elements = |lines: &str| elements_with(lines, &new()).concat();
    let coded = |dates: &str, language: &str| {
        format!(
            "{}\n008 240211{dates}xr                  {language} d",
            leader(&[])
        )
    };
    for (dates, language, texts) in [
        ("s||||----", "cz-", ""),
        (
            "c----9999",
            "||c",
            "<dateIssued encoding=\"marc\" point=\"end\">9999</dateIssued>",
        ),
        (
            "t2001||||",
            "c e",
            "<dateIssued encoding=\"marc\">2001</dateIssued>",
        ),
        (
            "s19uu    ",
            "---",
            "<dateIssued encoding=\"marc\">19uu</dateIssued>",
        ),
    ] {
        let found = new_elements(&coded(dates, language));
        assert!(!found.contains("<language>"), "{found}");
        assert_eq!(
            found.matches("encoding=\"marc\"").count() - 1,
            usize::from(!texts.is_empty())
        );
        assert!(found.contains(texts), "{found}");
    }
    let found = new_elements("240 10 $aU$lcze$ssel");
    assert!(found.contains("<title>U cze sel</title>"), "{found}");

    let languages = |lines: &str, settings: &Settings| {
        let found = elements_with(lines, settings).into_iter();
        let found = found.filter(|e| e.starts_with("<language>"));
        let code = |e: String| {
            e.rsplit_once("</languageTerm")
                .unwrap()
                .0
                .rsplit_once('>')
                .unwrap()
                .1
                .to_owned()
        };
        found.map(code).collect::<Vec<_>>()
    };
    assert_eq!(
        languages("041 0_ $aczeeng", &compat()),
        ["czeeng", "cze", "eng"]
    );
    assert_eq!(languages("041 0_ $aczeeng", &new()), ["cze", "eng"]);
    assert_eq!(
        languages("041 0_ $acs-CZ$arfc3066$2rfc3066", &new()),
        ["cs-CZ"]
    );
    assert_eq!(
        languages("041 0_ $acs-CZ$arfc3066$2rfc3066", &compat()),
        ["rfc3066", "cs-CZ"]
    );
    assert_eq!(languages("041 1_ $aczeeng", &compat()), ["cze", "eng"]);
    // in another case, or as the language of cataloguing, it is there already
    assert_eq!(
        languages("040 __ $bczeeng\n041 0_ $aCZEENG", &compat()),
        ["CZE", "ENG"]
    );
}

/// Defect 15: a backslash is a character like others.
#[test]
fn defect_15_a_backslash_swallows_nothing() {
    let lines = "246 1_ $iC:\\$aT\n245 10 $aA";
    for settings in [new(), compat()] {
        let document = document(lines, &settings);
        assert!(document.contains("displayLabel=\"C:\\\">\n    <mods:title>T</mods:title>"));
    }
}

/// `-` and `#` are blanks; for the original one was 0, where it compared numbers, and the other nothing.
#[test]
fn odd_indicators() {
    for odd in ["-", "#"] {
        let found = elements_with(&format!("650 _{odd} $aA\n653 _{odd} $aB"), &new());
        assert!(
            found.contains(&"<subject><topic>A</topic></subject>".to_owned()),
            "{found:?}"
        );
        assert!(found.contains(&"<subject><topic>B</topic></subject>".to_owned()));
    }
    assert!(of("subject", "653 _- $aB").is_empty());
    assert!(of("subject", "653 _# $aB").is_empty());
    assert!(of("identifier", "024 -_ $aB").is_empty());
    assert_eq!(
        of("identifier", "028 -_ $aB"),
        ["<identifier type=\"\">B</identifier>"]
    );
    assert_eq!(of("relatedItem", "490 -_ $aS").len(), 1);
    assert_eq!(
        of("titleInfo", "245 1- $aThe"),
        ["<titleInfo><title>The</title></titleInfo>"]
    );
}

/// The original trimmed the leader of OAI MARC; if nothing was left, it had none.
#[test]
fn a_blank_leader() {
    let record = |begin: &str, end: &str| {
        format!(
            "<record>{begin}<varfield id=\"245\"><subfield label=\"a\">A</subfield></varfield>{end}</record>"
        )
    };
    let oai = record(
        "<oai_marc><fixfield id=\"LDR\">    </fixfield>",
        "</oai_marc>",
    );
    for (settings, is_leader) in [(new(), true), (compat(), false)] {
        let document = convert_monograph(&oai, None, Some("u"), &settings).unwrap();
        assert_eq!(document.contains("<mods:issuance>"), is_leader);
    }
}

#[test]
fn oai_marc_becomes_marcxml() {
    let oai = "<record><metadata><oai_marc><fixfield id=\"LDR\">  nam a</fixfield><fixfield id=\"FMT\">BK</fixfield>\
        <fixfield id=\"001\">x</fixfield><varfield id=\"245\" i1=\"1\" i2=\"-\"><subfield label=\"c\">C &amp; D</subfield>\
        <subfield label=\"2\">t</subfield><subfield label=\"a\">A</subfield></varfield>\
        <varfield id=\"BAS\"><subfield label=\"a\">01</subfield></varfield></oai_marc></metadata></record>";
    let marcxml = oai_to_marcxml(oai).unwrap();
    assert_eq!(
        marcxml,
        "<record xmlns=\"http://www.loc.gov/MARC21/slim\"\nxmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
         xsi:schemaLocation=\"http://www.loc.gov/MARC21/slim\nhttp://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd\">\n\
         <leader>  nam a</leader>\n<controlfield tag=\"001\">x</controlfield>\n\
         <datafield tag=\"BAS\" ind1=\" \" ind2=\" \">\n<subfield code=\"a\">01</subfield>\n</datafield>\n\
         <datafield tag=\"245\" ind1=\"1\" ind2=\"-\">\n<subfield code=\"a\">A</subfield>\n<subfield code=\"c\">C &amp; D</subfield>\n\
         <subfield code=\"2\">t</subfield>\n</datafield>\n</record>\n"
    );
    assert_eq!(oai_to_marcxml(&marcxml).unwrap(), marcxml);
}
