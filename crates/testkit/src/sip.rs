//! Submission packages as their receiver sees them: checked with programs that are not ours, and watched while they come.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A small valid EPUB 3 book. Its cover is a file of `padding` bytes that do not compress.
///
/// # Errors
/// It cannot be packed.
pub fn epub(padding: usize) -> Result<Vec<u8>> {
    const CONTAINER: &str = r#"<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"#;
    const OPF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:isbn:9788000000002</dc:identifier>
    <dc:title>Les &amp; louka</dc:title>
    <dc:language>cs</dc:language>
    <meta property="dcterms:modified">2024-02-11T00:00:00Z</meta>
  </metadata>
  <manifest>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    <item id="text" href="text.xhtml" media-type="application/xhtml+xml"/>
    <item id="data" href="data.bin" media-type="application/octet-stream"/>
  </manifest>
  <spine><itemref idref="text"/></spine>
</package>
"#;
    const NAV: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Obsah</title></head>
<body><nav epub:type="toc"><ol><li><a href="text.xhtml">Les</a></li></ol></nav></body></html>
"#;
    const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Les</title></head><body><p>Šli lesem.</p></body></html>
"#;
    let mut random = fastrand::Rng::with_seed(7);
    let data: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(padding)
        .collect();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let deflated = stored.compression_method(CompressionMethod::Deflated);
    // first and not compressed, so that the type can be read at a fixed place
    zip.start_file("mimetype", stored)?;
    zip.write_all(b"application/epub+zip")?;
    for (name, content) in [
        ("META-INF/container.xml", CONTAINER),
        ("book.opf", OPF),
        ("nav.xhtml", NAV),
        ("text.xhtml", TEXT),
    ] {
        zip.start_file(name, deflated)?;
        zip.write_all(content.as_bytes())?;
    }
    zip.start_file("data.bin", stored)?;
    zip.write_all(&data)?;
    Ok(zip.finish()?.into_inner())
}

/// Checks that `package` is a whole package of the book `id`: exactly the files its MD5 manifest and the layout call for,
/// sums right by coreutils' `md5sum`, both documents well-formed by libxml's `xmllint`, the manifest's own sum right.
/// Manifests of other algorithms may be there too.
///
/// # Errors
/// It is not, or one of the programs is not installed.
pub fn verify(package: &Path, id: &str) -> Result<()> {
    let manifest = format!("MD5_{id}.md5");
    let info = format!("info_{id}.xml");
    let lines = fs::read_to_string(package.join(&manifest)).context(manifest.clone())?;
    let listed: BTreeSet<String> = lines
        .lines()
        .filter_map(|line| line.split_once(" /"))
        .map(|(_, path)| path.to_owned())
        .collect();
    ensure!(listed.len() == 2, "the manifest has {listed:?}");
    let mut found = BTreeSet::new();
    files(package, "", &mut found)?;
    let expected = listed
        .iter()
        .cloned()
        .chain([manifest.clone(), info.clone()]);
    let expected: BTreeSet<String> = expected.collect();
    let unexpected = found.difference(&expected);
    let unexpected: Vec<_> = unexpected
        .filter(|name| !(name.starts_with("SHA") && name.contains(id)))
        .collect();
    ensure!(
        expected.is_subset(&found) && unexpected.is_empty(),
        "the package has {found:?}, not {expected:?}"
    );
    run(package, "sed 's# /#  #' MD5_*.md5 | md5sum -c --strict")?;
    run(package, "xmllint --noout info_*.xml metadata/*.xml")?;
    let sum = run(package, "md5sum MD5_*.md5")?;
    let sum = sum.split(' ').next().unwrap_or_default();
    let text = fs::read_to_string(package.join(&info))?;
    ensure!(
        text.contains(&format!("checksum=\"{sum}\">/{manifest}</checksum>")),
        "the manifest's sum is {sum}, and the info file has: {text}"
    );
    Ok(())
}

/// What a shell command prints that has to succeed in `dir`.
///
/// # Errors
/// It does not.
pub fn run(dir: &Path, command: &str) -> Result<String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .output()?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command}: {stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}

fn files(dir: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name);
        }
    }
    Ok(())
}

/// The names in a directory that are not hidden, sorted.
///
/// # Errors
/// It cannot be read.
pub fn visible(dir: &Path) -> Result<Vec<String>> {
    Ok(names(dir)?
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect())
}

/// What a process that died, or a careless one, has left in an export directory: temporary directories, states set aside,
/// lock files.
///
/// # Errors
/// It cannot be read.
pub fn rubbish(dir: &Path) -> Result<Vec<String>> {
    let hidden = names(dir)?
        .into_iter()
        .filter(|name| name.starts_with('.') && name != ".locks");
    let locks = match dir.join(".locks") {
        locks if locks.exists() => names(&locks)?,
        _ => Vec::new(),
    };
    Ok(hidden.chain(locks).collect())
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// What happens to the names in a directory (inotify).
#[derive(Debug)]
pub struct Watch(OwnedFd);

/// A change of a name, in the kernel's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file or directory was made under this name.
    Created(String),
    /// This name was given to something that had another one.
    MovedTo(String),
    /// This name was taken from something.
    MovedFrom(String),
    /// What had this name was deleted.
    Deleted(String),
}

impl Watch {
    /// Watches `dir` from now on.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn new(dir: &Path) -> Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let flags =
            WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM | WatchFlags::DELETE;
        inotify::add_watch(&fd, dir, flags)?;
        Ok(Self(fd))
    }

    /// What has happened since the last call to names that are not hidden.
    ///
    /// # Errors
    /// It cannot be read, or there was too much.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut changes = Vec::new();
        loop {
            let event = match reader.next() {
                Err(Errno::WOULDBLOCK) => return Ok(changes),
                event => event?,
            };
            let kind = event.events();
            ensure!(
                !kind.contains(ReadFlags::QUEUE_OVERFLOW),
                "changes were lost"
            );
            let name = event
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let Some(name) = name.filter(|name| !name.starts_with('.')) else {
                continue;
            };
            changes.push(if kind.contains(ReadFlags::CREATE) {
                Change::Created(name)
            } else if kind.contains(ReadFlags::MOVED_TO) {
                Change::MovedTo(name)
            } else if kind.contains(ReadFlags::MOVED_FROM) {
                Change::MovedFrom(name)
            } else {
                Change::Deleted(name)
            });
        }
    }
}
