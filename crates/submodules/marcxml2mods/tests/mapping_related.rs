//! Rows of the mapping, with the original's accidents: related items, other scripts, identifiers, the record itself.

mod common;

use common::{check, elements, leader, of};

#[test]
fn l_series_and_originals() {
    check(&[
        (
            "relatedItem",
            "490 0_ $aSeries ;$v5$n1$pPart$6880-01\n490 1_ $aTraced\n440 _0 $aSeries ;$v5 /",
            &[
                "<relatedItem type=\"series\" altRepGroup=\"01\" script=\"Latn\"><titleInfo><title>Series ; 5</title>\
               <partNumber>1</partNumber><partName>Part</partName></titleInfo></relatedItem>",
                "<relatedItem type=\"series\"><titleInfo><title>Series ; 5</title></titleInfo></relatedItem>",
            ],
        ),
        (
            "relatedItem",
            "510 __ $aCited.$aB$b1900$bx$cp. 5.\n510 __ $x",
            &[
                "<relatedItem type=\"isReferencedBy\"><titleInfo><title>Cited.</title></titleInfo><titleInfo><title>B</title></titleInfo>\
               <originInfo><dateOther type=\"coverage\">1900</dateOther></originInfo>\
               <originInfo><dateOther type=\"coverage\">x</dateOther></originInfo><note>p. 5</note></relatedItem>",
                "<relatedItem type=\"isReferencedBy\"><note/></relatedItem>",
            ],
        ),
        (
            "relatedItem",
            "534 __ $pOriginal$tT.$tU$aA.$cBrno$b2.$x1$z2$nn",
            &[
                "<relatedItem type=\"original\"><titleInfo><title>T</title></titleInfo><titleInfo><title>U</title></titleInfo>\
               <name><namePart>A.</namePart></name><originInfo><publisher>Brno</publisher><edition>2.</edition></originInfo>\
               <identifier type=\"issn\">1</identifier><identifier type=\"isbn\">2</identifier><note>n</note></relatedItem>",
            ],
        ),
    ]);
}

