//! Rows of the mapping, with the original's accidents: notes, subjects, classification, location.

mod common;

use common::{check, elements, f008, leader, of};

#[test]
fn h_summaries_and_audiences() {
    check(&[
        (
            "abstract",
            "520 __ $6880-01$aA.$bB$cC$uhttp://u$0http://0",
            &[
                "<abstract xmlns:xlink=\"http://www.w3.org/1999/xlink\" altRepGroup=\"01\" script=\"Latn\" \
               xlink:href=\"http://0\">A. B</abstract>",
            ],
        ),
        ("abstract", "520 __ $c", &["<abstract/>"]),
        (
            "tableOfContents",
            "505 0_ $tT /$rR$gG$aA$uhttp://u$uhttp://v",
            &[
                "<tableOfContents xmlns:xlink=\"http://www.w3.org/1999/xlink\" xlink:href=\"http://v\">\
               A G R T /</tableOfContents>",
            ],
        ),
        (
            "targetAudience",
            "521 __ $aA$bB$c",
            &["<targetAudience>A B</targetAudience>"],
        ),
        (
            "accessCondition",
            "506 __ $aa$bb$cc$dd$ee$33$55$6880-01\n540 __ $aa$bb$cc$dd$ee$33$55",
            &[
                "<accessCondition type=\"restrictionOnAccess\" altRepGroup=\"01\" script=\"Latn\">a b c d 3 5</accessCondition>",
                "<accessCondition type=\"useAndReproduction\">a b c d e 3 5</accessCondition>",
            ],
        ),
    ]);
    for (code, word) in "degbcjaf".chars().zip([
        "adolescent",
        "adult",
        "general",
        "juvenile",
        "juvenile",
        "juvenile",
        "preschool",
        "specialized",
    ]) {
        for kind in ['a', 'm', 'c', 'g'] {
            let lines = leader(&[(6, kind), (7, 'm')]) + "\n" + &f008(&[(22, &code.to_string())]);
            let audience =
                format!("<targetAudience authority=\"marctarget\">{word}</targetAudience>");
            assert_eq!(of("targetAudience", &lines), [audience]);
        }
        for (six, seven) in [('a', 's'), ('e', 'm'), ('p', 'm')] {
            let lines = leader(&[(6, six), (7, seven)]) + "\n" + &f008(&[(22, &code.to_string())]);
            assert!(of("targetAudience", &lines).is_empty());
        }
    }
}

#[test]
fn h_statements_of_responsibility() {
    let note = |more: &str, text: &str| {
        format!("<note type=\"statement of responsibility\"{more}>{text}</note>")
    };
    assert_eq!(of("note", "245 10 $aA$cJan$cEva"), [note("", "Jan Eva")]);
    assert!(of("note", "245 10 $aA").is_empty());
    assert_eq!(
        of("note", "245 10 $aA\n245 10 $aB$cJan"),
        [
            "<note type=\"statement of responsibility\" />".to_owned(),
            note("", "Jan")
        ]
    );
    assert_eq!(
        of("note", "245 10 $6880-01$aA$cJan\n880 10 $6245-01/(N$aА$cЯн"),
        [
            note(" altRepGroup=\"00\" script=\"Latn\"", "Jan"),
            note(" altRepGroup=\"00\" script=\"Cyrl\"", "Ян")
        ]
    );
    assert_eq!(
        of("note", "245 10 $aA$cJan\n700 1_ $6880-01$aB"),
        [note(" script=\"Latn\"", "Jan")]
    );
    // a title that is there in another script only has none
    assert!(of("note", "880 10 $6245-01/(N$aА$cЯн").is_empty());
}

