//! What peers do that never becomes a message: they speak TLS to a plain port, or send bodies that
//! are too large. They hear it in HTTP, if they listen; here it is told to this node's operator,
//! who would otherwise see a peer that is up and mute.

use std::time::Duration;

use crate::element::Time;

/// A trouble is shown with the peer for so long after it came last; our choice.
const SHOWN: Duration = Duration::from_secs(600);

/// Something that never became a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A `ClientHello` on a port without TLS.
    TlsOnPlain,
    /// Plain HTTP on a port that serves TLS only.
    PlainOnTls,
    /// A body above `ssp.max_message`.
    TooLarge,
}

impl Trouble {
    /// What the log calls it.
    pub(in crate::sap) fn kind(self) -> &'static str {
        match self {
            Self::TlsOnPlain => "tls on plain",
            Self::PlainOnTls => "plain on tls",
            Self::TooLarge => "too large",
        }
    }

    /// In words, with the remedy.
    pub fn words(self) -> &'static str {
        match self {
            Self::TlsOnPlain => {
                "it speaks TLS to our port, which serves plain HTTP only: its URL for us must be \
                 http, or ours needs a certificate"
            }
            Self::PlainOnTls => {
                "it speaks plain HTTP to our port, which serves TLS only: its URL for us must be \
                 https, or ssp.plain = true"
            }
            Self::TooLarge => {
                "it sent a body above ssp.max_message, which was refused with HTTP 413: raise \
                 max_message, or its sender will repeat it until it expires"
            }
        }
    }

    /// Whether a message that does come shows that it is over.
    fn ends_with_a_message(self) -> bool {
        self != Self::TooLarge
    }
}

/// The last trouble with a peer.
#[derive(Debug, Default)]
pub(in crate::sap) struct Troubles {
    last: Option<(Trouble, Time)>,
    /// Bodies that were too large, since the start.
    too_large: u64,
}

impl Troubles {
    /// Notes one more trouble with the peer.
    pub(super) fn note(&mut self, trouble: Trouble, now: Time) {
        self.last = Some((trouble, now));
        self.too_large += u64::from(trouble == Trouble::TooLarge);
    }

    /// Bodies that were too large, since the start.
    pub(super) fn too_large(&self) -> u64 {
        self.too_large
    }

    /// The trouble in words, if there is any.
    pub(in crate::sap) fn shown(&self) -> Option<&'static str> {
        self.last.map(|(trouble, _)| trouble.words())
    }

    /// A message has come.
    pub(in crate::sap) fn message_came(&mut self, now: Time) {
        self.last = self
            .last
            .filter(|(trouble, at)| !trouble.ends_with_a_message() && now.after(*at) < SHOWN);
    }
}