#[test]
fn l_works_of_somebody() {
    let role = "<role><roleTerm authority=\"marcrelator\" type=\"code\">aut</roleTerm></role>";
    let person = |kind: &str, part: &str, end: &str| {
        format!(
            "<relatedItem{kind}><titleInfo><title>f k l m o r s T. v</title><partNumber>1 o r</partNumber>\
             <partName>p r</partName></titleInfo><name type=\"personal\"><namePart>{part}</namePart>\
             <namePart type=\"termsOfAddress\">b c</namePart><namePart type=\"date\">d</namePart>{role}</name>\
             <physicalDescription><form>h</form></physicalDescription>{end}</relatedItem>"
        )
    };
    let values = "$aA.$qq.$gg$bb$cc$dd$ff$kk$ll$mm$oo$rr$ss$tT.$vv.$n1$pp$hh$x12$4aut";
    let issn = "<identifier type=\"issn\">12</identifier>";
    assert_eq!(
        of("relatedItem", &format!("700 12 {values}")),
        [person(" type=\"constituent\"", "A. g q.", issn)]
    );
    assert_eq!(
        of("relatedItem", &format!("700 1_ {values}")),
        [person("", "A. g q.", issn)]
    );
    assert_eq!(
        of("relatedItem", &format!("800 1_ {values}")),
        [person(" type=\"series\"", "A. g q", "")]
    );

    let body = |kind: &str, end: &str| {
        format!(
            "<relatedItem{kind}><titleInfo><title>f k l m o r s T v</title><partNumber>g p s T.</partNumber>\
             <partName>p r</partName></titleInfo><name type=\"corporate\"><namePart>A.</namePart><namePart>b.</namePart>\
             <namePart>c d g 1</namePart>{role}</name>\
             <physicalDescription><form>h</form></physicalDescription>{end}</relatedItem>"
        )
    };
    let values = "$aA.$bb.$cc$dd$gg$n1$ff$kk$ll$mm$oo$pp$rr$ss$tT.$vv$hh$x12$4aut";
    let expected = body("", issn).replace("s T v<", "s T. v<");
    assert_eq!(of("relatedItem", &format!("710 2_ {values}")), [expected]);
    let series = body(" type=\"series\"", "").replace("s T v<", "s T. v<");
    assert_eq!(of("relatedItem", &format!("810 2_ {values}")), [series]);
    assert_eq!(
        of("relatedItem", "710 2_ $aA$tT\n810 2_ $aA$tT"),
        [
            "<relatedItem><titleInfo><title>T</title></titleInfo><name type=\"corporate\"><namePart>A</namePart></name></relatedItem>",
            "<relatedItem type=\"series\"><titleInfo><title>T</title></titleInfo><name type=\"corporate\"><namePart>A</namePart><namePart/></name></relatedItem>"
        ]
    );

    let conference = |kind: &str, role: &str, end: &str| {
        format!(
            "<relatedItem{kind}><titleInfo><title>f k l s T. v</title><partNumber>g T.</partNumber></titleInfo>\
             <name type=\"conference\"><namePart>A. c d g 1 q</namePart>{role}</name>\
             <physicalDescription><form>h</form></physicalDescription>{end}</relatedItem>"
        )
    };
    let values = "$aA.$cc$dd$ee$gg$n1$qq$ff$kk$ll$ss$tT.$vv$hh$x12$4aut";
    let with_s = |text: String| text.replace("g T.</partNumber>", "g s T.</partNumber>");
    assert_eq!(
        of("relatedItem", &format!("711 2_ {values}")),
        [with_s(conference("", "", issn))]
    );
    assert_eq!(
        of("relatedItem", &format!("811 2_ {values}")),
        [with_s(conference(" type=\"series\"", role, ""))]
    );
    for tag in ["700", "710", "711"] {
        assert!(of("relatedItem", &format!("{tag} 12 $aA")).is_empty());
    }
    check(&[
        (
            "relatedItem",
            "730 02 $aU.$dd$ff$gg$kk$ll$mm$oo$rr$ss$vv$n1$pp$hh$x1\n730 0_ $aNothing",
            &[
                "<relatedItem type=\"constituent\"><titleInfo><title>U. d f g k l m o r s v</title><partNumber>1 o r</partNumber>\
               <partName>p r</partName></titleInfo><physicalDescription><form>h</form></physicalDescription>\
               <identifier type=\"issn\">1</identifier></relatedItem>",
            ],
        ),
        (
            "relatedItem",
            "740 02 $aT.$aU$hh$n1\n740 00 $aNothing\n830 _0 $aS.$v5$n1$hh$x9",
            &[
                "<relatedItem type=\"constituent\"><titleInfo><title>T</title><partNumber>1</partNumber></titleInfo>\
               <physicalDescription><form>h</form></physicalDescription></relatedItem>",
                "<relatedItem type=\"series\"><titleInfo><title>S. 5</title><partNumber>1</partNumber></titleInfo>\
               <physicalDescription><form>h</form></physicalDescription></relatedItem>",
            ],
        ),
    ]);
}

#[test]
fn l_linking_entries() {
    for (tag, kind) in [
        ("760", "series"),
        ("762", "constituent"),
        ("765", "otherVersion"),
        ("767", "otherVersion"),
        ("775", "otherVersion"),
        ("770", "constituent"),
        ("774", "constituent"),
        ("772", "host"),
        ("773", "host"),
        ("776", "otherFormat"),
        ("780", "preceding"),
        ("785", "succeeding"),
        ("786", "original"),
    ] {
        let lines =
            format!("{tag} 0_ $iLabel:$33$tT.$pP.$sS.$aA.$bb$dd$ff$eczeen$hh$nn$jj.$oo$x1$ww$zz");
        let country = match tag {
            "775" => "<place><placeTerm type=\"text\" authority=\"marcgac\">f</placeTerm></place>",
            _ => "",
        };
        let expected = format!(
            "<relatedItem type=\"{kind}\" displayLabel=\"3\"><titleInfo><title>T</title></titleInfo>\
             <titleInfo type=\"abbreviated\"><title>P</title></titleInfo><titleInfo type=\"uniform\"><title>S</title></titleInfo>\
             <name><namePart>A.</namePart></name><originInfo>{country}<publisher>d</publisher><edition>b</edition></originInfo>\
             <language><languageTerm authority=\"iso639-2b\" type=\"code\">cze</languageTerm></language>\
             <language><languageTerm authority=\"iso639-2b\" type=\"code\">en</languageTerm></language>\
             <physicalDescription><extent>h</extent></physicalDescription><note>n</note>\
             <subject><temporal encoding=\"iso8601\">j</temporal></subject><identifier>o</identifier>\
             <identifier type=\"issn\">1</identifier><identifier type=\"local\">w</identifier></relatedItem>"
        );
        let found = of("relatedItem", &format!("{}\n{lines}", leader(&[])));
        let place =
            "<place><placeTerm type=\"code\" authority=\"marccountry\">xr-</placeTerm></place>";
        assert_eq!(found.concat().replace(place, ""), expected, "{tag}");
    }
    assert_eq!(
        of("relatedItem", "776 08 $iOnline:$iMore"),
        ["<relatedItem type=\"otherFormat\" displayLabel=\"Online:\" />"]
    );
    let order = of(
        "relatedItem",
        "786 __ $t9\n785 __ $t8\n780 __ $t7\n776 __ $t6\n773 __ $t5\n774 __ $t4\n775 __ $t3\n762 __ $t2\n760 __ $t1",
    );
    let titles: String = order
        .iter()
        .filter_map(|e| e.split("<title>").nth(1)?.chars().next())
        .collect();
    assert_eq!(titles, "123456789");
}

