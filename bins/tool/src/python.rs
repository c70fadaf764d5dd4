//! What Python 2 printed for the objects of its AMQP client.
//!
//! The original's `--get` shows a message's delivery and properties as their printed objects, and
//! there are programs that read them. Only their look is kept here; nothing reads it back.

use edeposit_amqp::types::AMQPValue;
use edeposit_serializers::{python_str, python_unicode};
use time::OffsetDateTime;

/// An object of the client: its class and those attributes that are set, sorted.
pub fn object(class: &str, mut attributes: Vec<String>) -> String {
    if attributes.is_empty() {
        return format!("<{class}>");
    }
    attributes.sort();
    let list: Vec<String> = attributes
        .iter()
        .map(|one| python_str(one.as_bytes()))
        .collect();
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
        AMQPValue::ShortString(text) => python_unicode(text.as_str()),
        AMQPValue::LongString(text) => match str::from_utf8(text.as_bytes()) {
            Ok(text) => python_unicode(text),
            Err(_) => python_str(text.as_bytes()),
        },
        AMQPValue::ByteArray(array) => python_str(array.as_slice()),
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
                python_str(name.as_str().as_bytes()),
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

/// A `datetime` of seconds since 1970, in UTC. It ends with the year 9999; what is later is printed as the number it is.
fn datetime(seconds: u64) -> String {
    let time = i64::try_from(seconds).map(OffsetDateTime::from_unix_timestamp);
    let Ok(Ok(time)) = time else {
        return format!("{seconds}L");
    };
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    let seconds = match second {
        0 => String::new(),
        second => format!(", {second}"),
    };
    format!("datetime.datetime({year}, {month}, {day}, {hour}, {minute}{seconds})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_amqp::types::{DecimalValue, FieldArray, FieldTable};

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
        assert_eq!(
            datetime(253_402_300_799),
            "datetime.datetime(9999, 12, 31, 23, 59, 59)"
        );
        assert_eq!(datetime(253_402_300_800), "253402300800L");
        assert_eq!(datetime(u64::MAX), "18446744073709551615L");
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
