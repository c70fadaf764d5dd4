//! ftp_monitord over RabbitMQ: the real binary, a real ProFTPD, users who upload, and a reader of the queue `plone`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::monitored::{
    BOOK, CSV, ERROR_LOG, IMPORT_LOG, LOCK, Monitored, items, mode, names, next,
};
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::wait_until;
use edeposit_tests::PATIENCE;
use serde_json::json;

/// Defects 1 and 9 (in part): a binary book arrives byte by byte, confirmed and persistent, and is deleted only then.
#[tokio::test]
async fn a_book_with_metadata() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let reader = monitored.world.start().await?;
    session.mkdir("k1")?;
    session.put("k1/meta.csv", CSV.as_bytes())?;
    session.put("k1/kniha, díl 1.pdf", BOOK)?;
    session.delete(LOCK)?;
    let (answer, message) = next(&reader).await?;
    let (meta, book) = (
        monitored.path("argo", "k1/meta.csv"),
        monitored.path("argo", "k1/kniha, díl 1.pdf"),
    );
    let expected = json!({"__nt_name": "ImportRequest", "username": "argo", "requests": [{"__nt_name": "DataPair",
        "metadata_file": {"__nt_name": "MetadataFile", "filename": meta, "raw_data": CSV,
            "parsed_data": {"__nt_name": "EPublication", "ISBN": "978-80-87270-99-8", "invalid_ISBN": null, "id_number": null,
                "nazev": "Kniha", "podnazev": null, "vazba": "brož.", "cena": null, "castDil": null, "nazevCasti": null,
                "nakladatelVydavatel": "Garda", "datumVydani": "IX.12", "poradiVydani": "1", "zpracovatelZaznamu": "Jana",
                "format": null, "url": null, "mistoVydani": "Praha", "ISBNSouboruPublikaci": null, "autori": null,
                "originaly": null, "internal_url": null, "anotace": null}},
        "ebook_file": {"__nt_name": "EbookFile", "filename": book, "raw_data": BASE64_STANDARD.encode(BOOK)}}],
        "import_log": format!("Metadata and data files paired to epub. import request:\n\tMetadata file '{}' successfully \
            imported.\n\tEbook file '{}' successfully imported.", meta.display(), book.display()),
        "error_log": ""});
    assert_eq!(message, expected);
    assert_eq!(answer.delivery_mode(), Some(2));
    assert_eq!(answer.content_type(), Some("application/json"));
    assert_eq!(answer.routing_key, "result");
    assert_eq!(answer.header("ebook_encoding").as_deref(), Some("base64"));
    assert_eq!(answer.header("UUID").map(|uuid| uuid.len()), Some(36));

    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
    let report = monitored.read("argo", IMPORT_LOG)?;
    let log = message["import_log"].as_str().context("no log")?;
    assert_eq!(report, format!("Status: Ok\n\n--- Sucess ---\n{log}"));
    let home = fs::metadata(monitored.server.home("argo"))?;
    assert_eq!((home.mode() & 0o7777, home.gid()), (0o775, 2000));
    for name in [LOCK, IMPORT_LOG] {
        let file = fs::metadata(monitored.path("argo", name))?;
        assert_eq!(
            (file.mode() & 0o7777, file.uid(), file.gid()),
            (0o664, home.uid(), 2000)
        );
    }
    // the user goes on where he was
    session.put("next.epub", BOOK)?;
    session.delete(IMPORT_LOG)?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(message["requests"][0]["__nt_name"], "EbookFile");
    monitored.imported("argo").await?;
    assert!(reader.unclaimed().is_empty());
    assert!(names(&monitored.server.path("state/journal"))?.is_empty());
    assert_eq!(mode(&monitored.server.path("state"))?, 0o700);
    Ok(())
}

fn json_metadata(isbn: &str) -> String {
    json!({"ISBN": isbn, "Vazba/forma": "brož.", "Název": "Kniha", "Místo vydání": "Praha", "Nakladatel": "Garda",
        "Datum": "IX.12", "Pořadí": 1, "Zpracovatel": "Jana"})
    .to_string()
}