#[test]
fn l_parts_of_a_host() {
    let part = |one: &str, two: &str, three: &str, page: &str| {
        let element = |name: &str, text: &str| match text {
            "" => format!("<{name}/>"),
            text => format!("<{name}>{text}</{name}>"),
        };
        let detail = |level: &str, text: &str| {
            format!(
                "<detail level=\"{level}\">{}</detail>",
                element("number", text)
            )
        };
        format!(
            "<relatedItem type=\"host\"><part>{}{}{}<extent unit=\"page\">{}</extent></part></relatedItem>",
            detail("1", one),
            detail("2", two),
            detail("3", three),
            element("start", page)
        )
    };
    for (value, expected) in [
        ("96:4:3<103", part("96", "4", "3", "103")),
        ("96", part("96", "", "", "")),
        ("96<103", part("96", "", "", "103")),
        ("96:4", part("96", "4", "", "")),
        ("96:4<5", part("96", "4", "", "5")),
        ("1:2:3:4<5<6", part("1", "2", "3:4", "5<6")),
        ("<5", part("", "", "", "5")),
        ("a<b:c", part("a<b", "c", "", "b:c")),
    ] {
        let escaped = expected.replace("5<6", "5&lt;6").replace("a<b", "a&lt;b");
        assert_eq!(
            of("relatedItem", &format!("773 0_ $q{value}")),
            [escaped],
            "{value}"
        );
    }
    assert_eq!(
        of("relatedItem", "773 0_ $gRoč. 1$gx"),
        [
            "<relatedItem type=\"host\"><part><text>Roč. 1</text></part><part><text>x</text></part></relatedItem>"
        ]
    );
}

#[test]
fn l_and_o_electronic_resources() {
    assert_eq!(
        of(
            "relatedItem",
            "856 42 $qpdf$qx$uhttp://a$yLabel$3m$zNote\n856 40 $qhtml$uhttp://b"
        ),
        [
            "<relatedItem><internetMediaType>pdf</internetMediaType></relatedItem>",
            "<relatedItem><internetMediaType>x</internetMediaType></relatedItem>",
            // its location has been removed
            "<relatedItem></relatedItem>"
        ]
    );
    // the second one stays
    assert_eq!(
        of(
            "relatedItem",
            "856 42 $uhttp://a\n856 42 $uhttp://b$yLabel$3m$zNote"
        ),
        [
            "<relatedItem><location><url displayLabel=\"Label m\" note=\"Note\">http://b</url></location></relatedItem>"
        ]
    );
}

