//! A value as a settings file or the environment gives it, before anyone has asked what it is for.

/// A value as found.
pub(crate) enum Given {
    /// A string, or a number as it was written.
    Text(String),
    /// `true` or `false`: usable for a flag only.
    Flag(bool),
    /// An array of strings: usable for a list only.
    List(Vec<String>),
    /// Something that cannot be a setting, in words ("null").
    Unusable(&'static str),
}

impl Given {
    /// What a piece of JSON text is worth as a setting.
    pub fn of_json(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => match serde_json::from_str(raw) {
                Ok(text) => Given::Text(text),
                Err(_) => Given::Unusable("a string that is no valid Unicode"),
            },
            Some(first @ (b't' | b'f')) => Given::Flag(*first == b't'),
            Some(b'n') => Given::Unusable("null"),
            Some(b'[') => match serde_json::from_str(raw) {
                Ok(items) => Given::List(items),
                Err(_) => Given::Unusable("an array"),
            },
            Some(b'{') => Given::Unusable("an object"),
            _ if raw.contains(['.', 'e', 'E']) || raw.parse::<i64>().is_ok() => {
                Given::Text(raw.to_owned())
            }
            _ => Given::Unusable("an integer beyond 64 bits"),
        }
    }
}

impl From<&serde_json::Value> for Given {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Given::Text(text.clone()),
            other => Given::of_json(&other.to_string()),
        }
    }
}