/// Defects 4, 7 and 8: what is in a home goes once, each pair and error is told, and what will not do stays.
#[tokio::test]
async fn directories_of_all_kinds() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let yaml = "\u{feff}ISBN: 9788087270998\nVazba: x\nNazev: K\nMisto: P\nNakladatel: G\nDatum: 2012-09-01\nPoradi: 01\nZpracovatel: J\n";
    let xml = "<root><item key=\"ISBN\">80-86056-31-7</item><item key=\"Vazba\": >A &amp; B</item><item key='Nazev'>K</item>\
        <item key='Misto'>P</item><item key='Nakladatel'>G</item><item key='Datum'>1</item><item key='Poradi'>1</item>\
        <item key='Zpracovatel'>J</item></root>";
    for directory in [
        "a-two",
        "b-names",
        "c-isbn",
        "c-isbn/deeper",
        "d-bad",
        "e-empty",
        "e-empty/more",
    ] {
        session.mkdir(directory)?;
    }
    for (name, content) in [
        ("home.epub", BOOK),
        ("home2.epub", BOOK),
        ("home3.epub", BOOK),
        ("a-two/x.yaml", yaml.as_bytes()),
        ("a-two/y.epub", BOOK),
        ("b-names/one.XML", xml.as_bytes()),
        ("b-names/one.epub", BOOK),
        ("b-names/three.csv", CSV.as_bytes()),
        ("b-names/three.epub", BOOK),
        ("b-names/three.pdf", BOOK),
        (
            "c-isbn/978-80-87270-99-8.json",
            json_metadata("978-80-87270-99-8").as_bytes(),
        ),
        ("c-isbn/deeper/978-80-87270-99-8.pdf", BOOK),
        ("d-bad/windows.csv", b"N\xe1zev;Kniha"),
        ("d-bad/wrong.json", json_metadata("žádné").as_bytes()),
        ("d-bad/book.pdf", BOOK),
        ("d-bad/bomb.yaml", b"a: &a [x, x]\nb: [*a, *a]\n"),
        ("d-bad/nothing.epub", b""),
    ] {
        session
            .put(name, content)
            .with_context(|| name.to_owned())?;
    }
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(
        items(&message),
        [
            "EbookFile home.epub",
            "EbookFile home2.epub",
            "EbookFile home3.epub",
            "x.yaml + y.epub",
            "one.XML + one.epub",
            "EbookFile book.pdf",
            "978-80-87270-99-8.json + 978-80-87270-99-8.pdf",
        ]
    );
    let parsed = |item: usize, field: &str| {
        message["requests"][item]["metadata_file"]["parsed_data"][field].clone()
    };
    assert_eq!(parsed(3, "ISBN"), "9788087270998");
    assert_eq!(parsed(3, "datumVydani"), "2012-09-01");
    assert_eq!(parsed(4, "vazba"), "A & B");
    assert_eq!(parsed(6, "poradiVydani"), "1");
    let home = monitored.server.home("argo");
    let home = home.display();
    let errors = format!(
        "Too many files with same name:\n\t{home}/b-names/three.csv\n\t{home}/b-names/three.epub\n\t{home}/b-names/three.pdf\n\n---\n\n\
         Can't parse {home}/d-bad/bomb.yaml: Can't parse your YAML data: aliases are not read\n\
         File is empty: {home}/d-bad/nothing.epub\n\
         Can't parse {home}/d-bad/windows.csv: Metadata file is not valid UTF-8.\n\
         Can't parse {home}/d-bad/wrong.json: ISBN 'žádné' is not valid!"
    );
    assert_eq!(message["error_log"], errors);
    monitored.imported("argo").await?;
    assert_eq!(monitored.read("argo", ERROR_LOG)?, errors);
    let report = monitored.read("argo", IMPORT_LOG)?;
    assert!(report.starts_with("Status: Error\n\nError: Import only partially successful.\nSee 'error.log.txt' for details.\n\n--- Errors ---\n"), "{report}");
    assert!(
        report.ends_with(message["import_log"].as_str().context("no log")?),
        "{report}"
    );
    assert_eq!(
        monitored.names("argo")?,
        ["b-names", "d-bad", LOCK, ERROR_LOG, IMPORT_LOG]
    );
    let left = names(&monitored.path("argo", "d-bad"))?;
    assert_eq!(
        left,
        ["bomb.yaml", "nothing.epub", "windows.csv", "wrong.json"]
    );
    assert_eq!(mode(&monitored.path("argo", "d-bad"))?, 0o775);
    assert_eq!(mode(&monitored.path("argo", "d-bad/wrong.json"))?, 0o664);
    // the user can put right what is left, and the old error report goes
    for name in ["windows.csv", "bomb.yaml", "nothing.epub"] {
        session.delete(&format!("d-bad/{name}"))?;
    }
    session.put(
        "d-bad/wrong.json",
        json_metadata("80-86056-31-7").as_bytes(),
    )?;
    for name in ["csv", "epub", "pdf"] {
        session.delete(&format!("b-names/three.{name}"))?;
    }
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["MetadataFile wrong.json"]);
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
    assert!(
        monitored
            .read("argo", IMPORT_LOG)?
            .starts_with("Status: Ok\n")
    );
    // nothing at all: told too, and the reports stay
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(
        message,
        json!({"__nt_name": "ImportRequest", "username": "argo", "requests": [], "import_log": "", "error_log": ""})
    );
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
    Ok(())
}

/// The user's own switches, and with `LEAVE_BAD_FILES` off defect 7: nothing but bad metadata is told of too.
#[tokio::test]
async fn switches_of_a_user() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let passwd = fs::read_to_string(monitored.server.login_file())?;
    fs::write(
        monitored.server.login_file(),
        passwd.replace(":2000:2000::", ":2000:2000:ffftf:"),
    )?;
    let reader = monitored.world.start().await?;
    session.put("bad.csv", b"nonsense")?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    let bad = monitored.path("argo", "bad.csv");
    assert_eq!(
        message["error_log"],
        format!(
            "Can't parse {}: Bad number of elements - line 1:\n\tnonsense\n",
            bad.display()
        )
    );
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, ERROR_LOG, IMPORT_LOG]);
    assert!(
        monitored
            .read("argo", IMPORT_LOG)?
            .starts_with("Status: Error\n")
    );
    session.put("k.csv", CSV.as_bytes())?;
    session.put("k.epub", BOOK)?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["MetadataFile k.csv", "EbookFile k.epub"]);
    monitored.imported("argo").await?;
    assert_eq!(monitored.names("argo")?, [LOCK, IMPORT_LOG]);
    Ok(())
}

