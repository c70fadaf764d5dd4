//! What Python 2 printed for the objects of its AMQP client.
//!
//! The original's `--get` shows a message's delivery and properties as their printed objects, and
//! there are programs that read them. Only their look is kept here; nothing reads it back.

use std::fmt::Write;

use edeposit_amqp::types::AMQPValue;

/// An object of the client: its class and those attributes that are set, sorted.
pub fn object(class: &str, mut attributes: Vec<String>) -> String {
    if attributes.is_empty() {
        return format!("<{class}>");
    }
    attributes.sort();
    let list: Vec<String> = attributes.iter().map(|one| bytes(one.as_bytes())).collect();
    format!("<{class}([{}])>", list.join(", "))
}

/// A header's value.
pub fn value(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(true) => "True".to_owned(),
        AMQPValue::Boolean(false) => "False".to_owned(),
        AMQPValue::ShortShortInt(number) => number.to_string(),
        AMQPValue::ShortShortUInt(number) => number.to_string(),
        AMQPValue::ShortInt(number) => number.to_string(),
        AMQPValue::ShortUInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => format!("{number}L"),
        AMQPValue::Float(number) => format!("{number:?}"),
        AMQPValue::Double(number) => format!("{number:?}"),
        AMQPValue::DecimalValue(decimal) => format!("Decimal('{}')", self::decimal(decimal)),
        AMQPValue::ShortString(text) => unicode(text.as_str()),
        AMQPValue::LongString(text) => match str::from_utf8(text.as_bytes()) {
            Ok(text) => unicode(text),
            Err(_) => bytes(text.as_bytes()),
        },
        AMQPValue::ByteArray(array) => bytes(array.as_slice()),
        AMQPValue::Timestamp(seconds) => datetime(*seconds),
        AMQPValue::FieldArray(array) => {
            let items: Vec<String> = array.as_slice().iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        AMQPValue::FieldTable(table) => dict(table),
        AMQPValue::Void => "None".to_owned(),
    }
}

/// A table of headers.
pub fn dict(table: &edeposit_amqp::types::FieldTable) -> String {
    let items: Vec<String> = table
        .inner()
        .iter()
        .map(|(name, value)| {
            format!(
                "{}: {}",
                bytes(name.as_str().as_bytes()),
                self::value(value)
            )
        })
        .collect();
    format!("{{{}}}", items.join(", "))
}

/// AMQP's decimal number: digits and how many of them stand behind the point.
pub fn decimal(decimal: &edeposit_amqp::types::DecimalValue) -> String {
    let places = usize::from(decimal.scale);
    let digits = format!("{:0>width$}", decimal.value, width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

/// A `str`.
fn bytes(text: &[u8]) -> String {
    let quote = quote(text.contains(&b'\''), text.contains(&b'"'));
    let mut printed = String::from(quote);
    for &byte in text {
        push(&mut printed, char::from(byte), quote, |printed| {
            // Writing to a String cannot fail.
            let _ = write!(printed, "\\x{byte:02x}");
        });
    }
    printed.push(quote);
    printed
}

/// A `unicode`.
fn unicode(text: &str) -> String {
    let quote = quote(text.contains('\''), text.contains('"'));
    let mut printed = format!("u{quote}");
    for c in text.chars() {
        push(&mut printed, c, quote, |printed| {
            let _ = match u32::from(c) {
                code @ ..=0xff => write!(printed, "\\x{code:02x}"),
                code @ ..=0xffff => write!(printed, "\\u{code:04x}"),
                code => write!(printed, "\\U{code:08x}"),
            };
        });
    }
    printed.push(quote);
    printed
}

fn quote(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

fn push(printed: &mut String, c: char, quote: char, escape: impl FnOnce(&mut String)) {
    match c {
        '\\' => printed.push_str("\\\\"),
        '\n' => printed.push_str("\\n"),
        '\r' => printed.push_str("\\r"),
        '\t' => printed.push_str("\\t"),
        _ if c == quote => {
            printed.push('\\');
            printed.push(c);
        }
        ' '..='~' => printed.push(c),
        _ => escape(printed),
    }
}

/// A `datetime` of seconds since 1970, in UTC.
fn datetime(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let seconds = match second {
        0 => String::new(),
        second => format!(", {second}"),
    };
    format!("datetime.datetime({year}, {month}, {day}, {hour}, {minute}{seconds})")
}

/// Year, month and day of a day counted from 1970-01-01, by the civil calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from a first of March, leap days stand at the end of the year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_amqp::types::{DecimalValue, FieldArray, FieldTable};

    #[test]
    fn texts_are_quoted_and_escaped() {
        assert_eq!(bytes(b"a=b"), "'a=b'");
        assert_eq!(bytes(b"it's"), "\"it's\"");
        assert_eq!(bytes(b"'\""), "'\\'\"'");
        assert_eq!(bytes(b"\\\n\x00\xff"), r"'\\\n\x00\xff'");
        assert_eq!(unicode("č é 😀 \u{7f}"), r"u'\u010d \xe9 \U0001f600 \x7f'");
    }

    #[test]
    fn values_are_printed_by_type() {
        let mut table = FieldTable::default();
        table.insert("n".into(), AMQPValue::LongInt(1));
        table.insert("UUID".into(), AMQPValue::LongString("u-9".into()));
        assert_eq!(dict(&table), "{'UUID': u'u-9', 'n': 1}");
        let mut array = FieldArray::default();
        array.push(AMQPValue::LongLongInt(5));
        array.push(AMQPValue::Double(1.0));
        array.push(AMQPValue::Void);
        array.push(AMQPValue::Boolean(true));
        assert_eq!(
            value(&AMQPValue::FieldArray(array)),
            "[5L, 1.0, None, True]"
        );
        let decimal = DecimalValue { scale: 2, value: 5 };
        assert_eq!(value(&AMQPValue::DecimalValue(decimal)), "Decimal('0.05')");
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(datetime(0), "datetime.datetime(1970, 1, 1, 0, 0)");
        assert_eq!(
            datetime(951_782_399),
            "datetime.datetime(2000, 2, 28, 23, 59, 59)"
        );
        assert_eq!(
            datetime(951_782_400),
            "datetime.datetime(2000, 2, 29, 0, 0)"
        );
        assert_eq!(
            datetime(1_794_000_061),
            "datetime.datetime(2026, 11, 6, 21, 21, 1)"
        );
    }

    #[test]
    fn attributes_are_sorted() {
        let attributes = vec!["delivery_mode=2".to_owned(), "app_id=x".to_owned()];
        assert_eq!(
            object("BasicProperties", attributes),
            "<BasicProperties(['app_id=x', 'delivery_mode=2'])>"
        );
        assert_eq!(object("BasicProperties", Vec::new()), "<BasicProperties>");
    }
}
