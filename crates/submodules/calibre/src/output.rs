//! The converted book, on its way from the converter's directory into the answer: base64 as the original wrote it, with a
//! line feed after every 80th character.

use std::io::{self, Cursor, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::oeb;
use crate::regular_file::open;

/// Bytes that make one line of 80 characters.
const BYTES_PER_LINE: usize = 60;

/// Bytes read at once: whole lines, unless the file ends.
const PORTION: usize = BYTES_PER_LINE * 1024;

/// The base64 text of the book at `path`; none if it has more than `limit` bytes.
pub(crate) fn encoded(path: &Path, format: &str, limit: u64) -> io::Result<Option<String>> {
    if format == "oeb" {
        let zip = oeb::zipped(path, limit)?;
        return zip
            .map(|zip| wrapped_base64(zip.len() as u64, Cursor::new(zip)))
            .transpose();
    }
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Ok(None);
    }
    wrapped_base64(size, file).map(Some)
}

/// The base64 text of the next `size` bytes. Ends with a line feed only if its last line is full.
fn wrapped_base64(size: u64, bytes: impl Read) -> io::Result<String> {
    let expected = usize::try_from(size).map_err(io::Error::other)?;
    let lines = expected.div_ceil(BYTES_PER_LINE);
    let mut text = String::with_capacity(expected.div_ceil(3) * 4 + lines);
    let mut bytes = bytes.take(size);
    let mut portion = Vec::with_capacity(PORTION);
    while bytes
        .by_ref()
        .take(PORTION as u64)
        .read_to_end(&mut portion)?
        > 0
    {
        for line in portion.chunks(BYTES_PER_LINE) {
            STANDARD.encode_string(line, &mut text);
            // 58 and 59 bytes fill a line too, with padding.
            if line.len() > BYTES_PER_LINE - 3 {
                text.push('\n');
            }
        }
        portion.clear();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bytes: &[u8]) -> String {
        let mut expected = String::new();
        for (position, c) in STANDARD.encode(bytes).chars().enumerate() {
            expected.push(c);
            if position % 80 == 79 {
                expected.push('\n');
            }
        }
        expected
    }

    /// A last line of 80 characters may hold 58, 59 or 60 bytes.
    #[test]
    fn every_80th_character_is_followed_by_a_line_feed() {
        for length in (0..=200).chain(PORTION - 3..=PORTION + 3) {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let text = wrapped_base64(length as u64, &*bytes).unwrap();
            assert_eq!(text, expected(&bytes), "{length} bytes");
        }
    }

    /// However little comes at once.
    #[test]
    fn pieces_make_no_difference() {
        let bytes = [7; 200];
        let pieces = bytes[..1].chain(&bytes[1..50]).chain(&bytes[50..]);
        assert_eq!(wrapped_base64(200, pieces).unwrap(), expected(&bytes));
    }
}
