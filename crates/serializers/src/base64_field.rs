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

impl Base64 {
    /// Decodes base64 text; see the type for what is accepted.
    ///
    /// # Errors
    /// `Incorrect padding`, in Python's words: the text ends within a group of four.
    pub fn decode(text: &str) -> Result<Self, &'static str> {
        let mut symbols = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        let mut padded = false;
        while let Some(byte) = bytes.next() {
            match byte {
                // Two symbols of a group need two pad characters, three need one; then the data is over.
                b'=' => match symbols.len() % 4 {
                    3 => padded = true,
                    2 => padded = bytes.clone().find(|b| *b == b'=' || is_symbol(*b)) == Some(b'='),
                    _ => {}
                },
                _ if is_symbol(byte) => symbols.push(byte),
                _ => {}
            }
            if padded {
                break;
            }
        }
        if !padded && symbols.len() % 4 != 0 {
            return Err("Incorrect padding");
        }
        LENIENT
            .decode(&symbols)
            .map(Self)
            .map_err(|_| "Incorrect padding")
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
