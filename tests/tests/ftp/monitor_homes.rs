//! ftp_monitord and homes that are not as they should be: links, pipes, names of any bytes, uploads under way.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::{Command, Stdio};

use crate::monitored::{
    BOOK, CSV, ERROR_LOG, IMPORT_LOG, LOCK, Monitored, items, mode, names, next,
};
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use edeposit_testkit::{ProFtpd, poll_until, wait_until};
use edeposit_tests::PATIENCE;
use serde_json::{Value, json};

/// Defects 2 and 3: links are neither followed nor changed, and broken ones stop nothing.
#[tokio::test]
async fn links_out_of_the_jail() -> Result<()> {
    let mut server = ProFtpd::prepare()?;
    server.configure_accounts()?;
    // as Debian's own configuration does
    server.configure("LoadModule mod_site_misc.c")?;
    server.run()?;
    let monitored = Monitored::at(server, &json!({}), &json!({})).await?;
    let mut session = monitored.user("argo")?;
    let outside = tempfile::tempdir()?;
    let secret = outside.path().join("secret.txt");
    fs::write(&secret, "secret")?;
    let before = (mode(outside.path())?, mode(&secret)?);
    // The server wants what a link leads to to be in the jail. So there is a copy, until the link is made.
    let target = secret.to_str().context("no text")?;
    let directory = outside.path().to_str().context("no text")?;
    let mut copies = Vec::new();
    for (at, _) in directory
        .match_indices('/')
        .skip(1)
        .chain([(directory.len(), "")])
    {
        session.command(&format!("MKD {}", &directory[..at]))?;
        copies.push(&directory[..at]);
    }
    session.put(target, b"copy")?;
    session.put("/nothing", b"copy")?;
    session.command(&format!("SITE SYMLINK {directory} directory"))?;
    for name in ["file.epub", IMPORT_LOG, ERROR_LOG] {
        session.command(&format!("SITE SYMLINK {target} {name}"))?;
    }
    session.command("SITE SYMLINK /nothing broken.csv")?;
    session.delete("/nothing")?;
    session.delete(target)?;
    for copy in copies.iter().rev() {
        session.command(&format!("RMD {copy}"))?;
    }
    assert!(fs::symlink_metadata(monitored.path("argo", "file.epub"))?.is_symlink());
    assert_eq!(fs::read(monitored.path("argo", "file.epub"))?, b"secret");
    session.mkdir("k")?;
    session.put("k/real.epub", BOOK)?;
    fs::hard_link(&secret, monitored.path("argo", "k/hard.epub"))?;
    make_pipe(&monitored.path("argo", "pipe.csv"))?;
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile real.epub"]);
    let errors = message["error_log"].as_str().context("no errors")?;
    for name in [
        "broken.csv",
        "directory",
        "file.epub",
        "pipe.csv",
        "k/hard.epub",
    ] {
        let error = format!(
            "Not a regular file: {}",
            monitored.path("argo", name).display()
        );
        assert!(errors.contains(&error), "{errors}");
    }
    assert_eq!(errors.lines().count(), 5, "{errors}");
    monitored.imported("argo").await?;
    assert_eq!(fs::read(&secret)?, b"secret");
    assert_eq!((mode(outside.path())?, mode(&secret)?), before);
    assert_eq!(fs::metadata(&secret)?.uid(), 0);
    assert_eq!(names(outside.path())?, ["secret.txt"]);
    assert!(
        monitored
            .read("argo", IMPORT_LOG)?
            .starts_with("Status: Error")
    );
    assert!(fs::symlink_metadata(monitored.path("argo", IMPORT_LOG))?.is_file());
    assert!(fs::symlink_metadata(monitored.path("argo", "directory"))?.is_symlink());
    // a link as home
    monitored.server.add_account("evil", "heslo")?;
    fs::remove_dir(monitored.server.home("evil"))?;
    symlink(outside.path(), monitored.server.home("evil"))?;
    monitored.world.daemon.restart()?.success()?;
    wait_until("the link is refused", PATIENCE, async || {
        monitored
            .world
            .daemon
            .log()
            .contains("looking for the lock file")
    })
    .await?;
    assert_eq!((mode(outside.path())?, mode(&secret)?), before);
    assert!(reader.unclaimed().is_empty());
    Ok(())
}

fn make_pipe(path: &std::path::Path) -> Result<()> {
    let status = Command::new("mkfifo").arg(path).status()?;
    anyhow::ensure!(status.success(), "mkfifo");
    Ok(())
}

