//! From JSON to a conversion that can be carried out ([`Work`]), or the original's words for what is wrong with the request.

use edeposit_amqpdaemon::Exception;
use edeposit_serializers::{Base64, ErrorKind, NT_NAME, Value, from_value, python_type};
use serde::Deserialize;

use crate::formats::{INPUT_FORMATS, OUTPUT_FORMATS, listed};

/// A book to be converted; everything is checked.
pub(crate) struct Work {
    pub from: &'static str,
    pub to: &'static str,
    pub book: Vec<u8>,
}

/// Fields of any type: which of them is wrong is told in the original's order.
#[derive(Deserialize)]
#[serde(rename = "ConversionRequest")]
struct AnyRequest {
    input_format: Value,
    output_format: Value,
    b64_data: Value,
}

/// Reads a request whose book has `max_size` bytes at most.
///
/// # Errors
/// `ValueError` for another structure, a format not listed or too large a book, `TypeError` for wrong fields.
pub(crate) fn read(body: Value, max_size: u64) -> Result<Work, Exception> {
    let found = type_of(&body);
    let request: AnyRequest = from_value(body).map_err(|error| match (error.kind(), found) {
        (ErrorKind::UnknownRecord { .. } | ErrorKind::WrongType { .. }, Some(found))
            if error.path().is_empty() =>
        {
            Exception::value_error(format!("Unknown type of request: '{found}'!"))
        }
        _ => error.into(),
    })?;
    let format = |list: &[&'static str], value: &Value| listed(list, value.as_str()?);
    let from = format(&INPUT_FORMATS, &request.input_format)
        .ok_or_else(|| Exception::value_error("Unsupported input format!"))?;
    let to = format(&OUTPUT_FORMATS, &request.output_format)
        .ok_or_else(|| Exception::value_error("Unsupported output format!"))?;
    let Value::String(text) = request.b64_data else {
        let found = match &request.b64_data {
            Value::Null => "None",
            other => python_type(other),
        };
        return Err(Exception::type_error(format!(
            "a2b_base64() argument 1 must be string or buffer, not {found}"
        )));
    };
    let Base64(book) =
        Base64::decode(&text).map_err(|error| Exception::type_error(error.to_string()))?;
    if book.len() as u64 > max_size {
        return Err(Exception::value_error(format!(
            "The book has {} bytes, more than the {max_size} that MAX_INPUT_SIZE allows. Nothing was converted.",
            book.len()
        )));
    }
    Ok(Work { from, to, book })
}

/// Python's text of a value's type; none for a structure that nobody knows.
fn type_of(value: &Value) -> Option<String> {
    match value.get(NT_NAME) {
        Some(name) if name == "ConversionResponse" => {
            Some("<class 'edeposit.amqp.calibre.structures.ConversionResponse'>".to_owned())
        }
        Some(_) => None,
        None => Some(format!("<type '{}'>", python_type(value))),
    }
}