#[test]
fn h_notes() {
    let typed = [
        ("502", "thesis"),
        ("504", "bibliography"),
        ("508", "creation/production credits"),
        ("511", "performers"),
        ("515", "numbering"),
        ("518", "venue"),
        ("524", "preferred citation"),
        ("530", "additional physical form"),
        ("533", "reproduction"),
        ("534", "original version"),
        ("535", "original location"),
        ("536", "funding"),
        ("538", "system details"),
        ("541", "acquisition"),
        ("545", "biographical/historical"),
        ("546", "language"),
        ("561", "ownership"),
        ("562", "version identification"),
        ("581", "publications"),
        ("583", "action"),
        ("585", "exhibitions"),
        ("362", "date/sequential designation"),
    ];
    let link = "xmlns:xlink=\"http://www.w3.org/1999/xlink\"";
    for (tag, kind) in typed {
        let lines = format!("{tag} __ $zz$aa$33$55$uhttp://u$6880-01$8x");
        let text = match tag {
            "508" | "530" => "a z 5",
            "518" => "a http://u z 5",
            _ => "a http://u z 3 5",
        };
        let expected = format!(
            "<note {link} type=\"{kind}\" altRepGroup=\"01\" script=\"Latn\" xlink:href=\"http://u\">{text}</note>"
        );
        assert_eq!(of("note", &lines), [expected]);
    }
    let others = "501 507 513 514 516 522 525 526 544 547 550 552 555 556 565 567 580 584 586";
    for tag in others.split(' ') {
        let expected = format!("<note {link} xlink:href=\"0\">a c 0</note>");
        assert_eq!(of("note", &format!("{tag} __ $cc$aa$00")), [expected]);
    }
    let expected =
        format!("<note {link} altRepGroup=\"01\" script=\"Latn\" xlink:href=\"u\">a</note>");
    assert_eq!(of("note", "500 __ $aa$ab$cc$uu$6880-01"), [expected]);
    for tag in ["510", "590", "503", "520", "599"] {
        let elements = elements(&format!("{tag} __ $xx"));
        assert!(!elements.iter().any(|e| e.starts_with("<note")), "{tag}");
    }
    let order = of(
        "note",
        "586 __ $a7\n501 __ $a6\n585 __ $a5\n502 __ $a4\n500 __ $a3\n362 __ $a2\n245 __ $a$c1",
    );
    let texts: String = order
        .iter()
        .filter_map(|n| n.split('>').nth(1)?.chars().next())
        .collect();
    assert_eq!(texts, "1234567");
}

#[test]
fn i_subjects_of_places_times_and_maps() {
    check(&[
        ("subject", "034 __ $aa$d1$e2", &[]),
        (
            "subject",
            "043 __ $ae-xr---$bx$by$ccz$2czenas$6880-01",
            &[
                "<subject altRepGroup=\"01\" script=\"Latn\"><geographicCode authority=\"marcgac\">e-xr---</geographicCode>\
               <geographicCode authority=\"czenas\">x</geographicCode><geographicCode authority=\"czenas\">y</geographicCode>\
               <geographicCode authority=\"iso3166\">cz</geographicCode></subject>",
            ],
        ),
        (
            "subject",
            "043 __ $bx",
            &["<subject><geographicCode authority=\"\">x</geographicCode></subject>"],
        ),
        ("subject", "045 0_ $bd1990", &[]),
        (
            "subject",
            "045 2_ $bd1990$bc0200\n045 0_ $cx",
            &[
                "<subject><temporal encoding=\"iso8601\" point=\"start\">1990</temporal>\
               <temporal encoding=\"iso8601\" point=\"end\">-0200</temporal></subject>",
                "<subject><temporal encoding=\"iso8601\" point=\"start\">x</temporal>\
               <temporal encoding=\"iso8601\" point=\"end\" /></subject>",
            ],
        ),
        (
            "subject",
            "255 __ $bMerc.$a1:5$cE 14",
            &["<subject><cartographics><scale>1:5</scale></cartographics>\
               <cartographics><projection>Merc.</projection></cartographics>\
               <cartographics><coordinates>E 14</coordinates></cartographics></subject>"],
        ),
        (
            "subject",
            "662 __ $aA.$bB$cC$dD$eE$gG$hH$aA2\n752 __ $dPraha ;$6880-01",
            &[
                "<subject><hierarchicalGeographic><country>A</country><country>A2</country><state>B</state>\
               <county>C</county><city>D</city><citySection>E</citySection><area>G</area>\
               <extraterrestrialArea>H</extraterrestrialArea></hierarchicalGeographic></subject>",
                "<subject altRepGroup=\"01\" script=\"Latn\"><hierarchicalGeographic><city>Praha</city></hierarchicalGeographic></subject>",
            ],
        ),
    ]);
}

