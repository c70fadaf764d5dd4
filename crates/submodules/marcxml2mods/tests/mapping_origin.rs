//! Rows of the mapping, with the original's accidents: imprint, language, physical description.

mod common;

use common::{check, f008, leader, of};

/// The imprint's contents, without the country the repair adds.
fn origin(lines: &str) -> String {
    let found = of("originInfo", &format!("{}\n{lines}", leader(&[])));
    let country =
        "<place><placeTerm type=\"code\" authority=\"marccountry\">xr-</placeTerm></place>";
    let issuance = "<issuance>single unit</issuance>";
    found.join("|").replace(country, "").replace(issuance, "")
}

#[test]
fn e_imprints() {
    let date = |parts: &[(usize, &str)], more: &str| {
        origin(&format!("{}\n{more}", f008(parts)))
            .replace("<originInfo>", "")
            .replace("</originInfo>", "")
    };
    let marc = |text: &str| format!("<dateIssued encoding=\"marc\"{text}</dateIssued>");
    let span =
        |point: &str, more: &str, text: &str| marc(&format!(" point=\"{point}\"{more}>{text}"));
    for code in "eprs".chars() {
        assert_eq!(
            date(&[(6, &format!("{code}2001"))], ""),
            marc(">2001"),
            "{code}"
        );
    }
    assert_eq!(
        date(&[(6, "s2001")], "260 __ $c2001."),
        "<dateIssued>2001</dateIssued>"
    );
    for code in "cdikmu".chars() {
        let both = span("start", "", "2001") + &span("end", "", "9999");
        assert_eq!(date(&[(6, &format!("{code}20019999"))], ""), both, "{code}");
    }
    let questionable = " qualifier=\"questionable\"";
    assert_eq!(
        date(&[(6, "q2001")], ""),
        marc(" qualifier=\"questionable\">2001")
    );
    assert_eq!(
        date(&[(6, "q20012005")], ""),
        span("start", questionable, "2001") + &span("end", questionable, "2005")
    );
    assert_eq!(
        date(&[(6, "t20012000")], ""),
        marc(">2001") + "<copyrightDate encoding=\"marc\">2000</copyrightDate>"
    );
    assert_eq!(date(&[(6, "n2001")], ""), "");
    assert_eq!(date(&[(6, "s||||")], ""), marc(">||||"));
}

