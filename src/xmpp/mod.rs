//! XMPP's transport: a connection to an XMPP server as an external component (XEP-0114).
//!
//! ```text
//!            Outgoing ──▶ ┌────────────┐ ──▶ bytes ──▶
//!   owner                 │ link       │              XMPP server (Prosody, ejabberd, ...)
//!           LinkEvent ◀── │ (per domain)│ ◀── bytes ◀──
//!                         └────────────┘
//! ```
//!
//! [`link`] keeps one connection per domain alive; [`text`] turns a single stanza into text and
//! back. Below them, [`element`] and [`stream`] are the pure half: bytes in, stanzas out.
//!
//! # Why the stream is read here and not by `tokio_xmpp::xmlstream`
//!
//! The gateway must not lose its connection because of what a remote user sends. The ready-made
//! stream reader ends the connection on an unknown top-level element and on any attribute longer
//! than 8 KiB, sets no bound on the size of a stanza and none on its depth (a deeply nested
//! stanza overflows the stack when it is dropped), and ties reading and writing together. So this
//! module drives the XML parser itself and takes only the typed stanzas from the libraries.
//!
//! # Logging
//!
//! Nothing here logs bodies or secrets. Should some other part use `tokio_xmpp` streams, cap
//! that target at `debug`: at `trace` it prints whole stanzas and the handshake.

pub mod element;
pub mod lenient;
pub mod link;
pub mod stream;
pub mod text;

mod connection;
mod names;
mod reply;
mod siblings;
#[cfg(test)]
mod sizes_tests;

use std::fmt;

/// A shared secret whose `Debug` shows nothing, so that it cannot slip into a log line.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the secret as it stands in the configuration.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for computing the handshake.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
