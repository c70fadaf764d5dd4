//! XML, or what looks like it, as a sequence of tags and texts.

/// One of them.
#[derive(Debug)]
pub(super) enum Event {
    /// A tag's name in lower case, the value of its attribute `key` if it has one, and the tag itself.
    Start(String, Option<String>, String),
    Text(String),
    End(String),
}