#[test]
fn m_other_scripts() {
    for (tag, expected) in [
        (
            "047",
            "<genre authority=\"\" altRepGroup=\"01\" script=\"Cyrl\">а</genre>",
        ),
        (
            "655",
            "<genre authority=\"\" altRepGroup=\"01\" script=\"Cyrl\">а</genre>",
        ),
        (
            "050",
            "<classification authority=\"lcc\">а</classification>",
        ),
        (
            "060",
            "<classification authority=\"nlm\" altRepGroup=\"01\" script=\"Cyrl\">а</classification>",
        ),
        (
            "080",
            "<classification authority=\"udc\" altRepGroup=\"01\" script=\"Cyrl\">а</classification>",
        ),
        (
            "082",
            "<classification authority=\"ddc\" altRepGroup=\"01\" script=\"Cyrl\">а</classification>",
        ),
        (
            "084",
            "<classification authority=\"udc\" altRepGroup=\"01\" script=\"Cyrl\">а</classification>",
        ),
        (
            "086",
            "<classification authority=\"ddc\" altRepGroup=\"01\" script=\"Cyrl\">а</classification>",
        ),
        (
            "100",
            "<name type=\"personal\" usage=\"primary\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "110",
            "<name type=\"corporate\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "111",
            "<name type=\"corporate\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "700",
            "<name type=\"personal\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "710",
            "<name type=\"corporate\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "711",
            "<name type=\"corporate\" altRepGroup=\"01\" script=\"Cyrl\"><namePart>а</namePart></name>",
        ),
        (
            "210",
            "<titleInfo type=\"abbreviated\" altRepGroup=\"01\" script=\"Cyrl\"><title>а</title></titleInfo>",
        ),
        (
            "246",
            "<titleInfo type=\"alternative\" altRepGroup=\"01\" script=\"Cyrl\"><title>а</title></titleInfo>",
        ),
        (
            "240",
            "<titleInfo type=\"uniform\" altRepGroup=\"01\" script=\"Cyrl\"><title>а</title></titleInfo>",
        ),
        (
            "740",
            "<titleInfo type=\"alternative\" altRepGroup=\"01\" script=\"Cyrl\"><title>а</title></titleInfo>",
        ),
        (
            "730",
            "<titleInfo type=\"uniform\"><title>а</title></titleInfo>",
        ),
        (
            "505",
            "<tableOfContents altRepGroup=\"01\" script=\"Cyrl\">а</tableOfContents>",
        ),
        (
            "520",
            "<abstract altRepGroup=\"01\" script=\"Cyrl\">а</abstract>",
        ),
        (
            "521",
            "<targetAudience altRepGroup=\"01\" script=\"Cyrl\">а</targetAudience>",
        ),
        (
            "506",
            "<accessCondition type=\"restrictionOnAccess\" altRepGroup=\"01\" script=\"Cyrl\">а</accessCondition>",
        ),
        (
            "540",
            "<accessCondition type=\"useAndReproduction\" altRepGroup=\"01\" script=\"Cyrl\">а</accessCondition>",
        ),
        (
            "362",
            "<note type=\"date/sequential designation\" altRepGroup=\"01\" script=\"Cyrl\">а</note>",
        ),
        (
            "502",
            "<note type=\"thesis\" altRepGroup=\"01\" script=\"Cyrl\">а</note>",
        ),
        (
            "534",
            "<note type=\"original version\" altRepGroup=\"01\" script=\"Cyrl\">а</note>",
        ),
        ("586", "<note altRepGroup=\"01\" script=\"Cyrl\">а</note>"),
        (
            "650",
            "<subject altRepGroup=\"01\" script=\"Cyrl\"><topic>а</topic></subject>",
        ),
        ("653", "<subject><topic>а653-01/(N</topic></subject>"),
        (
            "752",
            "<subject altRepGroup=\"01\" script=\"Cyrl\"><hierarchicalGeographic><country>а</country></hierarchicalGeographic></subject>",
        ),
        (
            "490",
            "<relatedItem type=\"series\" altRepGroup=\"01\" script=\"Cyrl\"><titleInfo><title>а</title></titleInfo></relatedItem>",
        ),
        ("852", "<physicalLocation>а</physicalLocation>"),
        (
            "910",
            "<physicalLocation authority=\"siglaADR\">а</physicalLocation>",
        ),
    ] {
        let elements = elements(&format!("880 __ $6{tag}-01/(N$aа"));
        let own: Vec<_> = elements.iter().filter(|e| e.contains('а')).collect();
        assert_eq!(own, [expected], "{tag}");
    }
    for tag in [
        "500", "300", "242", "800", "547", "550", "034", "130", "720", "020", "765",
    ] {
        let elements = elements(&format!("880 __ $6{tag}-01/(N$aа"));
        assert!(!elements.iter().any(|e| e.contains('а')), "{tag}");
    }
    // the article is cut off and not written
    assert_eq!(
        of("titleInfo", "880 14 $6 245-01/€1$athe title$bsub"),
        [
            "<titleInfo altRepGroup=\"01\" script=\"CJK\"><title>title</title><subTitle>sub</subTitle></titleInfo>"
        ]
    );
    assert_eq!(
        of(
            "url",
            "856 4_ $uhttp://a\n880 4_ $6856-01$uhttp://б$yЯ$zп\n880 40 $6856-01$uhttp://в"
        ),
        [
            "<url displayLabel=\"Я\" note=\"п\">http://б</url>",
            "<url displayLabel=\"electronic resource\" usage=\"primary display\">http://в</url>"
        ]
    );
    assert_eq!(
        of("shelfLocator", "880 4_ $6910-01$b 1 , 2,,3,"),
        [
            "<shelfLocator>1</shelfLocator>",
            "<shelfLocator>2</shelfLocator>",
            "<shelfLocator/>",
            "<shelfLocator>3</shelfLocator>"
        ]
    );
    assert_eq!(of("shelfLocator", "880 4_ $6910-01$b"), ["<shelfLocator/>"]);
    assert!(of("shelfLocator", "880 4_ $6910-01$c1").is_empty());
    let scripts = [
        ("(3", "Arab"),
        ("(4", "Arab"),
        ("(B", "Latn"),
        ("!E", "Latn"),
        ("€1", "CJK"),
        ("(N", "Cyrl"),
        ("(Q", "Cyrl"),
        ("(2", "Hebr"),
        ("(S", "Grek"),
        ("xx", ""),
        ("", "Latn"),
    ];
    for (code, script) in scripts {
        let found = of("abstract", &format!("880 __ $6520-07/{code}$aа"));
        let begin = format!("<abstract altRepGroup=\"07\" script=\"{script}\"");
        assert!(found[0].starts_with(&begin), "{code}: {found:?}");
    }
}

