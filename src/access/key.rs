//! How the node itself names a session.

use std::fmt;

use ring::digest;

/// A hash of the session's id. The id is known to the client alone: neither the store nor a log has
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// Of the session with this id.
    pub(super) fn of(id: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, id.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_ref()[..16]);
        Self(key)
    }

    /// As it stands in the key of a record.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok()?;
        (text.len() == 32).then(|| Self(number.to_be_bytes()))
    }

    /// All of it, for the key of a record.
    pub(super) fn to_hex(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Its beginning, for logs.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..8])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_does_not_show_the_id() {
        let key = Key::of("0123456789abcdef");
        assert_eq!(Key::parse(&key.to_hex()), Some(key));
        assert_eq!(key.to_string().len(), 8);
        assert_ne!(key, Key::of("0123456789abcdee"));
        for other in ["", "xyz", &"f".repeat(33)] {
            assert_eq!(Key::parse(other), None);
        }
    }
}
