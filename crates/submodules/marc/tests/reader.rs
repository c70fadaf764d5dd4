//! Reading documents: both dialects, what XML allows, and what is refused.

use edeposit_marc::{DataField, Dialect, Error, Kind, Limits, Record, Records, Subfield};

fn title(xml: &str) -> String {
    Record::from_xml(xml).unwrap().title()
}

fn malformed(xml: &str) -> String {
    match Record::from_xml(xml) {
        Err(Error::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_dialects_say_the_same() {
    let marcxml = Record::from_xml(
        "<record><leader> 0nam-a22 \n</leader><controlfield tag='001'> x1 </controlfield>\
         <datafield tag='245' ind1='1' ind2='0'><subfield code='a'> A </subfield><subfield code='n'>1</subfield>\
         <subfield code='a'>B</subfield></datafield><datafield tag='100'/></record>",
    )
    .unwrap();
    assert_eq!(marcxml.dialect, Dialect::MarcXml);
    assert_eq!(marcxml.leader.as_deref(), Some(" 0nam-a22 "));
    assert_eq!(marcxml.control("001"), Some("x1"));
    let subfield = |code, value: &str| Subfield {
        code,
        value: value.to_owned(),
    };
    let expected = DataField {
        ind1: '1',
        ind2: '0',
        subfields: vec![subfield('a', "A"), subfield('n', "1"), subfield('a', "B")],
    };
    assert_eq!(marcxml.fields("245"), [expected]);
    assert_eq!(
        (marcxml.fields("100")[0].ind1, marcxml.fields("100")[0].ind2),
        (' ', ' ')
    );

    let oai = Record::from_xml(
        "<record><metadata><oai_marc><fixfield id='LDR'>0nam-a22</fixfield><fixfield id='001'>x1</fixfield>\
         <varfield id='245' i1='1' i2='0'><subfield label='a'>A</subfield><subfield label='n'>1</subfield>\
         <subfield label='a'>B</subfield></varfield><varfield id='100'/></oai_marc></metadata></record>",
    )
    .unwrap();
    assert_eq!(oai.dialect, Dialect::OaiMarc);
    assert_eq!(oai.leader.as_deref(), Some("0nam-a22"));
    assert_eq!(oai.control("LDR"), Some("0nam-a22"));
    assert_eq!(oai.datafields, marcxml.datafields);
}

/// A leader is read by positions: without the blanks at its beginning a periodical would be something else.
#[test]
fn a_leader_keeps_its_blanks_in_both_dialects() {
    for xml in [
        "<record><leader>     nas a22      i 45  </leader></record>",
        "<record><oai_marc><fixfield id='LDR'>     nas a22      i 45  </fixfield></oai_marc></record>",
        "<record><oai_marc><fixfield id='LDR'>\n     nas a22      i 45  \n</fixfield></oai_marc></record>",
    ] {
        let record = Record::from_xml(xml).unwrap();
        assert_eq!(
            record.leader.as_deref(),
            Some("     nas a22      i 45  "),
            "{xml}"
        );
        assert_eq!(record.kind(), Kind::Continuing, "{xml}");
    }
}

/// What a document says of itself must not fill a log or pass for a line of it.
#[test]
fn reasons_are_short_and_of_one_line() {
    let long = "x".repeat(100_000);
    for xml in [
        format!("<record>&{long};</record>"),
        format!("<record><{long}></a></record>"),
        "<record>&a\nb;</record>".to_owned(),
    ] {
        let reason = malformed(&xml);
        assert!(reason.chars().count() <= 151, "{}", reason.len());
        assert!(!reason.contains(char::is_control), "{reason}");
    }
}

#[test]
fn namespaces_and_wrappers() {
    let fields = |p: &str| {
        format!("<{p}datafield tag='245'><{p}subfield code='a'>Úly</{p}subfield></{p}datafield>")
    };
    for xml in [
        format!(
            "<record xmlns='http://www.loc.gov/MARC21/slim'>{}</record>",
            fields("")
        ),
        format!(
            "<record xmlns='http://www.loc.gov/MARC21/slim/'>{}</record>",
            fields("")
        ),
        format!(
            "<marc:record xmlns:marc='http://www.loc.gov/MARC21/slim'>{}</marc:record>",
            fields("marc:")
        ),
        format!(
            "<srw:records xmlns:srw='s'><srw:record><srw:recordSchema>marcxml</srw:recordSchema><srw:recordData>\
             <record>{}</record></srw:recordData></srw:record></srw:records>",
            fields("")
        ),
    ] {
        assert_eq!(title(&xml), "Úly", "{xml}");
    }
}

#[test]
fn text_is_what_xml_says() {
    let xml = |text: &str| {
        format!(
            "<record><datafield tag='245'><subfield code='a'>{text}</subfield></datafield></record>"
        )
    };
    for (text, expected) in [
        (
            "A &amp; B &lt;c&gt; &quot;d&quot; &#233;&#x17E;",
            "A & B <c> \"d\" éž",
        ),
        ("<![CDATA[A & <b> B]]>", "A & <b> B"),
        ("A<!-- \" ' <subfield code='a'> -->B", "AB"),
        ("\n  A\n  ", "A"),
        ("", ""),
    ] {
        assert_eq!(title(&xml(text)), expected);
    }
    assert!(malformed(&xml("&nbsp;")).contains("unknown entity `&nbsp;`"));
    assert!(!malformed(&xml("A & B")).is_empty());
    assert!(!malformed(&xml("&#0;")).is_empty());
    assert!(!malformed("<record><datafield tag='&x;'/></record>").is_empty());
}

#[test]
fn elements_without_id_are_skipped() {
    let record = Record::from_xml(
        "<record><controlfield>x</controlfield><datafield ind1='1'><subfield code='a'>x</subfield></datafield>\
         <datafield tag='245'><subfield>x</subfield><subfield code='ab'>x</subfield><subfield code='a'>A</subfield>\
         </datafield><controlfield tag='001'>1</controlfield><controlfield tag='001'>2</controlfield></record>",
    )
    .unwrap();
    assert_eq!(record.title(), "A");
    assert_eq!(record.fields("245")[0].subfields.len(), 1);
    assert_eq!(
        (record.controlfields.len(), record.datafields.len()),
        (1, 1)
    );
    assert_eq!(record.id_number(), Some("2"));
}

#[test]
fn the_first_record_counts_and_the_iterator_gives_all() {
    let xml = "<find><record><controlfield tag='001'>1</controlfield></record><x/>\
               <record><controlfield tag='001'>2</controlfield></record></find>";
    assert_eq!(Record::from_xml(xml).unwrap().id_number(), Some("1"));
    let all: Result<Vec<_>, _> = Records::new(xml).collect();
    let numbers = all.unwrap();
    let numbers: Vec<_> = numbers.iter().map(|r| r.id_number().unwrap()).collect();
    assert_eq!(numbers, ["1", "2"]);

    let mut broken = Records::new("<a><record/><record></b></a>");
    assert!(broken.next().unwrap().is_ok());
    assert!(broken.next().unwrap().is_err());
    assert!(broken.next().is_none(), "nothing after an error");
    assert!(Records::new("<a/>").next().is_none());
}

#[test]
fn no_record_whatever_else_it_is() {
    for xml in [
        "",
        "<a>\n</a>\n",
        "tohle není\nXML",
        "<html><head><meta></head></html>",
        "<!DOCTYPE html><html><body>Out of order<br></body></html>",
        "<present><error>There is no entry number: 31 in set number given</error></present>",
        "&&&",
    ] {
        let error = Record::from_xml(xml).unwrap_err();
        assert_eq!(error, Error::NoRecord, "{xml}");
        assert_eq!(
            error.to_string(),
            "There is no <record> in your MARC XML document!"
        );
    }
}

#[test]
fn a_record_that_breaks_off_is_an_error() {
    let whole = "<record><controlfield tag='001'>1</controlfield><datafield tag='245'></datafield></record>";
    let first_whole = "<record>".len();
    for cut in first_whole..whole.len() {
        assert!(!malformed(&whole[..cut]).is_empty(), "{}", &whole[..cut]);
    }
    assert!(Record::from_xml(whole).is_ok());
}

#[test]
fn document_types_are_refused() {
    let xml = r#"<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
        <record><datafield tag="245"><subfield code="a">&b;&x;</subfield></datafield></record>"#;
    assert_eq!(Record::from_xml(xml), Err(Error::DocumentType));
}

#[test]
fn limits_hold() {
    let limit = |xml: &str, limits: Limits| match Records::with_limits(xml, limits).next() {
        Some(Err(Error::Limit { what, .. })) => what,
        other => panic!("{other:?}"),
    };
    let usual = Limits::default();
    let bytes = Limits { bytes: 8, ..usual };
    assert_eq!(limit("<record/>", bytes), "bytes");
    let deep = "<record>".to_owned() + &"<a>".repeat(100_000);
    assert_eq!(limit(&deep, usual), "levels of elements");
    let many = "<record>".to_owned() + &"<a/>".repeat(usual.elements) + "</record>";
    assert_eq!(limit(&many, usual), "elements");

    let field =
        |subfields: &str| format!("<record><datafield tag='245'>{subfields}</datafield></record>");
    let value = |size| {
        field(&format!(
            "<subfield code='a'>{}</subfield>",
            "x".repeat(size)
        ))
    };
    assert!(Record::from_xml(&value(usual.value)).is_ok());
    assert_eq!(limit(&value(usual.value + 1), usual), "bytes in a value");
    let subfields = |count| field(&"<subfield code='a'/>".repeat(count));
    assert!(Record::from_xml(&subfields(usual.subfields)).is_ok());
    assert_eq!(
        limit(&subfields(usual.subfields + 1), usual),
        "subfields in a field"
    );
}

/// The size of a record is bounded by itself, wherever in a document it is.
#[test]
fn a_record_that_is_too_large_is_refused() {
    let record = |size: usize| format!("<record><!--{}--></record>", "x".repeat(size));
    let half = record(Limits::default().record / 2);
    let records = format!("<r>{half}{half}{half}</r>");
    assert_eq!(Records::new(&records).filter(Result::is_ok).count(), 3);
    let error = Record::from_xml(&record(Limits::default().record)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "bytes in a record",
                ..
            }
        ),
        "{error}"
    );
}
