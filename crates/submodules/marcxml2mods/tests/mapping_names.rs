//! Rows of the mapping, with the original's accidents: titles, names, type of resource, genres.

mod common;

use common::{check, f008, leader, of};

#[test]
fn a_titles() {
    check(&[
        (
            "titleInfo",
            "245 10 $aName$cAuthor",
            &["<titleInfo><title>Name</title></titleInfo>"],
        ),
        (
            "titleInfo",
            "245 14 $aThe name /$bsub :$fx$n2.$pPart,$s9",
            &[
                "<titleInfo><nonSort>The </nonSort><title>name</title><subTitle>sub : x</subTitle>\
               <partNumber>2</partNumber><partName>Part</partName></titleInfo>",
            ],
        ),
        (
            "titleInfo",
            "245 0_ $6880-02$aA$ff$gg$kk$h[el]",
            &["<titleInfo altRepGroup=\"02\" script=\"Latn\"><title>A f g k</title></titleInfo>"],
        ),
        (
            "titleInfo",
            "245 09 $aAbc",
            &["<titleInfo><nonSort>Abc</nonSort><title/></titleInfo>"],
        ),
        (
            "titleInfo",
            "210 0_ $aAbbr. :$b(Print)$2x",
            &[
                "<titleInfo type=\"abbreviated\"><title>Abbr</title><subTitle>(Print)</subTitle></titleInfo>",
            ],
        ),
        (
            "titleInfo",
            "246 1_ $6880-03/€1$iOn cover:$iBack$aOther /$f1999$n1$bsub",
            &[
                "<titleInfo type=\"alternative\" altRepGroup=\"03\" script=\"CJK\" displayLabel=\"Back\">\
               <title>Other / 1999</title><subTitle>sub</subTitle><partNumber>1</partNumber></titleInfo>",
            ],
        ),
        (
            "titleInfo",
            "240 10 $aUniform.$lEnglish$sversion",
            &[
                "<titleInfo type=\"uniform\"><title>Uniform. English version version</title></titleInfo>",
            ],
        ),
        // before a number or name of a part only what is left of it counts; $s comes once then
        (
            "titleInfo",
            "240 10 $aUniform$n1$lEng$sv$oarr\n100 1_ $aX",
            &[
                "<titleInfo type=\"uniform\" nameTitleGroup=\"1\"><title>Uniform Eng v</title>\
               <partNumber>1 arr</partNumber></titleInfo>",
            ],
        ),
        (
            "titleInfo",
            "740 02 $aThe other.$h[CD]$n5$pName$rkey",
            &[
                "<titleInfo type=\"alternative\"><title>The other. [CD</title>\
               <partNumber>5 key</partNumber><partName>Name key</partName></titleInfo>",
            ],
        ),
        ("titleInfo", "130 0_ $aNothing", &[]),
        (
            "titleInfo",
            "730 0_ $6880-04$aAdded.$pPart$ddate",
            &[
                "<titleInfo type=\"uniform\"><title>Added. date</title><partName>Part</partName></titleInfo>",
            ],
        ),
        (
            "titleInfo",
            "242 04 $6880-05$aThe name$bsub$yeng$ycze",
            &[
                "<titleInfo type=\"translated\" lang=\"cze\"><nonSort>The </nonSort><title>name</title>\
               <subTitle>sub</subTitle></titleInfo>",
            ],
        ),
    ]);
    let order = of(
        "titleInfo",
        "242 00 $aG\n730 00 $aF\n740 00 $aE\n240 00 $aD\n246 00 $aC\n210 00 $aB\n245 00 $aA",
    );
    let titles: String = order
        .iter()
        .filter_map(|e| e.split("<title>").nth(1)?.chars().next())
        .collect();
    assert_eq!(titles, "ABCDEFG");
}

