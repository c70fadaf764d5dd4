//! A failure reported by a daemon, read from the headers of its answer.

use edeposit_amqp::types::{AMQPValue, FieldTable};

/// What a daemon answers when a request fails. The original described Python's exceptions so; the daemons keep its names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Exception {
    /// Class name, e.g. `ValueError`; header `exception_name`. Empty if the daemon gave none.
    pub name: String,
    /// Python's text of the class, e.g. `<class 'edeposit.amqp.aleph.aleph.AlephException'>`; header `exception_type`.
    pub kind: String,
    /// What happened; header `exception`.
    pub message: String,
    /// Chain of causes, outermost first; header `traceback`. None if the daemon does not send them.
    pub traceback: Option<String>,
}

impl Exception {
    /// Reads an exception; None if the message is none, which callers tell by the header `exception`.
    pub(crate) fn read(headers: &FieldTable, body: &[u8]) -> Option<Self> {
        let message = headers.inner().get("exception")?;
        let mut message = text(message).unwrap_or_default();
        // Headers are cut where they would not fit into a frame; the body has the whole text.
        let body = String::from_utf8_lossy(body);
        if body.len() > message.len() && body.starts_with(&message) {
            message = body.into_owned();
        }
        let header = |name| headers.inner().get(name).and_then(text);
        Some(Self {
            name: header("exception_name").unwrap_or_default(),
            kind: header("exception_type").unwrap_or_default(),
            message,
            traceback: header("traceback"),
        })
    }
}

/// A header's text; None if it is no text.
pub(crate) fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> FieldTable {
        let mut headers = FieldTable::default();
        for (name, value) in pairs {
            headers.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        headers
    }

    #[test]
    fn an_answer_is_no_exception() {
        assert_eq!(Exception::read(&headers(&[("UUID", "x")]), b"{}"), None);
    }

    #[test]
    fn all_headers_are_read_and_a_cut_message_is_completed() {
        let headers = headers(&[
            ("exception", "long te"),
            ("exception_name", "ValueError"),
            ("exception_type", "<type 'exceptions.ValueError'>"),
            ("traceback", "Traceback"),
        ]);
        let exception = Exception::read(&headers, b"long text").expect("an exception");
        assert_eq!(exception.message, "long text");
        assert_eq!(exception.to_string(), "ValueError: long text");
        assert_eq!(exception.traceback.as_deref(), Some("Traceback"));
    }

    #[test]
    fn the_bare_key_of_a_key_error_stays() {
        let exception = Exception::read(&headers(&[("exception", "key")]), b"u'key'");
        assert_eq!(exception.map(|e| e.message).as_deref(), Some("key"));
    }

    #[test]
    fn one_without_the_other_headers_is_still_one() {
        let mut headers = headers(&[]);
        headers.insert("exception".into(), AMQPValue::Void);
        let exception = Exception::read(&headers, b"why").expect("an exception");
        assert_eq!(
            (exception.name.as_str(), exception.message.as_str()),
            ("", "why")
        );
        assert_eq!(exception.traceback, None);
    }
}
