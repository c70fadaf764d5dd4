//! Paths and queries of the requests, to the letter as the original sent them.
//!
//! It encoded nothing but the phrase, so that a base with an `&` in it could add parameters. Here every value from
//! outside is encoded; for the values in use that makes no difference.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what Python's `quote_plus` leaves alone.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

fn form(value: &str) -> String {
    utf8_percent_encode(value, FORM)
        .to_string()
        .replace("%20", "+")
}

pub(super) fn find(base: &str, index: &str, phrase: &str) -> String {
    format!(
        "/X?op=find&request={index}={}&base={}",
        form(phrase),
        form(base)
    )
}

pub(super) fn present(set: u64, entry: u64) -> String {
    format!("/X?op=present&set_number={set:06}&set_entry={entry}")
}

pub(super) fn find_doc(doc_id: &str, library: &str) -> String {
    format!("/X?op=find_doc&doc_num={doc_id}&base={}", form(library))
}

pub(super) fn ill_get_set(set: u64, count: u64) -> String {
    format!("/X?op=ill_get_set&set_number={set:06}&start_point=1&no_docs={count}")
}

pub(super) fn ill_get_doc(doc_id: &str, library: &str) -> String {
    format!(
        "/X?op=ill_get_doc&doc_number={doc_id}&library={}",
        form(library)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(
            find("nkc&op=x", "wtl", "a&b=c ~*_.-/é"),
            "/X?op=find&request=wtl=a%26b%3Dc+%7E%2A_.-%2F%C3%A9&base=nkc%26op%3Dx"
        );
        assert_eq!(
            find_doc("1", "A#?"),
            "/X?op=find_doc&doc_num=1&base=A%23%3F"
        );
        assert_eq!(
            ill_get_doc("1", "A B"),
            "/X?op=ill_get_doc&doc_number=1&library=A+B"
        );
    }

    #[test]
    fn sets_are_padded_and_entries_are_not() {
        assert_eq!(
            present(42, 3),
            "/X?op=present&set_number=000042&set_entry=3"
        );
        assert_eq!(
            present(1_234_567, 3),
            "/X?op=present&set_number=1234567&set_entry=3"
        );
        assert_eq!(
            ill_get_set(16513, 9),
            "/X?op=ill_get_set&set_number=016513&start_point=1&no_docs=9"
        );
    }
}
