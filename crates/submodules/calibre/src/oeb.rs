//! `oeb`, the one format that is a directory of files: it travels as a ZIP file.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::regular_file::open;

/// The directory as a ZIP file; none if its files or the ZIP are larger than `limit` bytes together.
pub(crate) fn zipped(root: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    // A link would lead to another directory of this machine.
    if !fs::symlink_metadata(root)?.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = limit;
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let mut entries = fs::read_dir(&dir)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                dirs.push(path);
                continue;
            }
            let Some(bytes) = bytes(&path, left)? else {
                return Ok(None);
            };
            left -= bytes.len() as u64;
            let name = path.strip_prefix(root).map_err(io::Error::other)?;
            zip.start_file(name.to_string_lossy(), SimpleFileOptions::default())?;
            zip.write_all(&bytes)?;
        }
    }
    let zip = zip.finish()?.into_inner();
    Ok((zip.len() as u64 <= limit).then_some(zip))
}

/// A file's bytes; none if there are more than `limit`.
fn bytes(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file: File = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}
