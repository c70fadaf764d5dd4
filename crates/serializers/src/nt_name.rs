//! Where the JSON says what a record is.

/// The member that names a record's type.
pub const NT_NAME: &str = "__nt_name";
