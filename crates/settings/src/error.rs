//! What can be wrong with settings, told so that the operator knows which line to mend.

use std::path::PathBuf;

use crate::Origin;

/// An error in the settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file was named explicitly, but there is none.
    #[error("settings file {} does not exist", path.display())]
    Missing {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// The file is there but cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no JSON.
    #[error("{}, line {line}, column {column}: no valid JSON: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// The file of a submodule's own settings is JSON, but no object.
    #[error("{} holds no JSON object; write {{\"NAME\": value, ...}}", path.display())]
    NoObject {
        /// The file.
        path: PathBuf,
    },
    /// A constant has a value that does not do for its purpose.
    #[error("{}: {problem}", origin.place(name))]
    Value {
        /// The constant.
        name: String,
        /// Where its value comes from.
        origin: Origin,
        /// The value and what is wrong with it.
        problem: String,
    },
    /// A program asked for a constant that its table does not have.
    #[error("there is no constant {name}")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// A name from which no `RABBITMQ_<X>_...` constants can be made.
    #[error("'{name}' is no name of a submodule: use letters, digits and '_', a letter first")]
    SubmoduleName {
        /// The name.
        name: String,
    },
    /// Requests and answers of a submodule would end in the same place.
    #[error(
        "submodule {submodule}: input and output {what} are both '{value}'; \
         change {input} or {output}"
    )]
    Same {
        /// The submodule.
        submodule: String,
        /// `queue` or `key`.
        what: &'static str,
        /// The common value.
        value: String,
        /// The constant of the input side.
        input: String,
        /// The constant of the output side.
        output: String,
    },
}
