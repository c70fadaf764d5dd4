//! What a setting comes to: its value, where that is from, what it means.

use serde::Serialize;

use crate::{Origin, Setting};

/// A setting as it is in force, for showing it to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Its name.
    pub name: String,
    /// Its value; `***` for a secret. A value that means "as something else says" is empty or 0, as it was set.
    pub value: String,
    /// Where the value comes from. JSON has it as text.
    pub origin: Origin,
    /// What its number counts ("bytes"); empty if it has none.
    pub unit: &'static str,
    /// What it means, in Markdown.
    pub meaning: &'static str,
}

impl Effective {
    pub(crate) fn new(name: &str, value: &str, origin: Origin, setting: &Setting) -> Self {
        Self {
            name: name.to_owned(),
            // Nothing is hidden where there is nothing.
            value: match value {
                "" => String::new(),
                value => setting.shown(value).into_owned(),
            },
            origin,
            unit: setting.unit,
            meaning: setting.meaning,
        }
    }
}
