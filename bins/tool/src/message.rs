//! A message as text: the original's layout, and JSON for programs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edeposit_amqp::RawDelivery;
use edeposit_amqp::types::{AMQPValue, FieldTable};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::python;

/// A message that was taken from a queue, and how.
pub struct Message<'a> {
    /// The message.
    pub delivery: &'a RawDelivery,
    /// How it came.
    pub way: Way<'a>,
}

/// How a message came.
pub enum Way<'a> {
    /// It was delivered to a consumer of this tag.
    Deliver(&'a str),
    /// It was asked for; so many are behind it in the queue.
    GetOk(u32),
}

impl Message<'_> {
    /// One line of JSON as the original prints it: the body as a string, the rest as Python's
    /// printed objects. Then a line of 79 dashes and an empty line.
    pub fn documented(&self) -> String {
        let (body, base64) = text(&self.delivery.data);
        let mut pairs = vec![
            ("body", body),
            ("method_frame", self.printed_frame()),
            ("properties", self.printed_properties()),
        ];
        pairs.extend(base64.map(|base64| ("body_b64", base64)));
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("\"{name}\": {}", ascii(value)))
            .collect();
        format!("{{{}}}\n{}\n\n", pairs.join(", "), "-".repeat(79))
    }

    /// One line of JSON with objects. A body that is JSON stands there as it is, but for blanks
    /// and line breaks between its parts; any other one as a string.
    pub fn json(&self) -> String {
        let (body, base64) = text(&self.delivery.data);
        let body = match base64 {
            None => one_line(&body).unwrap_or_else(|| json!(body).to_string()),
            Some(_) => json!(body).to_string(),
        };
        let frame = Value::Object(self.frame().into_iter().collect());
        let properties = Value::Object(self.properties().into_iter().collect());
        let mut line =
            format!(r#"{{"body":{body},"method_frame":{frame},"properties":{properties}"#);
        if let Some(base64) = base64 {
            line += &format!(r#","body_b64":"{base64}""#);
        }
        line + "}\n"
    }

    fn printed_frame(&self) -> String {
        let class = match self.way {
            Way::Deliver(_) => "Basic.Deliver",
            Way::GetOk(_) => "Basic.GetOk",
        };
        let attributes = self.frame().into_iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            Value::Bool(true) => format!("{name}=True"),
            Value::Bool(false) => format!("{name}=False"),
            other => format!("{name}={other}"),
        });
        python::object(class, attributes.collect())
    }

    fn printed_properties(&self) -> String {
        let headers = self.delivery.properties.headers();
        let attributes =
            self.properties()
                .into_iter()
                .map(|(name, value)| match (&value, headers) {
                    (Value::Object(_), Some(headers)) => {
                        format!("{name}={}", python::dict(headers))
                    }
                    (Value::String(text), _) => format!("{name}={text}"),
                    _ => format!("{name}={value}"),
                });
        python::object("BasicProperties", attributes.collect())
    }

    fn frame(&self) -> Vec<(String, Value)> {
        let delivery = self.delivery;
        let mut frame = match self.way {
            Way::Deliver(tag) => vec![("consumer_tag", json!(tag))],
            Way::GetOk(_) => Vec::new(),
        };
        frame.extend([
            ("delivery_tag", json!(delivery.delivery_tag)),
            ("exchange", json!(delivery.exchange.as_str())),
        ]);
        if let Way::GetOk(behind) = self.way {
            frame.push(("message_count", json!(behind)));
        }
        frame.extend([
            ("redelivered", json!(delivery.redelivered)),
            ("routing_key", json!(delivery.routing_key.as_str())),
        ]);
        frame
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The properties that are set.
    fn properties(&self) -> Vec<(String, Value)> {
        let properties = &self.delivery.properties;
        let texts = [
            ("content_type", properties.content_type()),
            ("content_encoding", properties.content_encoding()),
            ("correlation_id", properties.correlation_id()),
            ("reply_to", properties.reply_to()),
            ("expiration", properties.expiration()),
            ("message_id", properties.message_id()),
            ("type", properties.kind()),
            ("user_id", properties.user_id()),
            ("app_id", properties.app_id()),
            ("cluster_id", properties.cluster_id()),
        ];
        let others = [
            ("delivery_mode", properties.delivery_mode().map(Value::from)),
            ("priority", properties.priority().map(Value::from)),
            ("timestamp", properties.timestamp().map(Value::from)),
            ("headers", properties.headers().as_ref().map(table)),
        ];
        texts
            .into_iter()
            .map(|(name, text)| (name, text.as_ref().map(|text| json!(text.as_str()))))
            .chain(others)
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// A body as text and, if that is not all of it, as base64.
fn text(body: &[u8]) -> (String, Option<String>) {
    match str::from_utf8(body) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (
            String::from_utf8_lossy(body).into_owned(),
            Some(STANDARD.encode(body)),
        ),
    }
}

/// A header's value as JSON. What JSON has no form for becomes a string.
fn header(value: &AMQPValue) -> Value {
    let bytes = |bytes: &[u8]| json!(String::from_utf8_lossy(bytes));
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(number) => json!(number),
        AMQPValue::ShortShortUInt(number) => json!(number),
        AMQPValue::ShortInt(number) => json!(number),
        AMQPValue::ShortUInt(number) => json!(number),
        AMQPValue::LongInt(number) => json!(number),
        AMQPValue::LongUInt(number) => json!(number),
        AMQPValue::LongLongInt(number) => json!(number),
        AMQPValue::Float(number) => json!(number),
        AMQPValue::Double(number) => json!(number),
        AMQPValue::DecimalValue(decimal) => json!(python::decimal(decimal)),
        AMQPValue::ShortString(text) => json!(text.as_str()),
        AMQPValue::LongString(text) => bytes(text.as_bytes()),
        AMQPValue::ByteArray(array) => bytes(array.as_slice()),
        AMQPValue::Timestamp(seconds) => json!(seconds),
        AMQPValue::FieldArray(array) => array.as_slice().iter().map(header).collect(),
        AMQPValue::FieldTable(inner) => table(inner),
        AMQPValue::Void => Value::Null,
    }
}