/// Defect 3: a home that a process left closed, without lock file, is opened again.
#[tokio::test]
async fn a_home_left_closed() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    session.mkdir("k")?;
    session.put("k/book.epub", BOOK)?;
    session.delete(LOCK)?;
    for name in ["k/book.epub", "k", ""] {
        fs::set_permissions(
            monitored.path("argo", name),
            std::os::unix::fs::PermissionsExt::from_mode(0o555),
        )?;
    }
    assert!(session.put("x", b"x").is_err());
    let reader = monitored.world.start().await?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile book.epub"]);
    monitored.imported("argo").await?;
    session.put("x", b"x")?;
    Ok(())
}

/// Defect 5: a file that is still being uploaded stays, and its metadata waits for it.
#[tokio::test]
async fn an_upload_under_way() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    session.mkdir("k")?;
    session.put("k/meta.csv", CSV.as_bytes())?;
    session.put("done.epub", BOOK)?;
    let source = monitored.world.daemon.home().join("large");
    fs::write(&source, vec![7; 300_000])?;
    let mut upload = Command::new("curl")
        .args([
            "--silent",
            "--limit-rate",
            "20K",
            "--user",
            "argo:heslo",
            "-T",
        ])
        .arg(&source)
        .arg(format!(
            "ftp://127.0.0.1:{}/k/large.epub",
            monitored.server.port()
        ))
        .stdout(Stdio::null())
        .spawn()?;
    wait_until("the upload has begun", PATIENCE, async || {
        fs::metadata(monitored.path("argo", "k/large.epub")).is_ok_and(|file| file.len() > 0)
    })
    .await?;
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile done.epub"]);
    let (large, meta) = (
        monitored.path("argo", "k/large.epub"),
        monitored.path("argo", "k/meta.csv"),
    );
    let expected = format!(
        "File waits for '{}', which belongs to it: {}\nFile is still being written: {}",
        large.display(),
        meta.display(),
        large.display()
    );
    assert_eq!(message["error_log"], expected);
    monitored.imported("argo").await?;
    assert!(large.exists() && meta.exists());
    let status = poll_until("the upload ends", PATIENCE, || Ok(upload.try_wait()?))?;
    assert!(status.success(), "{status}");
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["meta.csv + large.epub"]);
    let data = message["requests"][0]["ebook_file"]["raw_data"]
        .as_str()
        .context("no data")?;
    assert_eq!(BASE64_STANDARD.decode(data)?, vec![7; 300_000]);
    Ok(())
}

/// Names that are no text, hidden stores, directories within directories, and whoever is not in the password file.
#[tokio::test]
async fn names_and_depths() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let monitored = Monitored::new(&json!({})).await?;
    let mut session = monitored.user("argo")?;
    let home = monitored.server.home("argo");
    fs::write(home.join(std::ffi::OsStr::from_bytes(b"bad\xff.epub")), "x")?;
    fs::write(home.join(".in.half.epub."), "x")?;
    fs::write(home.join("a\nb.epub"), "x")?;
    session.mkdir("k")?;
    session.put("k/k.csv", &vec![b'\n'; 1024 * 1024 + 1])?;
    session.put("k/k.epub", BOOK)?;
    let deep = home.join("d/".repeat(80));
    fs::create_dir_all(&deep)?;
    fs::write(deep.join("deep.epub"), "x")?;
    let reader = monitored.world.start().await?;
    session.delete(LOCK)?;
    let (_, message) = next(&reader).await?;
    assert_eq!(items(&message), ["EbookFile a\nb.epub", "EbookFile k.epub"]);
    let errors = message["error_log"].as_str().context("no error")?;
    let large = format!(
        "Can't read MetadataFile '{}/k/k.csv':\n\tThe file has more than 1048576 bytes.\n",
        home.display()
    );
    assert!(errors.contains(&large), "{errors}");
    assert!(errors.contains(r"bad\xFF.epub"), "{errors}");
    assert!(
        errors.contains("Too many directories in one another: "),
        "{errors}"
    );
    monitored.imported("argo").await?;
    assert!(deep.join("deep.epub").exists());
    // gone from the password file, but not yet from the server
    fs::write(monitored.server.login_file(), "")?;
    session.delete(LOCK)?;
    wait_until("the user is not known", PATIENCE, async || {
        monitored
            .world
            .daemon
            .log()
            .contains("there is no such account")
    })
    .await?;
    assert!(reader.unclaimed().is_empty());
    let answer: Value = json!(monitored.world.daemon.status()?.success()?.stdout);
    assert!(
        answer
            .as_str()
            .is_some_and(|text| text.contains("watching ")),
        "{answer}"
    );
    Ok(())
}
