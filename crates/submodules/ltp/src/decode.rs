//! Base64 decoded piece by piece, so that a large file is in memory once, as the text it came as.
//!
//! What is accepted is what [`edeposit_serializers::Base64`] accepts: characters outside the standard alphabet are passed
//! over, and what follows the padding is ignored.

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet, engine::DecodePaddingMode};

use crate::LtpError;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Symbols decoded at once: whole groups of four.
const PIECE: usize = 64 * 1024;

/// Hands the decoded bytes to `write`, in order, at most [`PIECE`] at a time.
pub(crate) fn decode(
    text: &str,
    mut write: impl FnMut(&[u8]) -> Result<(), LtpError>,
) -> Result<(), LtpError> {
    let mut symbols = Vec::with_capacity(PIECE);
    let mut bytes = Vec::with_capacity(PIECE);
    let mut flush = |symbols: &mut Vec<u8>| {
        bytes.clear();
        LENIENT
            .decode_vec(&*symbols, &mut bytes)
            .map_err(|_| LtpError::Padding)?;
        symbols.clear();
        write(&bytes)
    };
    let mut rest = text.bytes();
    let mut padded = false;
    while !padded && let Some(byte) = rest.next() {
        match byte {
            // Two symbols of a group need two pad characters, three need one; then the data is over.
            b'=' => match symbols.len() % 4 {
                3 => padded = true,
                2 => padded = rest.clone().find(|b| *b == b'=' || is_symbol(*b)) == Some(b'='),
                _ => {}
            },
            _ if is_symbol(byte) => symbols.push(byte),
            _ => {}
        }
        if symbols.len() == PIECE {
            flush(&mut symbols)?;
        }
    }
    if !padded && symbols.len() % 4 != 0 {
        return Err(LtpError::Padding);
    }
    flush(&mut symbols)
}

fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_serializers::Base64;
    use proptest::prelude::*;

    fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
        let mut all = Vec::new();
        decode(text, |piece| {
            all.extend_from_slice(piece);
            Ok(())
        })
        .map(|()| all)
        .map_err(|_| "Incorrect padding")
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole(text in "[A-Da-d0-3+/=_\n-]{0,40}") {
            prop_assert_eq!(decoded(&text), Base64::decode(&text).map(|data| data.0));
        }
    }

    /// Defect 10: a large file comes in pieces, and whole.
    #[test]
    fn a_large_file_comes_in_pieces() {
        let data: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let text = base64::prelude::BASE64_STANDARD.encode(&data);
        for broken in [
            text.clone(),
            text.replace('A', "A\n"),
            text.clone() + "tail",
        ] {
            assert_eq!(decoded(&broken).unwrap(), data);
        }
        let mut largest = 0;
        decode(&text, |piece| {
            largest = largest.max(piece.len());
            Ok(())
        })
        .unwrap();
        assert!(largest <= PIECE, "{largest}");
    }
}
