//! The messages of this submodule, as they are on the wire.
//!
//! | request | answer |
//! |---|---|
//! | [`Request::AddUser`], [`Request::RemoveUser`], [`Request::ChangePassword`] | the bare JSON value `true` |
//! | [`Request::ListRegisteredUsers`] | [`Userlist`] |
//! | [`Request::SetUserSettings`], [`Request::GetUserSettings`] | [`UserSettings`] |
//!
//! Names of types and fields are those of the original and must stay. No field may be left out.

use std::fmt;

use edeposit_ftp::{Switches, UserName};
use edeposit_serializers::Value;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// A request to the daemon.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Make an account and its home.
    AddUser {
        /// See [`UserName`].
        username: String,
        /// A string; what else callers have sent is told apart later.
        password: Value,
    },
    /// Remove an account, its home and all that is in it.
    RemoveUser {
        /// Of the account.
        username: String,
    },
    /// Give an account another password.
    ChangePassword {
        /// Of the account.
        username: String,
        /// As in [`Request::AddUser`].
        new_password: Value,
    },
    /// Tell all names. It has no fields.
    ListRegisteredUsers,
    /// Store a user's switches.
    SetUserSettings(SetUserSettings),
    /// Tell a user's switches.
    GetUserSettings {
        /// Of the account.
        username: String,
    },
}

/// Without passwords.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, username) = match self {
            Self::AddUser { username, .. } => ("AddUser", username.as_str()),
            Self::RemoveUser { username } => ("RemoveUser", username.as_str()),
            Self::ChangePassword { username, .. } => ("ChangePassword", username.as_str()),
            Self::ListRegisteredUsers => ("ListRegisteredUsers", ""),
            Self::SetUserSettings(settings) => ("SetUserSettings", settings.username.as_str()),
            Self::GetUserSettings { username } => ("GetUserSettings", username.as_str()),
        };
        f.debug_tuple(name).field(&username).finish()
    }
}

/// The five switches that are to be stored for a user. `null`, 0 and 1 are taken for false, false and true; strings are
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_snake_case, reason = "names on the wire")]
pub struct SetUserSettings {
    /// Of the account.
    pub username: String,
    /// See [`Switches::same_name_dir_pairing`].
    #[serde(deserialize_with = "switch")]
    pub SAME_NAME_DIR_PAIRING: bool,
    /// See [`Switches::same_dir_pairing`].
    #[serde(deserialize_with = "switch")]
    pub SAME_DIR_PAIRING: bool,
    /// See [`Switches::isbn_pairing`].
    #[serde(deserialize_with = "switch")]
    pub ISBN_PAIRING: bool,
    /// See [`Switches::create_import_log`].
    #[serde(deserialize_with = "switch")]
    pub CREATE_IMPORT_LOG: bool,
    /// See [`Switches::leave_bad_files`].
    #[serde(deserialize_with = "switch")]
    pub LEAVE_BAD_FILES: bool,
}

impl SetUserSettings {
    /// The switches.
    #[must_use]
    pub fn switches(&self) -> Switches {
        Switches {
            same_name_dir_pairing: self.SAME_NAME_DIR_PAIRING,
            same_dir_pairing: self.SAME_DIR_PAIRING,
            isbn_pairing: self.ISBN_PAIRING,
            create_import_log: self.CREATE_IMPORT_LOG,
            leave_bad_files: self.LEAVE_BAD_FILES,
        }
    }
}

/// Reads a switch; a missing one stays an error.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Switch;

    impl Visitor<'_> for Switch {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true, false, 1, 0 or null")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
            match value {
                0 | 1 => Ok(value == 1),
                _ => Err(E::invalid_type(Unexpected::Unsigned(value), &self)),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<bool, E> {
            Ok(false)
        }
    }

    deserializer.deserialize_any(Switch)
}

/// Answer to [`Request::ListRegisteredUsers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Userlist {
    /// All names of the password file, sorted by their bytes.
    pub users: Vec<String>,
}

/// Answer to [`Request::SetUserSettings`] and [`Request::GetUserSettings`]: what is stored for the user; for a switch that
/// is not, its global value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_snake_case, reason = "names on the wire")]
pub struct UserSettings {
    /// As in the request.
    pub username: String,
    /// See [`Switches::same_name_dir_pairing`].
    pub SAME_NAME_DIR_PAIRING: bool,
    /// See [`Switches::same_dir_pairing`].
    pub SAME_DIR_PAIRING: bool,
    /// See [`Switches::isbn_pairing`].
    pub ISBN_PAIRING: bool,
    /// See [`Switches::create_import_log`].
    pub CREATE_IMPORT_LOG: bool,
    /// See [`Switches::leave_bad_files`].
    pub LEAVE_BAD_FILES: bool,
}

impl UserSettings {
    pub(crate) fn new(user: &UserName, switches: Switches) -> Self {
        Self {
            username: user.to_string(),
            SAME_NAME_DIR_PAIRING: switches.same_name_dir_pairing,
            SAME_DIR_PAIRING: switches.same_dir_pairing,
            ISBN_PAIRING: switches.isbn_pairing,
            CREATE_IMPORT_LOG: switches.create_import_log,
            LEAVE_BAD_FILES: switches.leave_bad_files,
        }
    }
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Response {
    /// Done: always true.
    Done(bool),
    /// See [`Userlist`].
    Userlist(Userlist),
    /// See [`UserSettings`].
    UserSettings(UserSettings),
}