#[test]
fn i_headings() {
    check(&[
        (
            "subject",
            "600 17 $aNovák,$qJan,$bII.$cking,$d1900-$uBrno$4dte$tTitle.$n1$pp$rr$vv.$zz,$xx$yy$2czenas$6880-01",
            &[
                "<subject altRepGroup=\"01\" script=\"Latn\" authority=\"czenas\"><name type=\"personal\">\
               <namePart type=\"termsOfAddress\">II. king</namePart><namePart>Novák, Jan</namePart>\
               <namePart type=\"date\">1900-</namePart><affiliation>Brno</affiliation>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">dte</roleTerm></role></name>\
               <titleInfo><title>Title</title><partNumber>1 r</partNumber><partName>p r</partName></titleInfo>\
               <genre>v</genre><topic>x</topic><temporal>y</temporal><geographic>z</geographic></subject>",
            ],
        ),
        (
            "subject",
            "610 20 $aBody.$bPart.$cBrno$n1$pp$dd$4x$tT$xx",
            &[
                "<subject authority=\"lcsh\"><name type=\"corporate\"><namePart>Body.</namePart><namePart>Part.</namePart>\
               <namePart>Brno d 1 p</namePart><role><roleTerm authority=\"marcrelator\" type=\"code\">x</roleTerm></role></name>\
               <titleInfo><title>T</title><partNumber>1</partNumber><partName>p</partName></titleInfo>\
               <topic>x</topic></subject>",
            ],
        ),
        (
            "subject",
            "611 24 $aC.$bb$cc$dd$ee$qq$n1$pp$tT.$4x",
            &[
                "<subject><name type=\"conference\"><namePart>C. b c d e 1 p q</namePart>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">x</roleTerm></role></name>\
               <titleInfo><title>1 p T</title><partNumber>1</partNumber><partName>p</partName></titleInfo></subject>",
            ],
        ),
        (
            "subject",
            "630 01 $aU.$dd$ff$hh$kk$ll$oo$rr$n1$xx",
            &[
                "<subject authority=\"lcshac\"><titleInfo><title>U. d f h k l o r</title>\
               <partNumber>1 o r</partNumber></titleInfo><topic>x</topic></subject>",
            ],
        ),
        (
            "subject",
            "650 07 $aTopic.$bb$cc$dd,$vv$2x\n651 _7 $aPraha ;$aBrno$xx",
            &[
                "<subject authority=\"x\"><topic>Topic. b c d</topic><genre>v</genre></subject>",
                "<subject authority=\"\"><geographic>Praha</geographic><geographic>Brno</geographic><topic>x</topic></subject>",
            ],
        ),
        (
            "subject",
            "648 _7 $a1900.$2x$uhttp://u$6880-01\n648 _0 $a2$2x\n648 _0 $a3$0y\n648 __ $a4$2x",
            &[
                "<subject xmlns:xlink=\"http://www.w3.org/1999/xlink\" altRepGroup=\"01\" script=\"Latn\" authority=\"x\" \
               xlink:href=\"http://u\"><temporal>1900</temporal></subject>",
                "<subject authority=\"lcsh\"><temporal>2</temporal></subject>",
                "<subject xmlns:xlink=\"http://www.w3.org/1999/xlink\" xlink:href=\"y\" authority=\"lcsh\"><temporal>3</temporal></subject>",
                "<subject authority=\"x\"><temporal>4</temporal></subject>",
            ],
        ),
        (
            "subject",
            "656 _7 $aDoctor.$aOther$2x$6880-01\n656 __ $b",
            &[
                "<subject altRepGroup=\"01\" script=\"Latn\" authority=\"x\"><occupation>Doctor</occupation></subject>",
                "<subject><occupation/></subject>",
            ],
        ),
    ]);
    for (i2, two, expected) in [
        ("_", "x", ""),
        ("4", "x", ""),
        ("8", "x", ""),
        ("9", "", ""),
        ("9", "x", " authority=\"x\""),
        ("0", "x", " authority=\"lcsh\""),
        ("1", "x", " authority=\"lcshac\""),
        ("2", "x", " authority=\"mesh\""),
        ("3", "x", " authority=\"nal\""),
        ("5", "x", " authority=\"csh\""),
        ("6", "x", " authority=\"rvm\""),
        ("7", "x", " authority=\"x\""),
        ("7", "", " authority=\"\""),
        ("#", "x", " authority=\"\""),
        ("x", "x", " authority=\"\""),
        ("-", "x", " authority=\"lcsh\""),
    ] {
        let two = if two.is_empty() {
            String::new()
        } else {
            format!("$2{two}")
        };
        let found = of("subject", &format!("650 _{i2} $aA{two}"));
        assert_eq!(
            found,
            [format!("<subject{expected}><topic>A</topic></subject>")],
            "{i2}"
        );
    }
}