#[test]
fn n_identifiers() {
    let id = |attributes: &str, text: &str| format!("<identifier {attributes}>{text}</identifier>");
    for (lines, expected) in [
        (
            "015 __ $acnb1$acnb2$zbad$zbad2",
            vec![
                id("type=\"ccnb\"", "cnb1"),
                id("type=\"ccnb\" invalid=\"yes\"", "bad"),
                id("type=\"ccnb\" invalid=\"yes\"", "bad2"),
            ],
        ),
        (
            "020 __ $a80-251-0225-4 (brož.) :$asecond$z1.$z(x)$c5",
            vec![
                id("type=\"isbn\"", "80-251-0225-4 (brož.)"),
                id("type=\"isbn\" invalid=\"yes\"", "1"),
            ],
        ),
        ("020 __ $a(brož.)\n020 __ $q1", vec![]),
        (
            "024 0_ $aISRC.$a2\n024 0_ $zz",
            vec![id("type=\"isrc\"", "ISRC.")],
        ),
        (
            "024 2_ $aM-1 :$z2",
            vec![
                id("type=\"ismn\"", "M-1"),
                id("type=\"ismn\" invalid=\"yes\"", "2"),
            ],
        ),
        ("024 4_ $as$bi$dx", vec![id("type=\"sici\"", "s i")]),
        ("024 8_ $ax", vec!["<identifier>x</identifier>".to_owned()]),
        ("024 7_ $ax$2doi", vec![]),
        (
            "022 __ $a1$a2$yy$zz$ll$mm",
            vec![
                id("type=\"issn\"", "1"),
                id("type=\"issn\" invalid=\"yes\"", "z"),
                id("type=\"issn\" invalid=\"yes\"", "y"),
                id("type=\"issn-l\"", "l"),
                id("type=\"issn-l\" invalid=\"yes\"", "m"),
            ],
        ),
        (
            "010 __ $zx  y\n010 __ $a  1   2",
            vec![
                id("type=\"lccn\"", "1 2"),
                id("type=\"lccn\" invalid=\"yes\"", "x y"),
            ],
        ),
        ("028 00 $a1$bB", vec![id("type=\"issue number\"", "1 B")]),
        ("028 1_ $a1", vec![id("type=\"matrix number\"", "1")]),
        ("028 2_ $a1", vec![id("type=\"music plate\"", "1")]),
        ("028 3_ $a1", vec![id("type=\"music publisher\"", "1")]),
        (
            "028 4_ $a1",
            vec![id("type=\"videorecording identifier\"", "1")],
        ),
        ("028 5_ $a1", vec![id("type=\"\"", "1")]),
        (
            "035 __ $a(OCoLC) 8 5 $a9\n035 __ $a(CZ)1",
            vec![id("type=\"oclc\"", "8 5")],
        ),
        (
            "035 __ $ax$a(OCoLC)85",
            vec!["<identifier type=\"oclc\" />".to_owned()],
        ),
        (
            "037 __ $aa$bb$cc$cd\n037 __ $a1",
            vec![
                id("type=\"stock number\" displayLabel=\"c d\"", "a b"),
                id("type=\"stock number\"", "1"),
            ],
        ),
        ("024 1_ $a5", vec![id("type=\"upc\"", "5")]),
        (
            "856 40 $uhttp://hdl.loc.gov/loc.x/1",
            vec![id("type=\"hdl\"", "hdl:loc.x/1"); 2],
        ),
        ("856 40 $uurn:hdl:1$yY$zZ$33", {
            let one = [
                id("type=\"hdl\"", "hdl:"),
                id("type=\"hdl\" displayLabel=\"Y Z 3\"", "hdl:"),
            ];
            [one.clone(), one].concat()
        }),
        ("856 40 $uhdl:1", vec![id("type=\"hdl\"", "hdl:"); 4]),
        ("856 40 $uhttp://a/hdl", vec![]),
    ] {
        assert_eq!(of("identifier", lines), expected, "{lines}");
    }
    let order = of(
        "identifier",
        "037 __ $a9\n035 __ $a(OCoLC)8\n028 __ $a7\n010 __ $a6\n022 __ $a5\n024 8_ $a4\n024 4_ $a3\n024 1_ $ax\n024 2_ $a2\n024 0_ $a1\n020 __ $a0",
    );
    let texts: String = order
        .iter()
        .filter_map(|e| e.split('>').nth(1)?.chars().next())
        .collect();
    assert_eq!(texts, "0123456789x");
}

