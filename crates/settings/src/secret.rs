//! A text that must not get into logs.

use std::fmt;

/// A password. `Debug` and `Display` print `***`; only [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for handing it to the server.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Does the constant of this name hold a secret (and not the path of a file with one)?
pub(crate) fn is_secret(name: &str) -> bool {
    !name.ends_with("_FILE")
        && ["PASSWORD", "SECRET", "TOKEN"]
            .iter()
            .any(|word| name.contains(word))
}

/// The value of the constant of this name as it may be shown to people: `***` for a password, and for an address with a
/// user in it, for a password may be there too.
#[must_use]
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    let is_url = name.ends_with("_URL") || value.contains("://");
    let url_with_user = is_url && value.contains('@');
    if is_secret(name) || url_with_user {
        "***"
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_text() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn secrets_are_known_by_name_or_by_look() {
        assert_eq!(shown("RABBITMQ_USER_PASSWORD", "x"), "***");
        assert_eq!(shown("RABBITMQ_USER_PASSWORD_FILE", "/x"), "/x");
        assert_eq!(shown("RABBITMQ_MANAGEMENT_URL", "http://u:p@h"), "***");
        assert_eq!(shown("ALEPH_URL", "u:p@h"), "***");
        assert_eq!(shown("RABBITMQ_HOST", "h"), "h");
    }
}
