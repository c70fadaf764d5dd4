//! `oeb`, the one format that is a directory of files: it travels as a ZIP file.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::conversion::file;

/// The directory as a ZIP file; none if its files or the ZIP are larger than `limit` bytes together.
pub(crate) fn zipped(root: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
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
            let Some(bytes) = file(&path, left)? else {
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
