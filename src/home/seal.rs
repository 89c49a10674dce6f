//! Passwords that can be had back, for logins in which the client sends a digest of a random nonce
//! and the password: to check one, the password itself is needed, and no hash of it will do.
//!
//! They are encrypted with a key made of a secret that is not in the store. Who has the store alone
//! has none of the passwords; who has the secret as well has all of them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;

/// How a sealed password begins: the form of what follows.
const FORM: &str = "1:";
/// Goes before the secret, so that its key is of no use elsewhere.
const PURPOSE: &[u8] = b"wvgate: passwords for digest login\0";

/// Seals passwords, and opens them.
pub struct Seal(LessSafeKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Bytes of chance that one sealing needs.
    pub const CHANCE: usize = NONCE_LEN;

    /// With this secret; `None` only if the algorithm cannot be had.
    pub fn new(secret: &str) -> Option<Self> {
        let mut key = digest::Context::new(&digest::SHA256);
        key.update(PURPOSE);
        key.update(secret.as_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.finish().as_ref()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals the password of a user. `chance` must be fresh. `None`: it is too long.
    pub fn seal(&self, user: &str, password: &str, chance: [u8; NONCE_LEN]) -> Option<String> {
        let mut sealed = password.as_bytes().to_vec();
        let nonce = Nonce::assume_unique_for_key(chance);
        let sealing = self
            .0
            .seal_in_place_append_tag(nonce, Aad::from(user), &mut sealed);
        sealing.ok()?;
        let whole = [chance.as_slice(), &sealed].concat();
        Some(format!("{FORM}{}", BASE64.encode(whole)))
    }

    /// The password of a user; `None` if it was sealed with another secret, or for somebody else.
    pub fn open(&self, user: &str, sealed: &str) -> Option<String> {
        let whole = BASE64.decode(sealed.strip_prefix(FORM)?).ok()?;
        let (chance, sealed) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(chance).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(user), &mut sealed);
        String::from_utf8(opened.ok()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_opens_a_password_and_only_for_its_user() {
        let seal = Seal::new("a secret of the node").unwrap();
        let sealed = seal.seal("alice", "hunter2", [7; NONCE_LEN]).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(seal.open("alice", &sealed).as_deref(), Some("hunter2"));
        assert_eq!(seal.open("bob", &sealed), None);
        let other = Seal::new("another secret").unwrap();
        assert_eq!(other.open("alice", &sealed), None);
        for damaged in [
            "",
            "1:",
            "1:AAAA",
            &sealed[..sealed.len() - 4],
            &sealed[1..],
        ] {
            assert_eq!(seal.open("alice", damaged), None, "{damaged}");
        }
        assert_eq!(format!("{seal:?}"), "Seal");
    }

    #[test]
    fn equal_passwords_look_different() {
        let seal = Seal::new("a secret of the node").unwrap();
        let [a, b] = [1, 2].map(|n| seal.seal("alice", "x", [n; NONCE_LEN]).unwrap());
        assert_ne!(a, b);
    }
}
