//! JSON, with numbers as they are written: 12.50 is a price, not a number.
//!
//! The text is checked by the parser of the messages; what is left to do here is to take apart what is known to be JSON.

use super::error::DecodeError;
use super::node::{DEEPEST, Node};

pub(super) fn decode(text: &str) -> Result<Node, DecodeError> {
    edeposit_serializers::parse(text.as_bytes())
        .map_err(|error| DecodeError::Json(error.to_string()))?;
    Rest(text).value(0)
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, DecodeError> {
        if depth > DEEPEST {
            let problem = format!("nested deeper than {DEEPEST} levels");
            return Err(DecodeError::Json(problem));
        }
        match self.peek() {
            Some('{') => {
                let mut entries = Vec::new();
                self.each('}', |rest| {
                    let key = rest.value(depth + 1)?;
                    rest.skip(':');
                    entries.push((key, rest.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Node::Map(entries))
            }
            Some('[') => {
                let mut list = Vec::new();
                self.each(']', |rest| {
                    list.push(rest.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Node::List(list))
            }
            Some('"') => self.string(),
            _ => Ok(match self.word() {
                "null" | "" => Node::Other("None"),
                "true" => Node::Other("True"),
                "false" => Node::Other("False"),
                number => Node::Text(number.to_owned()),
            }),
        }
    }

    /// What stands between the bracket that is next and the one that closes it.
    fn each(
        &mut self,
        close: char,
        mut one: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.0 = self.0.get(1..).unwrap_or_default();
        while !self.skip(close) && self.peek().is_some() {
            one(self)?;
            self.skip(',');
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Node, DecodeError> {
        let mut is_escaped = false;
        let end = self.0.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        });
        let (string, rest) = self.0.split_at(end.map_or(self.0.len(), |end| end + 2));
        self.0 = rest;
        serde_json::from_str(string)
            .map(Node::Text)
            .map_err(|error| DecodeError::Json(error.to_string()))
    }

    fn word(&mut self) -> &'a str {
        let is_end = |c: char| c.is_whitespace() || ",:]}".contains(c);
        let (word, rest) = self.0.split_at(self.0.find(is_end).unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    fn peek(&mut self) -> Option<char> {
        self.0 = self.0.trim_start();
        self.0.chars().next()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.0 = &self.0[wanted.len_utf8()..];
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::tests::{error, pairs, texts};

    #[test]
    fn objects_and_lists() {
        let expected = texts(&[("a \"b\\", "12.50"), ("č", "9788087270998"), ("c", "")]);
        for text in [
            r#" { "a \"b\\" : 12.50 , "\u010d":9788087270998,"c":""} "#,
            r#"[["a \"b\\", 12.50], ["č", "9788087270998"], ["c", ""]]"#,
            r#"["a \"b\\", "12.50", "č", 9788087270998, "c", ""]"#,
        ] {
            assert_eq!(pairs("x.json", text), expected, "{text}");
        }
        assert_eq!(
            pairs("x.json", r#"{"a": 1, "a": 1e3}"#),
            texts(&[("a", "1"), ("a", "1e3")])
        );
        assert_eq!(pairs("x.json", "{}"), []);
        assert_eq!(pairs("x.json", "[]"), []);
    }

    #[test]
    fn what_is_no_metadata() {
        let unknown = "Can't decode provided metadata - unknown structure.";
        let invalid = "Metadata format has invalid strucure (dict is expected).";
        let keyword = |k| format!("Can't decode the meta file - invalid type of keyword '{k}'!");
        for (text, expected) in [
            ("\"a\"", unknown.to_owned()),
            ("1", unknown.to_owned()),
            ("null", unknown.to_owned()),
            ("[\"a\", \"b\", \"c\"]", invalid.to_owned()),
            ("[[\"a\", \"b\"], [\"c\"]]", invalid.to_owned()),
            ("[{\"a\": 1}, 1]", invalid.to_owned()),
            ("{\"a\": null}", keyword("a")),
            ("{\"a\": true}", keyword("a")),
            ("{\"a\": [1]}", keyword("a")),
            ("[null, 1]", keyword("None")),
            (
                "",
                "Can't parse your JSON data: No JSON object could be decoded".to_owned(),
            ),
            (
                "x",
                "Can't parse your JSON data: No JSON object could be decoded".to_owned(),
            ),
        ] {
            assert_eq!(error("x.json", text), expected, "{text}");
        }
        assert!(error("x.json", "{\"a\": 1").starts_with("Can't parse your JSON data: "));
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(
            error("x.json", &deep),
            "Can't parse your JSON data: nested deeper than 32 levels"
        );
        let deeper = "[".repeat(100_000);
        assert!(error("x.json", &deeper).starts_with("Can't parse your JSON data: "));
    }
}
