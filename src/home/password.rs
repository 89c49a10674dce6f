//! Password hashes: argon2id in PHC strings.
//!
//! Both functions cost tens of milliseconds of processor time and some 19 MiB; call them on a
//! thread that may block.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};

/// Bytes of a hash. Our choice.
const MAX_HASH: usize = 512;

/// The password cannot be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct PasswordError(String);

/// The PHC string (`$argon2id$v=19$…`) of a password.
///
/// # Errors
/// The password is longer than argon2 can take (4 GiB).
pub fn hash(password: &str, salt: &[u8; 16]) -> Result<String, PasswordError> {
    let failed = |error: argon2::password_hash::Error| PasswordError(error.to_string());
    let salt = SaltString::encode_b64(salt).map_err(failed)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of which `hash` was made. A string that is no hash fits none.
pub fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether a text is the hash of a password that [`verify`] can use.
pub fn is_hash(text: &str) -> bool {
    let hash = PasswordHash::new(text);
    text.len() <= MAX_HASH
        && hash
            .is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2") && hash.hash.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits_its_hash() {
        let hash = hash("correct horse", &[7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(verify("correct horse", &hash));
        assert!(!verify("wrong horse", &hash));
        assert!(!verify("", &hash));
        assert!(!verify("correct horse", "not a hash"));
    }

    #[test]
    fn the_salt_makes_equal_passwords_differ() {
        assert_ne!(hash("x", &[1; 16]).unwrap(), hash("x", &[2; 16]).unwrap());
    }
}
