//! How an e-book's bytes become a JSON string.

/// How an e-book's bytes become a JSON string (`EBOOK_ENCODING`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EbookEncoding {
    /// Always base64.
    Base64,
    /// As they are, if they are UTF-8: the original's form.
    Text,
}

impl EbookEncoding {
    /// As it is written in the settings and in the header `ebook_encoding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Text => "text",
        }
    }
}
