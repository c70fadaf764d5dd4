//! Reading one settings file: JSON in, names with usable values out.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::{Default, Error};

/// A value as found, before anyone has asked whether its name is known.
pub(crate) enum Given {
    /// A string, or a number as it was written.
    Text(String),
    /// `true` or `false`: usable for a flag only.
    Flag(bool),
    /// An array of strings: usable for a list only.
    List(Vec<String>),
    /// Something that cannot be a setting, in words ("a boolean").
    Unusable(&'static str),
}

impl Given {
    /// What it is worth for a constant with this default.
    pub fn fit(self, default: Option<&Default>) -> Given {
        match (self, default) {
            (Given::Flag(flag), Some(Default::Flag(_))) => Given::Text(u8::from(flag).to_string()),
            (Given::Flag(_), _) => Given::Unusable("a boolean (write 1 or 0)"),
            (Given::List(items), Some(Default::List)) => Given::Text(items.join(",")),
            (Given::List(_), _) => Given::Unusable("an array"),
            (given, _) => given,
        }
    }
}

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
            .map(|(name, raw)| (name, given(raw.get())))
            .collect(),
    ))
}

/// What a piece of JSON text is worth as a setting.
fn given(raw: &str) -> Given {
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

impl From<&serde_json::Value> for Given {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Given::Text(text.clone()),
            other => given(&other.to_string()),
        }
    }
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
