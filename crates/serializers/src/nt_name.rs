//! The member of a JSON object that says which record it is.

/// The member that names a record's type.
pub const NT_NAME: &str = "__nt_name";
