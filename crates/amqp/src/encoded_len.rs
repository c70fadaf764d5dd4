//! How long a header gets on the wire: all headers of a message have to fit into one frame.

use lapin::types::AMQPValue;

/// How many bytes a header value takes on the wire, its name not counted.
#[must_use]
pub fn encoded_len(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => {
            4 + values.as_slice().iter().map(encoded_len).sum::<usize>()
        }
        AMQPValue::FieldTable(table) => {
            let fields = table.inner().iter();
            4 + fields
                .map(|(name, value)| 1 + name.as_str().len() + encoded_len(value))
                .sum::<usize>()
        }
        _ => 8,
    }
}
