//! Passwords: which can be used, and their hashes in the form of crypt(3), which ProFTPD verifies.

use edeposit_serializers::{Value, python_type};
use sha_crypt::{Algorithm, Params, PasswordHasher, PasswordVerifier, ShaCrypt};

use crate::ManagerError;

/// What makes guessing slow: one login takes some tenths of a second.
const ROUNDS: u32 = 100_000;

/// Twelve bytes are the sixteen characters that crypt(3) takes of a salt.
const SALT: usize = 12;

/// The longest password that libcrypt verifies, bytes.
const LONGEST: usize = 511;

/// The password in a field of a request, if it can be used.
pub(crate) fn check(field: &Value) -> Result<&str, ManagerError> {
    match field {
        Value::Null => Err(ManagerError::PasswordRequired),
        Value::String(text) if text.is_empty() => Err(ManagerError::PasswordRequired),
        Value::String(text) if text.contains(char::is_control) => Err(
            ManagerError::PasswordUnusable("it has a control character, such as a line break"),
        ),
        Value::String(text) if text.len() > LONGEST => {
            Err(ManagerError::PasswordUnusable("it has more than 511 bytes"))
        }
        Value::String(text) => Ok(text),
        other => Err(ManagerError::PasswordType(python_type(other))),
    }
}

/// Hashes a password with SHA-512 and a salt of its own: `$6$rounds=100000$`, salt, `$`, hash. Takes some tenths of a second.
pub(crate) fn hash(password: &str) -> Result<String, ManagerError> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|error| ManagerError::Hash(error.to_string()))?;
    let params = Params::new(ROUNDS).map_err(|error| ManagerError::Hash(error.to_string()))?;
    ShaCrypt::new(Algorithm::Sha512Crypt, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| ManagerError::Hash(error.to_string()))
}

/// Whether a hash made here is that of the password.
pub(crate) fn fits(password: &str, hash: &[u8]) -> bool {
    std::str::from_utf8(hash).is_ok_and(|hash| {
        ShaCrypt::default()
            .verify_password(password.as_bytes(), hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Defect 6: with an empty password anybody could log in, one with a line break was cut.
    #[test]
    fn what_is_no_password() {
        for required in [json!(null), json!("")] {
            assert!(matches!(
                check(&required),
                Err(ManagerError::PasswordRequired)
            ));
        }
        for kind in [json!(1), json!(true), json!(["a"]), json!({})] {
            assert!(matches!(check(&kind), Err(ManagerError::PasswordType(_))));
        }
        for unusable in [
            json!("a\nb"),
            json!("a\0"),
            json!("\u{85}"),
            json!("x".repeat(512)),
        ] {
            let checked = check(&unusable);
            assert!(matches!(checked, Err(ManagerError::PasswordUnusable(_))));
        }
        for good in ["a", " ", "Tajné \"heslo\" č. 1:", &"x".repeat(511)] {
            assert_eq!(check(&json!(good)).unwrap(), good);
        }
    }

    #[test]
    fn hashes_are_salted_and_strong() {
        let (one, other) = (hash("heslo").unwrap(), hash("heslo").unwrap());
        assert_ne!(one, other);
        let parts: Vec<&str> = one.split('$').collect();
        assert_eq!((parts[1], parts[2]), ("6", "rounds=100000"));
        assert_eq!((parts[3].len(), parts[4].len()), (16, 86));
        assert!(fits("heslo", one.as_bytes()) && fits("heslo", other.as_bytes()));
        assert!(!fits("Heslo", one.as_bytes()));
        for foreign in ["", "!", "x", "$1$abc$def", "$6$"] {
            assert!(!fits("", foreign.as_bytes()), "{foreign}");
        }
    }
}
