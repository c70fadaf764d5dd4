//! What can go wrong with a request, and how the caller is told: in the original's words, where it had some.

use edeposit_amqpdaemon::Exception;
use edeposit_ftp::{Error as FtpError, UserName};

/// A request that was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// No user can be called so.
    #[error("Invalid format of username '{0}'!")]
    InvalidName(String),

    /// There is such a user already.
    #[error("User '{0}' is already registered!")]
    AlreadyRegistered(UserName),

    /// There is no such user.
    #[error("Username '{0}' not found!")]
    NotFound(UserName),

    /// There is no such user, whose switches are asked for or to be set.
    #[error("{0}")]
    NoSettings(UserName),

    /// The password is empty or null. So spelt by the original.
    #[error("Password is reqired!")]
    PasswordRequired,

    /// The password is no string.
    #[error("The password must be a string, not {0}.")]
    PasswordType(&'static str),

    /// The password could not be used to log in.
    #[error("The password cannot be used: {0}.")]
    PasswordUnusable(&'static str),

    /// The password could not be hashed.
    #[error("hashing the password: {0}")]
    Hash(String),

    /// The account is gone, but not all of its home.
    #[error(
        "User '{user}' is removed, but not all of the home; remove the rest by hand: {}", .problems.join("; ")
    )]
    HomeLeft {
        /// Whose home.
        user: UserName,
        /// What could not be removed, and why.
        problems: Vec<String>,
    },

    /// The process lacks a right that root has.
    #[error("You have to be root to run function '{function}'.")]
    NotRoot {
        /// The function, as it was called in the original.
        function: &'static str,
        /// What was refused.
        source: FtpError,
    },

    /// The password file or a home cannot be worked with.
    #[error(transparent)]
    Ftp(#[from] FtpError),
}

impl ManagerError {
    /// Tells a lack of rights by the name of the function for which the original demanded root.
    pub(crate) fn in_function(self, function: &'static str) -> Self {
        match self {
            Self::Ftp(source) if source.is_permission() => Self::NotRoot { function, source },
            error => error,
        }
    }
}

impl From<ManagerError> for Exception {
    fn from(error: ManagerError) -> Self {
        let text = error.to_string();
        let exception = match &error {
            ManagerError::NoSettings(user) => Self {
                body: Some(format!("'{user}'")),
                ..Self::key_error(text)
            },
            ManagerError::PasswordType(_) => Self::type_error(text),
            ManagerError::Hash(_) => Self::builtin("RuntimeError", text),
            ManagerError::HomeLeft { .. } => Self::builtin("OSError", text),
            ManagerError::Ftp(_) => Self::builtin("IOError", text),
            _ => Self::assertion_error(text),
        };
        exception.caused_by(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_a_key() {
        let user = UserName::new("argo").unwrap();
        let exception = Exception::from(ManagerError::NoSettings(user));
        assert_eq!(
            (&*exception.name, &*exception.message, exception.body_text()),
            ("KeyError", "argo", "'argo'")
        );
    }
}
