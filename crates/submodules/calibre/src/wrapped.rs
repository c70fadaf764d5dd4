//! Base64 as the original wrote it: a line feed after every 80th character.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes that make one line of 80 characters.
const BYTES_PER_LINE: usize = 60;

/// The base64 text of `bytes`. Ends with a line feed only if its last line is full.
pub(crate) fn wrapped_base64(bytes: &[u8]) -> String {
    let lines = bytes.len().div_ceil(BYTES_PER_LINE);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4 + lines);
    for line in bytes.chunks(BYTES_PER_LINE) {
        STANDARD.encode_string(line, &mut text);
        // 58 and 59 bytes fill a line too, with padding.
        if line.len() > BYTES_PER_LINE - 3 {
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A last line of 80 characters may hold 58, 59 or 60 bytes.
    #[test]
    fn every_80th_character_is_followed_by_a_line_feed() {
        for length in 0..=200_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let plain = STANDARD.encode(&bytes);
            let mut expected = String::new();
            for (position, c) in plain.chars().enumerate() {
                expected.push(c);
                if position % 80 == 79 {
                    expected.push('\n');
                }
            }
            assert_eq!(wrapped_base64(&bytes), expected, "{length} bytes");
        }
    }
}
