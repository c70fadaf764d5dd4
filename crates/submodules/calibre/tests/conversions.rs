//! The real converter: needs the Debian packages calibre and poppler-utils.

mod common;

use std::fs;
use std::process::Command;

use common::{CZECH, World, book};
use edeposit_calibre::settings::Sandbox;

/// In the sandbox, if there is one, and without: a Czech text by way of EPUB to a PDF that opens and holds the text.
#[tokio::test]
async fn a_czech_text_becomes_an_epub_and_a_pdf() {
    for sandbox in [Sandbox::Auto, Sandbox::Off] {
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
    for sandbox in [Sandbox::Auto, Sandbox::Off] {
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
    }
}

/// Defect 8: a book that takes too much memory fails, and is answered.
#[tokio::test]
async fn a_book_that_takes_too_much_memory_fails() {
    let world = World::new(|settings| settings.memory_limit = 64 << 20);
    let book = "Slovo a zase slovo.\n\n".repeat(200_000);
    let error = world
        .convert("txt", "epub", book.as_bytes())
        .await
        .unwrap_err();
    assert_eq!(error.name, "UserWarning");
    assert_eq!(world.leftovers(), 0);
}
