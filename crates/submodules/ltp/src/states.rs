//! The archive reports by renaming a package's directory: `complete_ID` becomes `done_ID`, `error_ID` or the like. What
//! stands around the id is the *state*.

use std::cmp::Reverse;

use crate::LtpError;
use crate::book_id::BookId;
use crate::dir::Dir;
use crate::messages::TrackingResponse;

/// States, but for case and an underscore before or after, that mean that the archive has the package.
const SUCCESS: [&str; 3] = ["ok", "success", "done"];

/// What the name of a directory says of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    text: String,
    rank: Rank,
}

/// Which of several states counts: the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The name is the bare id.
    None,
    /// The prefix of the settings: not fetched yet.
    Delivered,
    /// Whatever else the archive reports.
    Reported,
    Success,
}

impl State {
    /// The state of the book `id` if this is the name of a package of it.
    ///
    /// A UUID is unmistakable, and anything may stand around it. Another id could be part of a longer one: before and
    /// after it may stand nothing, the prefix of the settings, a word of success, or anything with an underscore between.
    pub fn of(name: &str, id: &BookId, export_prefix: &str) -> Option<Self> {
        if name.starts_with('.') {
            return None;
        }
        let known = |text: &str| text.is_empty() || text == export_prefix || is_success(text);
        name.match_indices(id.as_str()).find(|(start, matched)| {
            let before = &name[..*start];
            let after = &name[start + matched.len()..];
            id.is_uuid()
                || ((known(before) || before.ends_with('_'))
                    && (known(after) || after.starts_with('_')))
        })?;
        let text = name.replace(id.as_str(), "");
        let rank = match text.as_str() {
            text if is_success(text) => Rank::Success,
            "" => Rank::None,
            text if text == export_prefix => Rank::Delivered,
            _ => Rank::Reported,
        };
        Some(Self { text, rank })
    }
}

/// Whether a state means that the archive has taken the package over.
pub(crate) fn is_success(state: &str) -> bool {
    let state = state.strip_prefix('_').unwrap_or(state);
    let state = state.strip_suffix('_').unwrap_or(state);
    SUCCESS.iter().any(|word| state.eq_ignore_ascii_case(word))
}

/// Whose package a directory is, by the info file in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This book's.
    This,
    /// Another book's, whose id has this one's in it.
    Other,
    /// There is no info file.
    Unknown,
}

/// Looks for an info file.
pub(crate) fn owner(export: &Dir, name: &str, id: &BookId) -> Owner {
    let Ok(dir) = export.sub(name) else {
        return Owner::Unknown;
    };
    if dir.identity(&format!("info_{id}.xml")).is_some() {
        return Owner::This;
    }
    let is_info = |name: &String| name.starts_with("info_") && name.ends_with(".xml");
    match dir.names() {
        Ok(names) if names.iter().any(is_info) => Owner::Other,
        _ => Owner::Unknown,
    }
}

/// The state of a book.
pub(crate) fn track(
    export: &Dir,
    id: &BookId,
    export_prefix: &str,
) -> Result<TrackingResponse, LtpError> {
    // A name that changes while a directory is read may be missed.
    let mut found = None;
    for _ in 0..3 {
        found = current(export, id, export_prefix)?;
        if found.is_some() {
            break;
        }
    }
    let state = found.ok_or_else(|| LtpError::NotFound(id.to_string()))?;
    Ok(TrackingResponse {
        book_id: id.to_string(),
        exported: state.rank == Rank::Success,
        error: state.text,
    })
}

fn current(export: &Dir, id: &BookId, export_prefix: &str) -> Result<Option<State>, LtpError> {
    let states = export
        .names()?
        .into_iter()
        .filter_map(|name| Some((State::of(&name, id, export_prefix)?, name)))
        .filter(|(_, name)| export.is_directory(name) && owner(export, name, id) != Owner::Other);
    // Of several with the same rank always the same one.
    Ok(states
        .max_by_key(|(state, name)| (state.rank, Reverse(name.clone())))
        .map(|(state, _)| state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "6f1c2d34-5e67-4a89-9b01-23456789abcd";

    fn of(name: &str, id: &str) -> Option<(String, bool)> {
        State::of(name, &BookId::new(id).unwrap(), "complete_")
            .map(|state| (state.text, state.rank == Rank::Success))
    }

    /// Defect 9: `U_ok` was no success.
    #[test]
    fn states_of_names() {
        for (name, exported, text) in [
            ("U", false, ""),
            ("complete_U", false, "complete_"),
            ("done_U", true, "done_"),
            ("Ok_U", true, "Ok_"),
            ("successU", true, "success"),
            ("U_ok", true, "_ok"),
            ("U_DONE", true, "_DONE"),
            ("error_U", false, "error_"),
            ("anything_U", false, "anything_"),
            ("errorU", false, "error"),
            ("notdone_U", false, "notdone_"),
            ("done_U_U", true, "done__"),
        ] {
            let expected = (text.to_owned(), exported && text != "done__");
            assert_eq!(of(&name.replace('U', U), U), Some(expected), "{name}");
        }
        assert_eq!(of(&format!(".tmp-12345678-{U}"), U), None);
        assert_eq!(of("done_", U), None);
    }

    /// Defect 8: `1` matched every name with a 1.
    #[test]
    fn an_id_in_another_one() {
        for name in ["complete_21", "done_12", "1a", "a1", "complete_1.2"] {
            assert_eq!(of(name, "1"), None, "{name}");
        }
        for name in [
            "complete_1",
            "1",
            "done_1",
            "success1",
            "1_ok",
            "x_1",
            "1done",
        ] {
            assert!(of(name, "1").is_some(), "{name}");
        }
    }
}