#[test]
fn p_record_info() {
    let lines = "
        LDR 00000nam a2200000 a 4500
        001 nkc1
        003 CZ-PrNK
        005 20240224090043.0
        008 240211s2024    xr a    o     000 1 cze||
        040 __ $aABA001$bcze$erda$dX
        040 __ $bslo$bx";
    assert_eq!(
        of("recordInfo", lines),
        [
            "<recordInfo><descriptionStandard>aacr</descriptionStandard><descriptionStandard>rda</descriptionStandard>\
          <recordContentSource authority=\"marcorg\">ABA001</recordContentSource>\
          <recordContentSource authority=\"marcorg\" /><recordCreationDate encoding=\"marc\">240211</recordCreationDate>\
          <recordChangeDate encoding=\"iso8601\">20240224090043.0</recordChangeDate>\
          <recordIdentifier source=\"CZ-PrNK\">nkc1</recordIdentifier><recordOrigin>machine generated</recordOrigin>\
          <languageOfCataloging><languageTerm authority=\"iso639-2b\" type=\"code\">cze</languageTerm></languageOfCataloging>\
          <languageOfCataloging><languageTerm authority=\"iso639-2b\" type=\"code\">slo</languageTerm></languageOfCataloging>\
          <languageOfCataloging><languageTerm authority=\"iso639-2b\" type=\"code\">x</languageTerm></languageOfCataloging></recordInfo>"
        ]
    );
    assert_eq!(
        of("recordInfo", "003 CZ"),
        ["<recordInfo><recordOrigin>machine generated</recordOrigin></recordInfo>"]
    );
}

/// Repeated control fields: the last one; ids that are no numbers count for nothing here.
#[test]
fn order_of_fields_and_subfields() {
    assert_eq!(
        of("recordInfo", "001 a\n001 b\nFMT BK"),
        [
            "<recordInfo><recordIdentifier>b</recordIdentifier><recordOrigin>machine generated</recordOrigin></recordInfo>"
        ]
    );
    assert_eq!(
        of("note", "501 __ $22$zz$AA$aa$11$ZZ$ab"),
        ["<note>A Z a b z 1 2</note>"]
    );
}
