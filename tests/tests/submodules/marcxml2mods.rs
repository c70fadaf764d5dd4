//! marcxml2modsd over RabbitMQ: the real binary and callers who want MODS; and the same binary on the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use edeposit_testkit::{Caller, Schema, wire};
use edeposit_tests::World;
use serde_json::{Value, json};

const PROGRAM: &str = "edeposit_amqp_marcxml2modsd";
const UUID: &str = "6f1c2d34-5e67-4a89-9b01-23456789abcd";

async fn world(settings: &Value) -> Result<World> {
    let world = World::new(PROGRAM, "MX2MODS", Schema::new("export"), &json!({})).await?;
    world.daemon.write_settings("marcxml2mods.json", settings)?;
    Ok(world)
}

/// The records and documents recorded from the original.
fn sample(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/submodules/marcxml2mods/testdata")
        .join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn request(marc_xml: &str, uuid: impl Into<Value>, url: impl Into<Value>) -> String {
    let (uuid, url): (Value, Value) = (uuid.into(), url.into());
    json!({"__nt_name": "ConversionRequest", "marc_xml": marc_xml, "uuid": uuid, "url": url})
        .to_string()
}

/// The one document of an answer.
async fn convert(caller: &Caller, request: String) -> Result<String> {
    let answer = caller.call(request).await?.json()?;
    assert_eq!(answer["__nt_name"], "ConversionResponse", "{answer}");
    let files = answer["mods_files"].as_array().context("no files")?;
    assert_eq!(files.len(), 1);
    Ok(files[0].as_str().context("no text")?.to_owned())
}

const LES: &str = "<record>\n<leader>     nam a22     4a 4500</leader>\n\
    <controlfield tag=\"001\">nkc20240001234</controlfield>\n\
    <controlfield tag=\"003\">CZ-PrNK</controlfield>\n\
    <controlfield tag=\"008\">240211s2024    xr a    o     000 1 cze||</controlfield>\n\
    <datafield tag=\"020\" ind1=\" \" ind2=\" \"><subfield code=\"a\">978-80-00-00000-2</subfield></datafield>\n\
    <datafield tag=\"100\" ind1=\"1\" ind2=\" \"><subfield code=\"a\">Vzorová, Dana,</subfield>\
    <subfield code=\"4\">aut</subfield></datafield>\n\
    <datafield tag=\"245\" ind1=\"1\" ind2=\"0\"><subfield code=\"a\">Les &amp; louka :</subfield>\
    <subfield code=\"b\">povídky /</subfield><subfield code=\"c\">Dana Vzorová</subfield></datafield>\n\
    <datafield tag=\"260\" ind1=\" \" ind2=\" \"><subfield code=\"a\">Brno :</subfield>\
    <subfield code=\"b\">Ukázka,</subfield><subfield code=\"c\">2024</subfield></datafield>\n\
    <datafield tag=\"910\" ind1=\" \" ind2=\" \"><subfield code=\"a\">ABA001</subfield></datafield>\n</record>\n";

/// Both dialects, one line or many, links between scripts, ampersands: each gets its document.
#[tokio::test]
async fn records_become_documents() -> Result<()> {
    let world = world(&json!({ "BYTE_COMPAT": true })).await?;
    let caller = world.start().await?;
    for name in [
        "monograph_unix",
        "monograph_languages",
        "isbns_authors_urls",
    ] {
        let about: Value = serde_json::from_str(&sample(&format!("{name}.json"))?)?;
        let xml = sample(&format!("{name}.xml"))?;
        let request = request(&xml, about["uuid"].clone(), about["url"].clone());
        let document = convert(&caller, request).await?;
        assert_eq!(document, sample(&format!("{name}.mods-0.xml"))?, "{name}");
    }

    let url = "https://edeposit.example/kniha?a=1&b=<2>";
    let document = convert(&caller, request(LES, UUID, url)).await?;
    for line in [
        "<mods:title>Les &amp; louka</mods:title>",
        "<mods:electronicLocator>https://edeposit.example/kniha?a=1&amp;b=&lt;2&gt;</mods:electronicLocator>",
        &format!("<mods:identifier type=\"uuid\">{UUID}</mods:identifier>"),
    ] {
        assert!(document.contains(line), "{document}");
    }
    let in_one_line = LES.replace('\n', "");
    assert_eq!(
        convert(&caller, request(&in_one_line, UUID, url)).await?,
        document
    );

    let mut recorded = wire::recorded("marcxml2mods").into_iter();
    let recorded = recorded.find(|message| message.kind == "ConversionRequest");
    let document = convert(&caller, recorded.context("no vector")?.wire).await?;
    assert!(document.contains("<mods:title>Šumění \"starých\" lip</mods:title>"));

    let linked = "<record><leader>     cam a22     4a 4500</leader>\
        <datafield tag='245' ind1='0' ind2='0'><subfield code='6'>880-01</subfield><subfield code='a'>Mir</subfield></datafield>\
        <datafield tag='880' ind1='0' ind2='0'><subfield code='6'>245-01/(N</subfield><subfield code='a'>Мир</subfield></datafield>\
        <datafield tag='773' ind1='0' ind2=' '><subfield code='x'>1234-5679</subfield></datafield></record>";
    let document = convert(&caller, request(linked, Value::Null, url)).await?;
    let own =
        "<mods:titleInfo altRepGroup=\"01\" script=\"Cyrl\">\n    <mods:title>Мир</mods:title>";
    assert!(document.contains(own), "{document}");
    assert!(!document.contains("type=\"uuid\""));
    Ok(())
}

/// What is no record is an exception in the original's words, and the same process answers the next request.
#[tokio::test]
async fn exceptions_and_then_the_next_request() -> Result<()> {
    let world = world(&json!({ "MAX_RECORD_BYTES": 10_000 })).await?;
    let caller = world.start().await?;
    let pid = world.daemon.pid();
    let no_record = "There is no <record> in your MARC XML document!";
    let large = LES.replace("Les", &"Les ".repeat(10_000));
    let without = |key: &str| {
        let mut request =
            json!({"__nt_name": "ConversionRequest", "marc_xml": LES, "uuid": "", "url": ""});
        request.as_object_mut().map(|request| request.remove(key));
        request.to_string()
    };
    for (body, name, message) in [
        (request("", UUID, "u"), "ValueError", no_record),
        (request("/etc/passwd", UUID, "u"), "ValueError", no_record),
        (request("<a>\n</a>\n", UUID, "u"), "ValueError", no_record),
        (
            request(&LES.replace("&amp;", "&nbsp;"), UUID, "u"),
            "XMLSyntaxError",
            "nbsp",
        ),
        (
            request(&LES.replace("&amp;", "&"), UUID, "u"),
            "XMLSyntaxError",
            "",
        ),
        (
            request(
                &format!("<!DOCTYPE r [<!ENTITY e SYSTEM \"/etc/passwd\">]>{LES}"),
                UUID,
                "u",
            ),
            "XMLSyntaxError",
            "document type",
        ),
        (request(&large, UUID, "u"), "ValueError", "10000 bytes"),
        (
            request(LES, UUID, Value::Null),
            "TypeError",
            "cannot concatenate 'str' and 'NoneType' objects",
        ),
        (
            without("url"),
            "TypeError",
            "__new__() takes exactly 4 arguments (3 given)",
        ),
        (
            r#"{"__nt_name": "ConversionResponse", "mods_files": []}"#.to_owned(),
            "ValueError",
            "ConversionResponse'>' is unknown type of request!",
        ),
        (
            "1".to_owned(),
            "ValueError",
            "'<type 'int'>' is unknown type of request!",
        ),
        (
            r#"{"__nt_name": "Nothing"}"#.to_owned(),
            "KeyError",
            "Nothing",
        ),
    ] {
        let answer = caller.call(body).await?;
        let told = answer.header("exception").context("no exception")?;
        assert_eq!(
            answer.header("exception_name").as_deref(),
            Some(name),
            "{told}"
        );
        assert!(told.contains(message), "{told}");
        assert!(!told.contains("root:"), "{told}");
    }
    assert!(
        convert(&caller, request(LES, UUID, "u"))
            .await?
            .contains("Les &amp; louka")
    );
    assert_eq!(world.daemon.pid(), pid);
    Ok(())
}

/// `CASE_SELECTION` from the settings file.
#[tokio::test]
async fn a_periodical_is_described_as_one_if_so_set() -> Result<()> {
    let world = world(&json!({ "CASE_SELECTION": "full" })).await?;
    let caller = world.start().await?;
    let xml = sample("periodical_pevnost.xml")?;
    let document = convert(&caller, request(&xml, UUID, "u")).await?;
    for text in [
        "<mods:genre>electronic title</mods:genre>",
        "<mods:issuance>continuing</mods:issuance>",
        "<mods:identifier type=\"issn\">1213-8215</mods:identifier>",
    ] {
        assert!(document.contains(text), "{document}");
    }
    Ok(())
}

/// The program beside this test.
fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory = test.ancestors().nth(2).context("no target directory")?;
    Ok(directory.join(PROGRAM))
}