#[test]
fn e_imprints_of_fields() {
    let all = "
        LDR 00000nas a2200000 a 4500
        033 0_ $a1990$a1991
        033 1_ $a1992
        033 2_ $a1993$a1994$a1995
        033 2_ $a1996
        033 3_ $a1997
        044 __ $axr$ccz$csk
        046 __ $js$k1$l2$c3$e4$m5$n6
        046 __ $m7$n8
        250 __ $aVyd. 1.$bx
        250 __ $a2.
        260 __ $gg.$c2000.$bPub S.A. ,$a[Brno :$a[; Praha]
        310 __ $aAnnual,$b1999
        321 __ $aMonthly";
    let lines = format!("{all}\n{}", f008(&[(6, "n"), (15, "xr-"), (18, "a")]));
    let captured = |point: &str, year: u32| {
        format!("<dateCaptured encoding=\"iso8601\"{point}>{year}</dateCaptured>")
    };
    let expected = [
        "<originInfo><place><placeTerm type=\"code\" authority=\"marccountry\">xr-</placeTerm></place>",
        "<place><placeTerm type=\"text\" authority=\"iso3166\">cz</placeTerm></place>",
        "<place><placeTerm type=\"text\" authority=\"iso3166\">sk</placeTerm></place>",
        "<place><placeTerm type=\"text\">Brno</placeTerm></place>",
        "<place><placeTerm type=\"text\">Praha</placeTerm></place>",
        "<dateValid point=\"start\">5</dateValid><dateValid point=\"start\">7</dateValid>",
        "<dateValid point=\"end\">6</dateValid><dateValid point=\"end\">8</dateValid>",
        "<dateModified>s</dateModified>",
        "<dateIssued encoding=\"marc\" point=\"start\">3</dateIssued>",
        "<dateIssued encoding=\"marc\" point=\"end\">4</dateIssued>",
        "<dateCreated encoding=\"marc\" point=\"start\">1</dateCreated>",
        "<dateCreated encoding=\"marc\" point=\"end\">2</dateCreated>",
        "<publisher>Pub S.A.</publisher><dateIssued>2000</dateIssued><dateCreated>g.</dateCreated>",
        &captured("", 1990),
        &captured("", 1991),
        &captured("", 1992),
        &captured(" point=\"start\"", 1993),
        &captured(" point=\"start\"", 1996),
        &captured(" point=\"end\"", 1994),
        "<edition>Vyd. 1.</edition><edition>2.</edition><issuance>continuing</issuance>",
        "<frequency authority=\"marcfrequency\">Annual, 1999</frequency>",
        "<frequency authority=\"marcfrequency\">Monthly</frequency>",
        "<frequency>Annual</frequency></originInfo>",
    ];
    assert_eq!(of("originInfo", &lines).concat(), expected.concat());
}

#[test]
fn e_country() {
    for (code, term) in [
        ("xr ", "xr"),
        ("xr-", "xr-"),
        ("|||", "xr-"),
        ("   ", "xr-"),
        ("enk", "enk"),
    ] {
        let origin = of("originInfo", &(leader(&[]) + "\n" + &f008(&[(15, code)]))).concat();
        let place = format!("authority=\"marccountry\">{term}</placeTerm>");
        assert_eq!(origin.matches(&place).count(), 1, "{code}: {origin}");
        assert_eq!(origin.matches("<place>").count(), 1, "{code}: {origin}");
    }
}

#[test]
fn e_issuance() {
    let kinds = |parts: &[(usize, char)], more: &str| {
        let origin = of("originInfo", &format!("{}\n{more}", leader(parts))).concat();
        let (_, rest) = origin.split_once("<issuance>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    for (seven, nineteen, more, kind) in [
        ('a', ' ', "", "single unit"),
        ('c', 'a', "", "single unit"),
        ('b', ' ', "", "continuing"),
        ('i', ' ', "", "continuing"),
        ('s', 'a', "", "continuing"),
        ('m', 'a', "", "multipart monograph"),
        ('m', ' ', "245 00 $aA$n1", "multipart monograph"),
        ('m', '-', "245 00 $aA$pP", "multipart monograph"),
        ('m', ' ', "245 00 $aA", "single unit"),
        ('m', '-', "", "single unit"),
        ('x', ' ', "", "single unit"),
    ] {
        assert_eq!(
            kinds(&[(7, seven), (19, nineteen)], more),
            kind,
            "{seven} {nineteen} {more}"
        );
    }
    assert!(
        !of("originInfo", "245 00 $aNo leader")
            .concat()
            .contains("issuance")
    );
}

#[test]
fn e_frequencies_of_008() {
    for (code, word) in "abcdefghmqsuw".chars().zip([
        "Annual",
        "Bimonthly",
        "Semiweekly",
        "Daily",
        "Biweekly",
        "Semiannual",
        "Biennial",
        "Triennial",
        "Monthly",
        "Quarterly",
        "Semimonthly",
        "Unknown",
        "Weekly",
    ]) {
        let lines = leader(&[(6, 'a'), (7, 's')]) + "\n" + &f008(&[(18, &code.to_string())]);
        let found = of("originInfo", &lines).concat();
        assert!(
            found.contains(&format!("<frequency>{word}</frequency>")),
            "{found}"
        );
        let monograph = leader(&[(6, 'a'), (7, 'm')]) + "\n" + &f008(&[(18, &code.to_string())]);
        assert!(!of("originInfo", &monograph).concat().contains("frequency"));
    }
    for (code, word) in "ijkt#".chars().zip([
        "Three times a week",
        "Three times a month",
        "Continuously updated",
        "Three times a year",
        "Completely irregular",
    ]) {
        let lines = leader(&[(6, 'a'), (7, 's')]) + "\n" + &f008(&[(18, &code.to_string())]);
        let (words, last) = word.rsplit_once(' ').unwrap();
        let document = common::document(&lines, &common::compat());
        let broken = format!("<mods:frequency>{words}\n\t\t\t\t\t\t\t\t\t{last}</mods:frequency>");
        assert!(document.contains(&broken), "{document}");
        // defect 13
        let document = common::document(&lines, &Default::default());
        assert!(document.contains(&format!("<mods:frequency>{word}</mods:frequency>")));
    }
}

/// How two fields' links make one group.
#[test]
fn e_linked_imprints() {
    let group = |lines: &str| {
        let origin = of("originInfo", lines).concat();
        let tag = origin.split_once('>').unwrap().0.to_owned();
        tag.strip_prefix("<originInfo").unwrap().trim().to_owned()
    };
    let latin = "script=\"Latn\"";
    for (lines, expected) in [
        ("260 __ $aB", ""),
        ("245 00 $6880-01$aA\n260 __ $aB", latin),
        ("260 __ $6880-03$aB", "script=\"Latn\" altRepGroup=\"03\""),
        ("260 __ $6880-03$bB", latin),
        (
            "250 __ $6880-02$a1\n260 __ $6880-03$aB",
            "script=\"Latn\" altRepGroup=\"0203\"",
        ),
        (
            "250 __ $a1\n260 __ $6880-03$bB",
            "script=\"Latn\" altRepGroup=\"03\"",
        ),
        (
            "250 __ $6880-02$a1\n260 __ $bB",
            "script=\"Latn\" altRepGroup=\"02\"",
        ),
        // 250 has its own link neither in itself nor first
        (
            "250 __ $a1\n250 __ $6880-02$a2\n260 __ $bB",
            "script=\"Latn\" altRepGroup=\"02\"",
        ),
        (
            "260 __ $6880-03$aA\n260 __ $6880-04$cB",
            "script=\"Latn\" altRepGroup=\"04\"",
        ),
    ] {
        assert_eq!(group(lines), expected, "{lines}");
    }
}

#[test]
fn e_in_other_scripts() {
    let lines = "
        260 __ $6880-03$aMoskva$bMir
        300 __ $6880-04$a5 s.
        880 __ $6260-03/(N$aМосква$bМир$c2000$gx
        880 __ $6250-02$7after
        880 __ $6300-04/(N$a5 с.$bил.$cx$3y
        880 __ $6260-09/(N$aNobody
        880 __ $6264-03/(N$aNothing";
    assert_eq!(
        of("originInfo", lines)[1..],
        ["<originInfo script=\"Cyrl\" altRepGroup=\"03\">\
          <place><placeTerm type=\"text\">Москва</placeTerm></place><publisher>Мир</publisher>\
          <dateIssued>2000</dateIssued><dateCreated>x</dateCreated><edition>after</edition></originInfo>"]
    );
    let extent = "<physicalDescription altRepGroup=\"04\"><extent>5 с. ил. x y </extent></physicalDescription>";
    assert_eq!(of("physicalDescription", lines)[0], extent);
    let set = format!("{}\n{lines}", leader(&[(19, 'a')]));
    assert_eq!(
        of("physicalDescription", &set),
        ["<physicalDescription altRepGroup=\"04\" />"]
    );
}

#[test]
fn f_languages() {
    let language = |part: &str, code: &str| {
        format!(
            "<language{part}><languageTerm authority=\"iso639-2b\" type=\"code\">{code}</languageTerm></language>"
        )
    };
    for (lines, expected) in [
        (f008(&[(35, "cze")]), vec![language("", "cze")]),
        (f008(&[(35, "cz-")]), vec![language("", "cz-")]),
        (f008(&[(35, "||c")]), vec![language("", "||c")]),
        (f008(&[(35, "|-#")]), vec![]),
        (
            f008(&[(35, "cze")]) + "\n041 1_ $aczeeng$acze$aengger$heng$bfr",
            vec![
                language("", "cze"),
                language("", "eng"),
                language("", "eng"),
                language("", "ger"),
                language(" objectPart=\"summary or subtitle\"", "fr"),
                language(" objectPart=\"translation\"", "eng"),
            ],
        ),
        (
            "041 1_ $aengeng$dd$ee$ff$gg$ix$2iso".to_owned(),
            vec![
                language("", "eng"),
                language(" objectPart=\"sung or spoken text\"", "d"),
                language(" objectPart=\"libretto\"", "e"),
                language(" objectPart=\"table of contents\"", "f"),
                language(" objectPart=\"accompanying material\"", "g"),
            ],
        ),
        (
            "041 1_ $acs-CZ$arfc3066$2rfc3066".to_owned(),
            vec![language("", "cs-CZ").replace("iso639-2b", "rfc3066")],
        ),
    ] {
        assert_eq!(of("language", &lines), expected, "{lines}");
    }
}

fn physical(lines: &str) -> String {
    let found = of("physicalDescription", lines).concat();
    let inner = found.strip_prefix("<physicalDescription>");
    let inner = inner.and_then(|rest| rest.strip_suffix("</physicalDescription>"));
    inner.unwrap_or(&found).to_owned()
}

#[test]
fn g_physical_descriptions_of_codes() {
    let form =
        |authority: &str, text: &str| format!("<form authority=\"{authority}\">{text}</form>");
    let f007 = |text: &str| physical(&format!("007 {text}"));
    for (kind, category, terms) in [
        (
            'a',
            "map",
            &[
                ('d', "atlas"),
                ('g', "diagram"),
                ('j', "map"),
                ('q', "model"),
                ('k', "profile"),
                ('s', "section"),
                ('y', "view"),
            ][..],
        ),
        (
            'c',
            "electronic resource",
            &[
                ('a', "tape cartridge"),
                ('b', "chip cartridge"),
                ('c', "computer optical disc cartridge"),
                ('f', "tape cassette"),
                ('h', "tape reel"),
                ('j', "magnetic disc"),
                ('m', "magneto-optical disc"),
                ('o', "optical disc"),
                ('r', "remote"),
            ],
        ),
        (
            'd',
            "globe",
            &[
                ('a', "celestial globe"),
                ('b', "planetary or lunar globe"),
                ('c', "terrestrial globe"),
                ('e', "earth moon globe"),
            ],
        ),
        (
            'f',
            "tactile material",
            &[
                ('a', "moon"),
                ('b', "combination"),
                ('c', "braille"),
                ('d', "tactile, with no writing system"),
            ],
        ),
        (
            'g',
            "projected graphic",
            &[
                ('c', "filmstrip cartridge"),
                ('d', "filmslip"),
                ('f', "other filmstrip type"),
                ('o', "filmstrip roll"),
                ('s', "slide"),
                ('t', "transparency"),
            ],
        ),
        (
            'h',
            "microform",
            &[
                ('a', "aperture card"),
                ('b', "microfilm cartridge"),
                ('c', "microfilm cassette"),
                ('d', "microfilm reel"),
                ('e', "microfiche"),
                ('f', "microfiche cassette"),
                ('g', "microopaque"),
            ],
        ),
        (
            'k',
            "nonprojected graphic",
            &[
                ('c', "collage"),
                ('d', "drawing"),
                ('e', "painting"),
                ('f', "photomechanical print"),
                ('g', "photonegative"),
                ('h', "photoprint"),
                ('i', "picture"),
                ('j', "print"),
                ('l', "technical drawing"),
                ('n', "chart"),
                ('o', "flash card"),
            ],
        ),
        (
            'm',
            "motion picture",
            &[
                ('c', "film cartridge"),
                ('f', "film cassette"),
                ('r', "film reel"),
            ],
        ),
        ('o', "kit", &[('o', "kit")]),
        ('q', "notated music", &[('q', "notated music")]),
        (
            'r',
            "remote-sensing image",
            &[('r', "remote-sensing image")],
        ),
        (
            's',
            "sound recording",
            &[
                ('d', "sound disc"),
                ('e', "cylinder"),
                ('g', "sound cartridge"),
                ('i', "sound-track film"),
                ('q', "roll"),
                ('s', "sound cassette"),
                ('t', "sound-tape reel"),
                ('w', "wire recording"),
            ],
        ),
        (
            't',
            "text",
            &[
                ('a', "regular print"),
                ('b', "large print"),
                ('c', "braille"),
                ('d', "text in looseleaf binder"),
            ],
        ),
        (
            'v',
            "videorecording",
            &[
                ('c', "videocartridge"),
                ('d', "videodisc"),
                ('f', "videocassette"),
                ('r', "videoreel"),
            ],
        ),
    ] {
        for (code, term) in terms {
            let expected = form("marccategory", category) + &form("marcsmd", term);
            assert_eq!(f007(&format!("{kind}{code}")), expected);
        }
        assert_eq!(f007(&format!("{kind}9")), "");
    }
    assert_eq!(f007("ar"), form("marcsmd", "remote-sensing image"));
    for (code, quality) in [('a', "access"), ('p', "preservation"), ('r', "replacement")] {
        let text = format!("<reformattingQuality>{quality}</reformattingQuality>");
        assert_eq!(f007(&format!("cx           {code}")), text);
        assert_eq!(f007(&format!("vx           {code}")), "");
    }
    let file = leader(&[(6, 'm')]);
    for (code, text) in [
        ('a', "reformatted digital"),
        ('b', "digitized microfilm"),
        ('d', "digitized other analog"),
    ] {
        let found = physical(&format!("{file}\n007 x          {code}"));
        let expected =
            format!("<digitalOrigin>{text}</digitalOrigin>") + &form("marcform", "electronic");
        assert_eq!(found, expected);
    }
    for (six, seven, x, y, text) in [
        ('x', 'm', "f", " ", "braille"),
        ('x', 'm', " ", "f", "braille"),
        ('c', 'm', " ", " ", "print"),
        ('d', 'm', " ", "s", "print"),
        ('a', 'm', " ", " ", "print"),
        ('a', 's', "r", " ", "print"),
        ('t', 'm', "r", "b", "print"),
        ('m', 'm', "b", " ", "electronic"),
        ('a', 'm', "s", " ", "electronic"),
        ('o', 'm', "a", "b", "kit"),
        ('x', 'm', "b", " ", "microfiche"),
        ('x', 'm', "a", " ", "microfilm"),
        ('x', 'm', " ", "a", "microfilm"),
    ] {
        let lines = leader(&[(6, six), (7, seven)]) + "\n" + &f008(&[(23, x), (29, y)]);
        assert_eq!(
            physical(&lines),
            form("marcform", text),
            "{six}{seven} {x} {y}"
        );
    }
    // a character that is missing is no blank
    assert_eq!(
        physical(&(leader(&[(6, 'a'), (7, 'm')]) + "\n008 240211")),
        ""
    );
}

#[test]
fn g_physical_descriptions_of_fields() {
    check(&[
        (
            "physicalDescription",
            "730 0_ $hlater\n245 10 $aA$h[elektronický zdroj] /$hsecond\n245 10 $hthird\n256 __ $aData$aMore\n\
             300 __ $a2.\n300 __ $3vol$a5 s. :$bil. ;$c23 cm +$e1 CD$f1$g2$6880-04\n\
             351 __ $3Series$3Other$aorg$bby$cx$6880-05\n856 40 $qtext/html$qx$qpdf",
            &[
                "<physicalDescription altRepGroup=\"0504\"><form authority=\"gmd\">elektronický zdroj</form>\
               <form authority=\"gmd\">later</form><form>Data</form><form>More</form>\
               <internetMediaType>text/html</internetMediaType><internetMediaType>pdf</internetMediaType>\
               <extent>2.</extent><extent>5 s. : il. ; 23 cm + 1 CD 1 2 vol</extent>\
               <note type=\"arrangement\">Series: Other: org by x</note></physicalDescription>",
            ],
        ),
        (
            "physicalDescription",
            "246 10 $hCD.",
            &["<physicalDescription><form authority=\"gmd\">CD</form></physicalDescription>"],
        ),
        // one for each kind of title, in this order
        (
            "physicalDescription",
            "730 0_ $h6\n246 1_ $h5\n245 10 $h4\n242 10 $h3\n240 10 $h2\n130 0_ $h[1].",
            &[
                "<physicalDescription><form authority=\"gmd\">1</form><form authority=\"gmd\">2</form>\
               <form authority=\"gmd\">3</form><form authority=\"gmd\">4</form><form authority=\"gmd\">5</form>\
               <form authority=\"gmd\">6</form></physicalDescription>",
            ],
        ),
        ("physicalDescription", "300 __ $x1\n245 00 $h[", &[]),
        (
            "physicalDescription",
            "LDR 00000nam a2200000 aa4500\n300 __ $a5 s.",
            &[],
        ),
    ]);
}
