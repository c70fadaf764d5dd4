//! Reading one settings file: JSON in, names with usable values out.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::Error;
use crate::given::Given;

/// The members of the file's object, in its order; `None` if it holds no object.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<(String, Given)>>, Error> {
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing { path: path.into() },
        _ => Error::Read {
            path: path.into(),
            source,
        },
    })?;
    let syntax = |e: serde_json::Error| {
        // Skipping over raw text tells less of a mistake than parsing it: ask again.
        let e = serde_json::from_slice::<serde_json::Value>(&bytes)
            .err()
            .unwrap_or(e);
        Error::Syntax {
            path: path.into(),
            line: e.line(),
            column: e.column(),
            reason: without_place(&e.to_string()),
        }
    };
    // Raw values keep numbers as they were written: parsed, an integer beyond 64 bits would
    // pass for a float.
    let whole: &RawValue = serde_json::from_slice(&bytes).map_err(syntax)?;
    if !whole.get().starts_with('{') {
        return Ok(None);
    }
    let members: IndexMap<String, &RawValue> = serde_json::from_slice(&bytes).map_err(syntax)?;
    Ok(Some(
        members
            .into_iter()
            .map(|(name, raw)| (name, Given::of_json(raw.get())))
            .collect(),
    ))
}

/// serde_json's message without its own "at line 1 column 2", which the error tells by itself.
fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

/// If users other than the owner can change the file, or read the password in it: the warning, with the command that
/// mends it.
pub(crate) fn open_to_others(path: &Path, holds_password: bool) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let readable = holds_password && metadata.mode() & 0o044 != 0;
    let writable = metadata.mode() & 0o022 != 0;
    let problem = match (readable, writable) {
        (true, true) => "holds a password and other users can read and change it",
        (true, false) => "holds a password and other users can read it",
        (false, true) => "can be changed by other users",
        (false, false) => return None,
    };
    let mode = if holds_password { "600" } else { "go-w" };
    let path = path.display();
    let me = rustix::process::geteuid().as_raw();
    // Taking the right to read from a file of somebody else would lock us out as well.
    let command = if me == 0 || me == metadata.uid() {
        format!("chmod {mode} {path}")
    } else {
        format!("chown {me} {path} && chmod {mode} {path}")
    };
    Some(format!("{path} {problem}: run {command}"))
}