/// Defect 9: a batch goes in several messages of whole items; one file over the limit stays.
#[tokio::test]
async fn a_batch_over_the_limit() -> Result<()> {
    let monitored = Monitored::new(&json!({"MAX_MESSAGE_SIZE": 10_000})).await?;
    let mut session = monitored.user("argo")?;
    for number in 0..20 {
        session.put(&format!("b{number:02}.epub"), &[number; 2000])?;
    }
    session.put("large.epub", &[1; 9000])?;
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    let mut all = Vec::new();
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    while all.len() < 20 {
        let (answer, message) = next(&reader).await?;
        assert!(answer.body.len() <= 10_000, "{}", answer.body.len());
        assert!(
            message["requests"]
                .as_array()
                .is_some_and(|items| (2..=4).contains(&items.len()))
        );
        all.extend(items(&message));
        lines.push(message["import_log"].as_str().context("no log")?.to_owned());
        errors.push(message["error_log"].as_str().context("no log")?.to_owned());
    }
    let expected: Vec<_> = (0..20)
        .map(|number| format!("EbookFile b{number:02}.epub"))
        .collect();
    assert_eq!(all, expected);
    let large = format!(
        "File is too large for a message of 10000 bytes: {}",
        monitored.path("argo", "large.epub").display()
    );
    assert_eq!(errors.remove(0), large);
    assert!(errors.iter().all(String::is_empty));
    monitored.imported("argo").await?;
    assert_eq!(
        monitored.names("argo")?,
        [LOCK, ERROR_LOG, IMPORT_LOG, "large.epub"]
    );
    assert!(
        monitored
            .read("argo", IMPORT_LOG)?
            .ends_with(&lines.join("\n"))
    );
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

/// Defect 9: whole batches were in memory. Here there is one message, three times over while it is sent.
#[tokio::test]
async fn memory_for_one_message() -> Result<()> {
    const SIZE: usize = 12_000_000;
    const FILES: usize = 10;
    let monitored = Monitored::new(&json!({"MAX_MESSAGE_SIZE": 17_000_000})).await?;
    let mut session = monitored.user("argo")?;
    for number in 0..FILES {
        fs::write(
            monitored.path("argo", &format!("{number}.pdf")),
            vec![0xff; SIZE],
        )?;
    }
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    for number in 0..FILES {
        let (_, message) = next(&reader).await?;
        assert_eq!(items(&message), [format!("EbookFile {number}.pdf")]);
    }
    monitored.imported("argo").await?;
    let pid = monitored.world.daemon.pid().context("no pid")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<usize>().ok());
    let peak = peak.context("no VmHWM")? * 1024;
    println!("{peak} bytes at most for messages of {}", SIZE / 3 * 4);
    assert!(peak < 80_000_000, "{peak} bytes");
    Ok(())
}

/// With `EBOOK_ENCODING` = `text` books that are text go as they are, and others stay; a lock file deeper in the home counts
/// if the settings say so.
#[tokio::test]
async fn text_and_lock_files_anywhere() -> Result<()> {
    let monitored =
        Monitored::new(&json!({"EBOOK_ENCODING": "text", "LOCK_ONLY_IN_HOME": false})).await?;
    let mut session = monitored.user("argo")?;
    session.mkdir("a")?;
    session.mkdir("a/b")?;
    session.put("stays.txt", b"x")?;
    session.put("a/b/text.txt", "řádek\n\"x\"".as_bytes())?;
    session.put("a/b/book.pdf", BOOK)?;
    session.put(&format!("a/b/{LOCK}"), b"x")?;
    let reader = monitored.world.start().await?;
    session.delete(&format!("a/b/{LOCK}"))?;
    let (answer, message) = next(&reader).await?;
    assert_eq!(answer.header("ebook_encoding").as_deref(), Some("text"));
    assert_eq!(items(&message), ["EbookFile text.txt"]);
    assert_eq!(message["requests"][0]["raw_data"], "řádek\n\"x\"");
    let error = message["error_log"].as_str().context("no error")?;
    let book = monitored.path("argo", "a/b/book.pdf");
    assert!(
        error.starts_with(&format!("File can't be sent as text: {}: ", book.display())),
        "{error}"
    );
    wait_until("the lock file is back", PATIENCE, async || {
        monitored.path("argo", &format!("a/b/{LOCK}")).exists()
    })
    .await?;
    assert_eq!(
        names(&monitored.path("argo", "a/b"))?,
        ["book.pdf", LOCK, ERROR_LOG, IMPORT_LOG]
    );
    assert_eq!(monitored.names("argo")?, ["a", LOCK, "stays.txt"]);
    Ok(())
}
