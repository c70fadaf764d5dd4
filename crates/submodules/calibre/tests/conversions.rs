//! The real converter: needs the Debian packages calibre and poppler-utils.

mod common;

use std::fs;
use std::io::Write;
use std::process::Command;

use common::{CZECH, World, book};
use edeposit_calibre::Sandbox;

/// In the sandbox and without: a Czech text by way of EPUB to a PDF that opens and holds the text.
///
/// Defect 14: run by root, as tests often are, this needs what is done about Chromium's own sandbox.
#[tokio::test]
async fn a_czech_text_becomes_an_epub_and_a_pdf() {
    for sandbox in [Sandbox::Required, Sandbox::Off] {
        let world = World::new(|settings| settings.sandbox = sandbox);
        let epub = world
            .convert("txt", "epub", CZECH.as_bytes())
            .await
            .unwrap();
        assert_eq!(epub.format, "epub");
        assert!(
            epub.protocol
                .contains("EPUB output written to document.txt.epub"),
            "{}",
            epub.protocol
        );
        assert!(!epub.protocol.contains('\u{1b}'), "{}", epub.protocol);
        assert!(
            epub.b64_data
                .lines()
                .rev()
                .skip(1)
                .all(|line| line.len() == 80)
        );
        let pdf = world.convert("epub", "pdf", &book(&epub)).await.unwrap();
        let path = world.dir.path().join("book.pdf");
        fs::write(&path, book(&pdf)).unwrap();
        let read = |program: &str, more: &[&str]| {
            let output = Command::new(program)
                .arg(&path)
                .args(more)
                .output()
                .unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(read("pdfinfo", &[]).contains("Pages:"));
        assert!(read("pdftotext", &["-"]).contains("Příliš žluťoučký kůň"));
        assert_eq!(world.leftovers(), 0);
    }
}

#[tokio::test]
async fn a_broken_book_is_told_without_a_stack_trace() {
    let world = World::new(|_| {});
    let error = world
        .convert("epub", "txt", b"no EPUB at all")
        .await
        .unwrap_err();
    assert_eq!(error.name, "UserWarning");
    assert!(
        error
            .message
            .starts_with("Conversion failed:\nexit status 1\n"),
        "{error}"
    );
    assert!(
        !error.message.contains("Traceback") && !error.message.contains("File \""),
        "{error}"
    );
    assert_eq!(world.leftovers(), 0);
    world.convert("txt", "txt", b"good").await.unwrap();
}

/// Control characters in a book's title do not get into the log.
#[tokio::test]
async fn a_book_does_not_write_to_terminals() {
    let world = World::new(|_| {});
    let page = "<html><head><title>A&#27;[31mB\u{1b}[31m\u{7}C</title></head><body>x</body></html>";
    let protocol = match world.convert("html", "epub", page.as_bytes()).await {
        Ok(response) => response.protocol,
        Err(error) => error.message,
    };
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!protocol.contains(is_control), "{protocol:?}");
}

/// Defect 6.
#[tokio::test]
async fn oeb_comes_as_a_zip_and_pml_is_converted() {
    let world = World::new(|_| {});
    for format in ["oeb", "pml"] {
        let response = world
            .convert("txt", format, CZECH.as_bytes())
            .await
            .unwrap();
        assert_eq!(response.format, format);
        assert!(book(&response).starts_with(b"PK"));
    }
    assert_eq!(world.leftovers(), 0);
}

/// Defect 7: what a page links to on this machine does not get into the book.
#[tokio::test]
async fn files_that_a_page_links_to_stay_out() {
    for sandbox in [Sandbox::Required, Sandbox::Off] {
        let world = World::new(|settings| settings.sandbox = sandbox);
        let secret = world.dir.path().join("secret.html");
        fs::write(&secret, "<html><body><p>TOPSECRET</p></body></html>").unwrap();
        let page = format!(
            "<html><body><p>Page</p><a href=\"{0}\">a</a><a href=\"file://{0}\">b</a></body></html>",
            secret.display()
        );
        let text = book(&world.convert("html", "txt", page.as_bytes()).await.unwrap());
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("Page") && !text.contains("TOPSECRET"),
            "{text}"
        );
        // The converter has no option against it for pages in an archive: there the sandbox is all.
        if sandbox == Sandbox::Off {
            continue;
        }
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("index.html", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(page.as_bytes()).unwrap();
        let htmlz = zip.finish().unwrap().into_inner();
        let text = book(&world.convert("htmlz", "txt", &htmlz).await.unwrap());
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("Page") && !text.contains("TOPSECRET"),
            "{text}"
        );
    }
}

/// Defect 8: with the same limit a small book is converted and a large one fails, and says why.
#[tokio::test]
async fn a_book_that_takes_too_much_memory_fails() {
    let world = World::new(|settings| settings.memory_limit = 300 << 20);
    world.convert("txt", "epub", b"small").await.unwrap();
    let book = "Slovo a zase slovo.\n\n".repeat(600_000);
    let error = world
        .convert("txt", "epub", book.as_bytes())
        .await
        .unwrap_err();
    assert_eq!(error.name, "UserWarning");
    assert!(error.message.ends_with("MemoryError"), "{error}");
    assert_eq!(world.leftovers(), 0);
}

/// Defect 8: a megabyte that unpacks to 150 MB, and would take more than a gigabyte of memory.
#[tokio::test]
async fn a_zip_bomb_fails() {
    let (small, bomb) = (epub(1 << 20), epub(150 << 20));
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    let world = World::new(|settings| settings.memory_limit = 300 << 20);
    world.convert("epub", "txt", &small).await.unwrap();
    let error = world.convert("epub", "txt", &bomb).await.unwrap_err();
    assert!(error.message.contains("exit status 1"), "{error}");
    assert_eq!(world.leftovers(), 0);

    let world = World::new(|settings| settings.max_temp_size = 20 << 20);
    world.convert("epub", "txt", &small).await.unwrap();
    let error = world.convert("epub", "txt", &bomb).await.unwrap_err();
    assert!(error.message.ends_with("File too large"), "{error}");
    assert_eq!(world.leftovers(), 0);
}

/// An EPUB of so many bytes of text.
fn epub(size: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut add = |name: &str, parts: &mut dyn Iterator<Item = &str>| {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        parts.for_each(|part| zip.write_all(part.as_bytes()).unwrap());
    };
    let once = std::iter::once::<&str>;
    add("mimetype", &mut once("application/epub+zip"));
    add(
        "META-INF/container.xml",
        &mut once(
            r#"<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"#,
        ),
    );
    add(
        "book.opf",
        &mut once(
            r#"<package version="2.0" unique-identifier="id" xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Kniha</dc:title><dc:identifier id="id">1</dc:identifier><dc:language>cs</dc:language></metadata><manifest><item id="text" href="text.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="text"/></spine></package>"#,
        ),
    );
    let paragraph = format!("<p>{}</p>\n", "Slovo a zase slovo. ".repeat(50));
    let text = std::iter::repeat_n(&*paragraph, size / paragraph.len());
    add(
        "text.xhtml",
        &mut once(r#"<html xmlns="http://www.w3.org/1999/xhtml"><body>"#)
            .chain(text)
            .chain(once("</body></html>")),
    );
    zip.finish().unwrap().into_inner()
}