/// Runs it without settings of anybody's.
fn run(arguments: &[&str], input: &str) -> Result<Output> {
    let mut child = Command::new(program()?)
        .env_clear()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("run `cargo build --workspace` first")?;
    // it need not read it
    _ = child
        .stdin
        .take()
        .context("stdin")?
        .write_all(input.as_bytes());
    Ok(child.wait_with_output()?)
}

#[test]
fn convert_on_the_command_line() -> Result<()> {
    let about: Value = serde_json::from_str(&sample("monograph_unix.json")?)?;
    let text = |key: &str| about[key].as_str().unwrap_or_default();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("record.xml");
    std::fs::write(&file, sample("monograph_unix.xml")?)?;
    let file = file.to_str().context("a path")?;
    let options = [
        "--uuid",
        text("uuid"),
        "--url",
        text("url"),
        "--byte-compat",
    ];
    let expected = sample("monograph_unix.mods-0.xml")?;

    let printed = run(&[&["convert", file], options.as_slice()].concat(), "")?;
    assert_eq!(String::from_utf8(printed.stdout)?, expected);
    assert_eq!((printed.status.code(), printed.stderr.len()), (Some(0), 0));
    let record = sample("monograph_unix.xml")?;
    let printed = run(&[&["convert", "-"], options.as_slice()].concat(), &record)?;
    assert_eq!(String::from_utf8(printed.stdout)?, expected);

    // a link in the place of the document is replaced, what it points to stays
    let out = directory.path().join("out");
    std::fs::create_dir(&out)?;
    let other = directory.path().join("other");
    std::fs::write(&other, "mine")?;
    std::os::unix::fs::symlink(&other, out.join("mods-0.xml"))?;
    let to = out.to_str().context("a path")?;
    let written = run(
        &[&["convert", file, "--out", to], options.as_slice()].concat(),
        "",
    )?;
    assert_eq!((written.status.code(), written.stdout.len()), (Some(0), 0));
    assert_eq!(std::fs::read_to_string(out.join("mods-0.xml"))?, expected);
    assert_eq!(std::fs::read_to_string(&other)?, "mine");

    let periodical = sample("periodical_pevnost.xml")?;
    let documents = ["monograph", "auto", "full", "multivolume", "periodical"].map(|case| {
        let output = run(&["convert", "-", "--case", case, "--url", "u"], &periodical)?;
        Ok::<_, anyhow::Error>(String::from_utf8(output.stdout)?)
    });
    let [monograph, auto, full, volumes, stub] = documents.map(|d| d.unwrap_or_default());
    assert!(monograph.contains("electronic volume"));
    assert!(auto.contains("<mods:genre>volume</mods:genre>") && auto == stub);
    assert!(full.contains("electronic title"));
    assert!(volumes.contains("<mods:genre>title</mods:genre>"));
    Ok(())
}

#[test]
fn failures_on_the_command_line_are_one_line() -> Result<()> {
    for (arguments, input, code, words) in [
        (["convert", "-"].as_slice(), "", 3, "There is no <record>"),
        (&["convert", "-"], LES, 3, "give one with --url"),
        (
            &["convert", "-", "--url", "u"],
            "<record>&a;</record>",
            3,
            "broken at byte",
        ),
        (
            &["convert", "/no/such/file"],
            "",
            1,
            "/no/such/file: cannot be read",
        ),
        (
            &["convert", "-", "--url", "u", "--out", "/dev/null/x"],
            LES,
            1,
            "/dev/null/x",
        ),
        (&["status"], "", 3, ""),
    ] {
        let output = run(arguments, input)?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {said}");
        assert!(said.contains(words), "{arguments:?} {said}");
        assert!(said.lines().count() <= 1, "{said}");
    }
    for wrong in [
        ["convert"].as_slice(),
        &["convert", "-", "--case", "book"],
        &["konvert"],
    ] {
        assert_eq!(run(wrong, "")?.status.code(), Some(2), "{wrong:?}");
    }
    Ok(())
}
