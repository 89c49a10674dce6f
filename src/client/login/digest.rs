//! Digests of a nonce and a password: base64(H(nonce ‖ password)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use sha1::Sha1;

/// A way to hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Schema {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha,
}

impl Schema {
    /// Of those that a client knows. MD5 comes first: some clients always compute it, whatever they
    /// are asked for. A client that names none is taken to know it.
    pub fn choose(names: &[String]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        if names.is_empty() || has("MD5") {
            Some(Self::Md5)
        } else {
            has("SHA").then_some(Self::Sha)
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha => "SHA",
        }
    }

    /// The digest of a password; the bytes of its text are given.
    fn digest(self, nonce: &str, password: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => {
                let hash = Md5::new().chain_update(nonce).chain_update(password);
                hash.finalize().to_vec()
            }
            Self::Sha => {
                let hash = Sha1::new().chain_update(nonce).chain_update(password);
                hash.finalize().to_vec()
            }
        }
    }

    /// Whether this is the digest, in base64, of a password, in UTF-8 or ISO 8859-1. It takes the
    /// same time either way.
    pub fn is_digest(self, given: &str, nonce: &str, password: &str) -> bool {
        let Ok(given) = BASE64.decode(given.trim()) else {
            return false;
        };
        let latin: Option<Vec<u8>> = password.chars().map(|c| u8::try_from(c).ok()).collect();
        let forms = [Some(password.as_bytes().to_vec()), latin];
        let same = |form: Vec<u8>| {
            let expected = self.digest(nonce, &form);
            let differences = given.iter().zip(&expected);
            let different = differences.fold(0, |all, (a, b)| all | (a ^ b));
            given.len() == expected.len() && different == 0
        };
        forms
            .into_iter()
            .flatten()
            .fold(false, |any, form| any | same(form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_come_out_as_known() {
        // MD5("abc"), SHA-1("abc") of RFC 1321 and FIPS 180.
        for (schema, digest) in [
            (Schema::Md5, "kAFQmDzST7DWlj99KOF/cg=="),
            (Schema::Sha, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        ] {
            assert!(schema.is_digest(digest, "a", "bc"));
            assert!(!schema.is_digest(digest, "a", "bd"));
            assert!(!schema.is_digest(&digest[..8], "a", "bc"));
            assert!(!schema.is_digest("", "a", "bc"));
            assert!(!schema.is_digest("no base64", "a", "bc"));
        }
    }

    #[test]
    fn a_password_is_taken_in_both_forms_of_its_letters() {
        let of = |bytes: &[u8]| BASE64.encode(Schema::Md5.digest("n", bytes));
        let is = |digest: &str| Schema::Md5.is_digest(digest, "n", "grün");
        assert!(is(&of("grün".as_bytes())));
        assert!(is(&of(b"gr\xfcn")));
        assert!(!is(&of(b"grun")));
    }

    #[test]
    fn md5_is_chosen_before_sha_and_nothing_else_is() {
        let choose = |names: &[&str]| {
            Schema::choose(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(choose(&["PWD", "SHA", "MD4", "md5"]), Some(Schema::Md5));
        assert_eq!(choose(&["SHA"]), Some(Schema::Sha));
        assert_eq!(choose(&["PWD", "MD4"]), None);
        assert_eq!(choose(&[]), Some(Schema::Md5));
    }
}
