//! ftp_monitord over RabbitMQ: the real binary, a real ProFTPD, users who upload, and a reader of the queue `plone`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::{Answer, Caller, FtpSession, ProFtpd, Schema, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

const PROGRAM: &str = "edeposit_amqp_ftp_monitord";
const LOCK: &str = "delete_me_to_import_files.txt";
const IMPORT_LOG: &str = "import.log.txt";
const ERROR_LOG: &str = "error.log.txt";
const CSV: &str = "ISBN knihy;978-80-87270-99-8\nVazba;brož.\nNazev;Kniha\nMisto;Praha\nNakladatel;Garda\nDatum;IX.12\nPoradi;1\nZpracovatel;Jana\n";
const BOOK: &[u8] = b"%PDF-1.4\n\xff\0\x01";

/// The monitor, the FTP server whose users it serves, and who reads what it publishes.
struct Monitored {
    server: ProFtpd,
    world: World,
}

impl Monitored {
    async fn new(settings: &Value) -> Result<Self> {
        Self::with(settings, &json!({})).await
    }

    async fn with(settings: &Value, amqp: &Value) -> Result<Self> {
        let server = ProFtpd::start()?;
        let world = World::new(PROGRAM, "FTP", Schema::new("ftp"), amqp).await?;
        let mut all = server.settings();
        all["SCAN_INTERVAL"] = json!(3600);
        for (name, value) in settings.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        world.daemon.write_settings("ftp.json", &all)?;
        Ok(Self { server, world })
    }

    /// An account as the manager makes it, with its lock file, and a session of its user.
    fn user(&self, name: &str) -> Result<FtpSession> {
        self.server.add_account(name, "heslo")?;
        let mut session = self.server.login(name, "heslo")?;
        session.put(LOCK, b"delete me")?;
        Ok(session)
    }

    fn path(&self, user: &str, name: &str) -> PathBuf {
        self.server.home(user).join(name)
    }

    fn read(&self, user: &str, name: &str) -> Result<String> {
        let path = self.path(user, name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// The lock file is back, and with it everything else is as it is to be.
    async fn imported(&self, user: &str) -> Result<()> {
        wait_until("the lock file is back", PATIENCE, async || {
            self.path(user, LOCK).exists()
        })
        .await
    }

    fn names(&self, user: &str) -> Result<Vec<String>> {
        names(&self.server.home(user))
    }
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.mode() & 0o7777)
}

async fn next(reader: &Caller) -> Result<(Answer, Value)> {
    let answer = reader.next(PATIENCE).await?;
    let message = answer.json()?;
    Ok((answer, message))
}

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
