//! What is kept of a user's password.

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// As a PHC string: algorithm, parameters, salt, hash ([`super::password::hash`]).
    pub hash: String,
    /// Encrypted, so that a digest of it can be checked ([`super::Seal::seal`]). Absent: no digest
    /// can.
    pub sealed: Option<String>,
}

/// Without either.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// A hash alone.
impl From<String> for Credentials {
    fn from(hash: String) -> Self {
        Self { hash, sealed: None }
    }
}
