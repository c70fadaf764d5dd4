//! How a reply is written: the prolog with blanks round `=`, each element on a line of its own, no indentation, and a
//! fresh session number at the end.

const PROLOG: &str = "<?xml version = \"1.0\" encoding = \"UTF-8\"?>";
const SESSION_LENGTH: usize = 50;

/// A reply in the making.
pub(super) struct Reply {
    text: String,
    root: &'static str,
}

impl Reply {
    pub(super) fn new(root: &'static str) -> Self {
        Self {
            text: format!("{PROLOG}\n<{root}>\n"),
            root,
        }
    }

    /// `<name>value</name>`, the value escaped.
    pub(super) fn element(self, name: &str, value: &str) -> Self {
        let value = escape(value);
        self.raw(&format!("<{name}>{value}</{name}>"))
    }

    /// One or more lines as they are.
    pub(super) fn raw(mut self, lines: &str) -> Self {
        self.text += lines;
        self.text.push('\n');
        self
    }

    pub(super) fn finish(self) -> String {
        let root = self.root;
        let session: String = (0..SESSION_LENGTH)
            .map(|_| {
                const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
                char::from(LETTERS[fastrand::usize(..LETTERS.len())])
            })
            .collect();
        let mut text = self.element("session-id", &session).text;
        text += &format!("</{root}>\n");
        text
    }

    /// The reply that tells of an error.
    pub(super) fn error(root: &'static str, text: &str) -> String {
        Self::new(root).element("error", text).finish()
    }
}

/// Escapes text for element content and attribute values.
pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