#[test]
fn b_names() {
    check(&[
        (
            "name",
            "100 1_ $6880-01$aNovák, J. ,$qJan;$bII.,$cpapa.$d1900-1950.$d1$uBrno$4aut$4ill$eauthor\n240 00 $aU",
            &[
                "<name type=\"personal\" usage=\"primary\" altRepGroup=\"01\" script=\"Latn\" nameTitleGroup=\"1\">\
               <namePart>Novák, J. , Jan</namePart><namePart type=\"termsOfAddress\">II., papa</namePart>\
               <namePart type=\"date\">1900-1950</namePart><namePart type=\"date\">1</namePart>\
               <affiliation>Brno</affiliation>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">aut</roleTerm></role>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">ill</roleTerm></role></name>",
            ],
        ),
        (
            "name",
            "100 1_ $aA.,",
            &["<name type=\"personal\" usage=\"primary\"><namePart>A.</namePart></name>"],
        ),
        (
            "name",
            "110 2_ $aBody.$bSection.$cBrno$n2$d1999$4pbl",
            &[
                "<name type=\"corporate\"><namePart>Body</namePart><namePart>Section.</namePart>\
               <namePart>Brno 1999 2</namePart>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">pbl</roleTerm></role></name>",
            ],
        ),
        // the subfields of a field are sorted by code
        (
            "name",
            "111 2_ $aConf.$n(2 :$d1999 :$cPraha)$qq$ee$uu$4org",
            &[
                "<name type=\"conference\"><namePart>Conf. Praha) 1999 : e (2 : q</namePart>\
               <role><roleTerm authority=\"marcrelator\" type=\"code\">org</roleTerm></role></name>",
            ],
        ),
        (
            "name",
            "700 1_ $aA$tTitle\n240 00 $ax",
            &["<name type=\"personal\"><namePart>A</namePart></name>"],
        ),
        (
            "name",
            "710 2_ $bB",
            &["<name type=\"corporate\"><namePart>B</namePart></name>"],
        ),
        (
            "name",
            "711 2_ $x1",
            &["<name type=\"conference\"><namePart/></name>"],
        ),
        ("name", "720 2_ $aNothing", &[]),
    ]);
}

#[test]
fn c_type_of_resource() {
    for (six, seven, attributes, text) in [
        ('a', 'm', "", "text"),
        ('t', 'c', " collection=\"yes\" manuscript=\"yes\"", "text"),
        ('e', 'm', "", "cartographic"),
        ('f', 'm', " manuscript=\"yes\"", "cartographic"),
        ('c', 'm', "", "notated music"),
        ('d', 'm', " manuscript=\"yes\"", "notated music"),
        ('i', 'm', "", "sound recording-nonmusical"),
        ('j', 'm', "", "sound recording-musical"),
        ('k', 'm', "", "still image"),
        ('g', 'm', "", "moving image"),
        ('r', 'm', "", "three dimensional object"),
        ('m', 'm', "", "software, multimedia"),
        (
            'p',
            'c',
            " collection=\"yes\" manuscript=\"yes\"",
            "mixed material",
        ),
    ] {
        let found = of("typeOfResource", &leader(&[(6, six), (7, seven)]));
        assert_eq!(
            found,
            [format!(
                "<typeOfResource{attributes}>{text}</typeOfResource>"
            )]
        );
    }
    assert_eq!(
        of("typeOfResource", &leader(&[(6, 'x')])),
        ["<typeOfResource/>"]
    );
    assert_eq!(of("typeOfResource", "245 00 $aA"), ["<typeOfResource/>"]);
}

/// Genres of a record with leader positions 6 and 7, a 007 and characters of 008.
fn genres(kind: &str, f007: &str, parts: &[(usize, &str)]) -> Vec<String> {
    let mut kind = kind.chars();
    let (six, seven) = (kind.next().unwrap(), kind.next().unwrap());
    let lines = format!(
        "{}\n007 {f007}x\n{}",
        leader(&[(6, six), (7, seven)]),
        f008(parts)
    );
    let genres = of("genre", &lines).into_iter();
    let text = |genre: String| {
        let genre = genre
            .strip_prefix("<genre authority=\"marcgt\">")?
            .to_owned();
        Some(genre.strip_suffix("</genre>")?.to_owned())
    };
    genres.filter_map(text).collect()
}

/// Leader positions 6 and 7, 007, characters of 008; the genres.
type Row = (
    &'static str,
    &'static str,
    &'static [(usize, &'static str)],
    &'static [&'static str],
);