fn table(table: &FieldTable) -> Value {
    let pairs = table
        .inner()
        .iter()
        .map(|(name, value)| (name.to_string(), header(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// JSON text without what stands between its parts; None if it is no JSON, or nested so deep that
/// readers give up. The text and not a value made of it, so that numbers stay as they are.
pub fn one_line(text: &str) -> Option<String> {
    serde_json::from_str::<Value>(text).ok()?;
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut line = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in raw.get().chars() {
        if quoted {
            (quoted, escaped) = (c != '"' || escaped, c == '\\' && !escaped);
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            quoted = c == '"';
        }
        line.push(c);
    }
    Some(line)
}

/// A JSON string in ASCII, as Python writes it.
fn ascii(text: &str) -> String {
    let mut line = String::new();
    for c in json!(text).to_string().chars() {
        match c {
            ' '..='~' => line.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    line += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_one_line_with_all_its_digits() {
        let text =
            "{\n  \"a b\": [1,\t2.50, 123456789012345678901234567890],\n \"c\\\" \": \" \\\\\" }\n";
        assert_eq!(
            one_line(text).as_deref(),
            Some(r#"{"a b":[1,2.50,123456789012345678901234567890],"c\" ":" \\"}"#)
        );
        assert_eq!(one_line("asd"), None);
        assert_eq!(one_line(&"[".repeat(100_000)), None);
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(one_line(&deep), None);
    }

    #[test]
    fn strings_are_escaped_as_python_does() {
        assert_eq!(
            ascii("{\"a\": \"č\"}\n\u{7f}😀"),
            r#""{\"a\": \"\u010d\"}\n\u007f\ud83d\ude00""#
        );
    }
}