#[test]
fn i_key_words() {
    for (i2, expected) in [
        ("_", "<topic>ab.</topic>"),
        ("0", "<topic>ab.</topic>"),
        (
            "1",
            "<name type=\"personal\"><namePart>ab.</namePart></name>",
        ),
        (
            "2",
            "<name type=\"corporate\"><namePart>ab.</namePart></name>",
        ),
        (
            "3",
            "<name type=\"conference\"><namePart>ab.</namePart></name>",
        ),
        ("4", "<temporal>ab.</temporal>"),
        ("5", "<geographic>ab.</geographic>"),
        ("6", "<genre>ab.</genre>"),
    ] {
        let found = of("subject", &format!("653 _{i2} $aa$ab."));
        assert_eq!(found, [format!("<subject>{expected}</subject>")], "{i2}");
    }
    assert!(of("subject", "653 _7 $aa").is_empty());
    // the link goes into the text, and nothing into attributes
    assert_eq!(
        of("subject", "653 __ $aa$6880-01"),
        ["<subject><topic>a880-01</topic></subject>"]
    );
}

#[test]
fn j_classification() {
    check(&[
        (
            "classification",
            "050 00 $aQA76$aQB$b.R39$bX$3v. 1",
            &[
                "<classification authority=\"lcc\" displayLabel=\"v. 1\">QB .R39</classification>",
                "<classification authority=\"lcc\" displayLabel=\"v. 1\">QB X</classification>",
            ],
        ),
        (
            "classification",
            "050 00 $aQA$aQB",
            &[
                "<classification authority=\"lcc\">QA</classification>",
                "<classification authority=\"lcc\">QB</classification>",
            ],
        ),
        (
            "classification",
            "060 __ $aW$b1$cx$6880-01\n080 __ $a004$b2$x.1$cx\n082 04 $a813$b3$223$6880-02\n082 __ $a1\n\
             084 __ $aX$by$2list\n084 __ $aZ\n086 __ $aN",
            &[
                "<classification authority=\"nlm\" altRepGroup=\"01\" script=\"Latn\">W 1</classification>",
                "<classification authority=\"udc\">004 2 .1</classification>",
                "<classification authority=\"ddc\" altRepGroup=\"02\" script=\"Latn\" edition=\"23\">813 3</classification>",
                "<classification authority=\"ddc\">1</classification>",
                "<classification authority=\"list\">X y</classification>",
                "<classification authority=\"\">Z</classification>",
            ],
        ),
    ]);
}

/// The address that comes of a record's locations.
fn address(lines: &str) -> String {
    let found = of("location", lines).concat();
    let (_, rest) = found.split_once("<electronicLocator>").unwrap();
    rest.split_once("</electronicLocator>")
        .unwrap()
        .0
        .to_owned()
}

#[test]
fn k_location_and_address() {
    for (lines, url) in [
        ("", "http://u.example/"),
        ("440 __ $aSeries", "http://u.example/"),
        ("856 40 $uhttp://a", "http://u.example/"),
        ("856 40 $uhttp://a\n910 __ $b1", "http://u.example/"),
        ("856 40 $uhttp://a\n910 __ $aABA001", "http://a"),
        ("856 40 $uhttp://a\n852 __ $aLibrary", "http://a"),
        ("856 40 $uhttp://a\n852 __ $uhttp://library", "http://a"),
        ("856 40 $uhttp://a\n852 __ $hmark", "http://u.example/"),
        (
            "856 41 $uhttp://longer\n856 40 $uhttp://a\n910 __ $aX",
            "http://a",
        ),
        (
            "856 41 $uhttp://longer\n856 41 $uhttp://a\n910 __ $aX",
            "http://longer",
        ),
        (
            "856 42 $uhttp://longer\n856 4_ $uhttp://a\n910 __ $aX",
            "http://longer",
        ),
        (
            "856 4_ $uhttp://a\n856 4_ $uhttp://longer\n910 __ $aX",
            "http://a",
        ),
        ("856 42 $uhttp://longer\n910 __ $aX", "http://u.example/"),
        // nothing is primary: the longest as it is written, the first of equals
        (
            "856 42 $qx\n856 4_ $uhttp://abcd\n856 4_ $uhttp://a&\n856 4_ $uhttp://efgh\n910 __ $aX",
            "http://a&amp;",
        ),
        (
            "856 42 $qx\n856 4_ $uhttp://abcd\n856 4_ $uhttp://efgh\n910 __ $aX",
            "http://abcd",
        ),
        (
            "856 42 $qx\n856 4_ $uhttp://čč\n856 4_ $uhttp://abc\n910 __ $aX",
            "http://čč",
        ),
    ] {
        assert_eq!(address(lines), url, "{lines}");
        assert_eq!(of("location", lines).len(), 1);
    }
    // the primary one has no address at all
    let empty = of("location", "856 40 $zx\n856 41 $uhttp://a\n910 __ $aX").concat();
    assert!(
        empty.contains("<electronicLocator></electronicLocator>"),
        "{empty}"
    );
}
