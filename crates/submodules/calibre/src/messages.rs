//! What goes over RabbitMQ: a book and two formats in, the converted book and the converter's log out.

use serde::{Deserialize, Serialize};

/// Asks for a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ConversionRequest {
    /// One of [`INPUT_FORMATS`](crate::INPUT_FORMATS).
    pub input_format: String,
    /// One of [`OUTPUT_FORMATS`](crate::OUTPUT_FORMATS); may equal the input's.
    pub output_format: String,
    /// The book in base64. Characters outside the alphabet, such as line feeds, are passed over.
    pub b64_data: String,
}

/// The converted book.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ConversionResponse {
    /// The format that was asked for.
    pub format: String,
    /// The book in base64, with a line feed after every 80th character. `oeb` is a directory, and comes as a ZIP file.
    pub b64_data: String,
    /// What the converter wrote on its standard output, the last MiB at most.
    pub protocol: String,
}
