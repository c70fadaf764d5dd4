//! What the caller of a daemon is told when its request fails.
//!
//! The original answered a failed request with a message whose headers describe a Python exception. Callers look for the
//! header `exception`, and tell cases apart by `exception_name` and `exception_type`. An [`Exception`] is that
//! description; a handler returns it as its error.

use std::error::Error as StdError;
use std::fmt;

use edeposit_serializers::{ErrorKind, python_unicode};

/// A failure as the caller of a daemon sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Class name, e.g. `ValueError`; header `exception_name`.
    pub name: String,
    /// Python's text of the class, `<type 'exceptions.ValueError'>` or `<class 'package.module.Name'>`; header
    /// `exception_type`.
    pub kind: String,
    /// What happened and what the caller can do about it; header `exception`.
    pub message: String,
    /// Body of the answer where it is not the message: the original sent `str(e)`, which for a `KeyError` is the
    /// quoted key.
    pub body: Option<String>,
    /// Chain of causes for the header `traceback`; made from name and message if not given.
    pub traceback: Option<String>,
}

impl Exception {
    /// An exception that Python has built in, e.g. `IOError`.
    pub fn builtin(name: impl Into<String>, message: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            kind: format!("<type 'exceptions.{name}'>"),
            name,
            message: message.into(),
            body: None,
            traceback: None,
        }
    }

    /// An exception of a class by its full path, e.g. `edeposit.amqp.aleph.aleph.AlephException`. Use the original's
    /// path where there is one: callers compare it.
    pub fn class(path: &str, message: impl Into<String>) -> Self {
        let name = path.rsplit('.').next().unwrap_or(path);
        Self {
            name: name.to_owned(),
            kind: format!("<class '{path}'>"),
            message: message.into(),
            body: None,
            traceback: None,
        }
    }

    /// `ValueError`: the request has a value that cannot be worked with.
    pub fn value_error(message: impl Into<String>) -> Self {
        Self::builtin("ValueError", message)
    }

    /// `TypeError`: the request has the wrong shape.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::builtin("TypeError", message)
    }

    /// `AssertionError`: a condition that the request must meet is not met.
    pub fn assertion_error(message: impl Into<String>) -> Self {
        Self::builtin("AssertionError", message)
    }

    /// `KeyError`: something named in the request does not exist. As the original had it, the message is the bare key
    /// and the body its quoted form.
    pub fn key_error(key: impl Into<String>) -> Self {
        let key = key.into();
        let body = python_unicode(&key);
        Self {
            body: Some(body),
            ..Self::builtin("KeyError", key)
        }
    }

    /// Adds the chain of causes of `error` to the traceback.
    #[must_use]
    pub fn caused_by(self, error: &dyn StdError) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        self.with_traceback(&causes.join("\n"))
    }

    /// Adds lines to the traceback: where and why it happened, outermost first.
    #[must_use]
    pub fn with_traceback(mut self, lines: &str) -> Self {
        let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
        self.traceback = Some(format!(
            "Traceback (most recent call last):\n{lines}{}: {}",
            self.name, self.message
        ));
        self
    }

    /// The traceback to send: the one given, else name and message in the same form.
    #[must_use]
    pub fn traceback_text(&self) -> String {
        self.traceback.clone().unwrap_or_else(|| {
            format!(
                "Traceback (most recent call last):\n{}: {}",
                self.name, self.message
            )
        })
    }

    /// The body to send.
    #[must_use]
    pub fn body_text(&self) -> &str {
        self.body.as_deref().unwrap_or(&self.message)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl StdError for Exception {}

/// A request that cannot be read, in the original's words: `KeyError` for an unknown record, `TypeError` for wrong
/// fields, `ValueError` for what is no JSON or no request at all.
impl From<edeposit_serializers::Error> for Exception {
    fn from(error: edeposit_serializers::Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            ErrorKind::NotUtf8 { .. } => Self::builtin("UnicodeDecodeError", message),
            ErrorKind::UnknownRecord { name, .. } => {
                let exception = match name.as_str() {
                    Some(name) => Self::key_error(name),
                    None => Self::builtin("KeyError", name.to_string()),
                };
                exception.with_traceback(&message)
            }
            // The field names come after the words that callers may compare.
            ErrorKind::UnknownField { .. } | ErrorKind::MissingFields { .. } => {
                Self::type_error(error.kind().to_string()).with_traceback(&message)
            }
            ErrorKind::WrongType { found, .. } if error.path().is_empty() => {
                Self::value_error(format!("Unknown type of request: '<type '{found}'>'!"))
                    .with_traceback(&message)
            }
            ErrorKind::WrongType { .. } | ErrorKind::Unserializable(_) => Self::type_error(message),
            _ => Self::value_error(message),
        }
    }
}

/// `IOError`, as Python names what the system refuses.
impl From<std::io::Error> for Exception {
    fn from(error: std::io::Error) -> Self {
        Self::builtin("IOError", error.to_string()).caused_by(&error)
    }
}

/// `RuntimeError` with the whole chain: for failures that have no name of their own.
impl From<anyhow::Error> for Exception {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Exception>() {
            Ok(exception) => exception,
            Err(error) => {
                Self::builtin("RuntimeError", format!("{error:#}")).caused_by(error.as_ref())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_error_has_the_bare_key_and_its_repr() {
        let exception = Exception::key_error("Žlutá");
        assert_eq!(exception.message, "Žlutá");
        assert_eq!(exception.body_text(), r"u'\u017dlut\xe1'");
        assert_eq!(exception.kind, "<type 'exceptions.KeyError'>");
    }

    #[test]
    fn classes_keep_their_path() {
        let exception = Exception::class("edeposit.amqp.aleph.aleph.AlephException", "x");
        assert_eq!(exception.name, "AlephException");
        assert_eq!(
            exception.kind,
            "<class 'edeposit.amqp.aleph.aleph.AlephException'>"
        );
    }

    #[test]
    fn causes_become_the_traceback() {
        let error = anyhow::anyhow!("disk full").context("writing the book");
        let exception = Exception::from(error);
        assert_eq!(exception.message, "writing the book: disk full");
        assert_eq!(
            exception.traceback_text(),
            "Traceback (most recent call last):\n  writing the book\n  disk full\n\
             RuntimeError: writing the book: disk full"
        );
        let wrapped = Exception::from(anyhow::Error::from(Exception::value_error("x")));
        assert_eq!(wrapped, Exception::value_error("x"));
    }
}
