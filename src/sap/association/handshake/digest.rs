//! Tokens and digests (wire profile, 6.3).

use md5::{Digest as _, Md5};

use crate::imps::primitive::session::{Digest, Token};
use crate::sap::random::Random;
use crate::sap::settings::Secret;

/// A fresh token: 32 lower-case hexadecimal characters, sent as they are.
pub fn new_token(random: &Random) -> Token {
    Token(random.hex(16).into_bytes())
}

/// MD5 over the peer's token and the agreed password (usually empty).
pub fn digest(token: &Token, password: &Secret) -> Digest {
    let mut md5 = Md5::new();
    md5.update(&token.0);
    md5.update(&password.0);
    Digest(md5.finalize().to_vec())
}

/// Whether `given` is the digest over `token`; takes the same time either way.
pub fn verify(given: &Digest, token: &Token, password: &Secret) -> bool {
    let expected = digest(token, password);
    given.0.len() == expected.0.len()
        && given
            .0
            .iter()
            .zip(&expected.0)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::common::encode_base64;

    #[test]
    fn the_digests_of_the_wire_profile_come_out() {
        let none = Secret::default();
        for (token, expected) in [
            (
                "0c9d8e7f6a5b4c3d2e1f00112233aabb",
                "0CZHTmXpvXpcg/OoRRiIdQ==",
            ),
            (
                "5f2b4c7d90a1e3f6887c01d2b3a495e6",
                "qFUPuVfHJ80T/e3dL7Gj9g==",
            ),
        ] {
            let token = Token(token.as_bytes().to_vec());
            assert_eq!(encode_base64(&digest(&token, &none).0), expected);
            assert!(verify(&digest(&token, &none), &token, &none));
            assert!(!verify(
                &digest(&token, &none),
                &token,
                &Secret(b"x".to_vec())
            ));
        }
    }

    #[test]
    fn tokens_are_printable_and_differ() {
        let random = Random::repeatable(1);
        let (a, b) = (new_token(&random), new_token(&random));
        assert_ne!(a, b);
        assert!(a.0.len() == 32 && a.0.iter().all(u8::is_ascii_hexdigit));
    }
}
