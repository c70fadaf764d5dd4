//! Binary data in a message.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that travel as base64 text, such as a book or a PDF.
///
/// Reads what Python 2's `base64.b64decode` reads: line breaks and any other characters outside the alphabet are passed
/// over, and what follows the padding is ignored. Writes the standard alphabet with padding, without line breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Base64(pub Vec<u8>);

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Symbols decoded at once: whole groups of four.
const PIECE: usize = 64 * 1024;

/// Base64 text that ends within a group of four. `Display` has Python's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Incorrect padding")]
pub struct IncorrectPadding;

impl Base64 {
    /// Decodes base64 text; see the type for what is accepted.
    ///
    /// # Errors
    /// The text ends within a group of four.
    pub fn decode(text: &str) -> Result<Self, IncorrectPadding> {
        let mut all = Vec::with_capacity(text.len() / 4 * 3);
        Self::decode_in_pieces(text, |piece| {
            all.extend_from_slice(piece);
            Ok::<_, IncorrectPadding>(())
        })?;
        Ok(Self(all))
    }

    /// Decodes base64 text and hands the bytes to `write`, in order, at most 48 KiB at a time: a large file is in memory
    /// once, as the text it came as.
    ///
    /// # Errors
    /// The text ends within a group of four, which is seen at its end; or `write` fails.
    pub fn decode_in_pieces<E: From<IncorrectPadding>>(
        text: &str,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut symbols = Vec::with_capacity(PIECE.min(text.len()));
        let mut bytes = Vec::new();
        let mut flush = |symbols: &mut Vec<u8>| {
            bytes.clear();
            LENIENT
                .decode_vec(&*symbols, &mut bytes)
                .map_err(|_| IncorrectPadding)?;
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
            return Err(IncorrectPadding.into());
        }
        flush(&mut symbols)
    }
}

fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces end where groups end, whatever is passed over and wherever the text is broken off.
    #[test]
    fn a_large_file_comes_in_pieces() {
        let data: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let text = STANDARD.encode(&data);
        for broken in [
            text.clone(),
            text.replace('A', "A\n"),
            text.clone() + "tail",
        ] {
            assert_eq!(Base64::decode(&broken).unwrap().0, data);
        }
        assert_eq!(Base64::decode(&text[1..]), Err(IncorrectPadding));
        let mut largest = 0;
        Base64::decode_in_pieces(&text, |piece| {
            largest = largest.max(piece.len());
            Ok::<_, IncorrectPadding>(())
        })
        .unwrap();
        assert_eq!(largest, PIECE / 4 * 3);
    }
}