#[test]
fn d_genres_of_codes() {
    let rows: &[Row] = &[
        ("xx", "zz", &[(25, "d")], &["globe"]),
        ("am", "ar", &[], &["remote-sensing image"]),
        ("em", "zz", &[(25, "a")], &["map"]),
        ("em", "zz", &[(25, "c")], &["map"]),
        ("em", "aj", &[(25, "e")], &["map"]),
        ("fm", "zz", &[(25, "e")], &["atlas"]),
        ("em", "ad", &[(25, "d")], &["globe", "atlas"]),
        ("em", "zz", &[(25, "f")], &[]),
        ("as", "zz", &[(21, "d")], &["database"]),
        ("as", "zz", &[(21, "l")], &["loose-leaf"]),
        ("ab", "zz", &[(21, "m")], &["series"]),
        ("ai", "zz", &[(21, "n")], &["newspaper"]),
        ("as", "zz", &[(21, "p")], &["periodical"]),
        ("as", "zz", &[(21, "w")], &["web site"]),
        ("am", "zz", &[(21, "p")], &[]),
        (
            "am",
            "zz",
            &[(24, "zb"), (29, "1")],
            &["bibliography", "conference publication"],
        ),
        ("as", "zz", &[(24, "  w")], &["law report or digest"]),
        ("tm", "zz", &[(27, "t")], &["technical report"]),
        ("mm", "zz", &[(24, "a"), (29, "1")], &[]),
        ("mm", "zz", &[(26, "a")], &["numeric data"]),
        ("mm", "zz", &[(26, "e")], &["database"]),
        ("mm", "zz", &[(26, "f")], &["font"]),
        ("mm", "zz", &[(26, "g")], &["game"]),
        ("am", "zz", &[(24, "j")], &["patent"]),
        ("am", "zz", &[(24, "2")], &["offprint"]),
        ("as", "zz", &[(24, "2")], &[]),
        (
            "am",
            "zz",
            &[(30, "1"), (34, "b"), (33, "l")],
            &["festschrift", "biography", "fiction"],
        ),
        ("am", "zz", &[(33, "e")], &["essay"]),
        ("am", "zz", &[(33, "d")], &["drama"]),
        ("am", "zz", &[(33, "c")], &["comic strip"]),
        ("am", "zz", &[(33, "h")], &["humor, satire"]),
        ("am", "zz", &[(33, "i")], &["letter"]),
        ("am", "zz", &[(33, "f")], &["novel"]),
        ("am", "zz", &[(33, "j")], &["short story"]),
        ("am", "zz", &[(33, "s")], &["speech"]),
        ("am", "zz", &[(33, "1")], &[]),
        ("jm", "zz", &[(30, "lb")], &["biography", "speech"]),
        ("cm", "zz", &[(30, "hg")], &["history", "reporting"]),
        ("gm", "zz", &[(33, "a")], &["art original"]),
        ("gm", "aq", &[(33, "p")], &["microscope slide"]),
        ("gm", "aq", &[(33, "r")], &["model"]),
        ("km", "zz", &[(33, "q")], &["model"]),
        ("om", "zz", &[(33, "w")], &["toy"]),
        ("rm", "zz", &[(33, "r")], &["realia"]),
    ];
    for (kind, f007, parts, expected) in rows {
        assert_eq!(
            genres(kind, f007, parts),
            *expected,
            "{kind} {f007} {parts:?}"
        );
    }
    for (code, word) in "abcdefgiklmnopqrstvwz".chars().zip([
        "abstract or summary",
        "bibliography",
        "catalog",
        "dictionary",
        "encyclopedia",
        "handbook",
        "legal article",
        "index",
        "discography",
        "legislation",
        "theses",
        "survey of literature",
        "review",
        "programmed text",
        "filmography",
        "directory",
        "statistics",
        "technical report",
        "legal case and case notes",
        "law report or digest",
        "treaty",
    ]) {
        assert_eq!(genres("am", "zz", &[(26, &code.to_string())]), [word]);
    }
    for (code, word) in "bcdefohkmprgsl".chars().zip([
        "biography",
        "conference publication",
        "drama",
        "essay",
        "fiction",
        "folktale",
        "history",
        "humor, satire",
        "memoir",
        "poetry",
        "rehearsal",
        "reporting",
        "sound",
        "speech",
    ]) {
        assert_eq!(genres("im", "zz", &[(31, &code.to_string())]), [word]);
    }
    for (code, word) in "abcdfgiklmnopqrstvw".chars().zip([
        "art original",
        "kit",
        "art reproduction",
        "diorama",
        "filmstrip",
        "legal article",
        "picture",
        "graphic",
        "technical drawing",
        "motion picture",
        "chart",
        "flash card",
        "microscope slide",
        "model",
        "realia",
        "slide",
        "transparency",
        "videorecording",
        "toy",
    ]) {
        assert_eq!(genres("gm", "zz", &[(33, &code.to_string())]), [word]);
    }
}

#[test]
fn d_genres_of_fields() {
    check(&[
        (
            "genre",
            "047 __ $6880-01$aop$bsg$xx$2list$2other\n655 _7 $apříručky$vv$xx$yy$zz$cc",
            &[
                "<genre authority=\"list\" altRepGroup=\"01\" script=\"Latn\">op-sg</genre>",
                "<genre authority=\"\">příručky-v-x-y-z</genre>",
                "<genre>electronic volume</genre>",
            ],
        ),
        // one there already, in whatever letters
        (
            "genre",
            "655 _7 $aElectronic Title$2x",
            &["<genre authority=\"x\">Electronic Title</genre>"],
        ),
    ]);
}
