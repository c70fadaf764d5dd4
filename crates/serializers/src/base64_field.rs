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

/// The text ends within a group of four. The words are Python's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Incorrect padding")]
pub struct IncorrectPadding;

impl From<IncorrectPadding> for &'static str {
    fn from(_: IncorrectPadding) -> Self {
        "Incorrect padding"
    }
}

/// Symbols decoded at once: whole groups of four.
const PIECE: usize = 64 * 1024;

impl Base64 {
    /// Decodes base64 text; see the type for what is accepted.
    ///
    /// # Errors
    /// `Incorrect padding`, in Python's words: the text ends within a group of four.
    pub fn decode(text: &str) -> Result<Self, &'static str> {
        let mut whole = Vec::with_capacity(text.len() / 4 * 3 + 3);
        Self::decode_in_pieces(text, |piece| {
            whole.extend_from_slice(piece);
            Ok::<_, &'static str>(())
        })?;
        Ok(Self(whole))
    }

    /// The same, but the bytes are handed to `write` in order, at most 64 KiB at a time: a large file need not be in
    /// memory twice.
    ///
    /// # Errors
    /// [`IncorrectPadding`], after the pieces before it have been written; or what `write` errs with.
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

    #[test]
    fn a_large_text_is_decoded_in_pieces() {
        let data: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let text = STANDARD.encode(&data);
        let texts = [
            text.clone(),
            text.replace('A', "A\n"),
            text.clone() + "tail",
        ];
        for text in &texts {
            let mut whole = Vec::new();
            let result = Base64::decode_in_pieces(text, |piece| {
                assert!(piece.len() <= PIECE, "{}", piece.len());
                whole.extend_from_slice(piece);
                Ok::<_, IncorrectPadding>(())
            });
            assert_eq!(result, Ok(()));
            assert_eq!(whole, data);
            assert_eq!(Base64::decode(text), Ok(Base64(data.clone())));
        }
        let broken = &text[..100_001];
        assert_eq!(Base64::decode(broken), Err("Incorrect padding"));
    }
}
