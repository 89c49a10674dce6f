//! What peers do that never becomes a message: they speak TLS to a plain port, or send bodies that
//! are too large. They hear it in HTTP, if they listen; here it is told to this node's operator,
//! who would otherwise see a peer that is up and mute.

use std::net::IpAddr;

use crate::sap::association::PeerState;
use crate::sap::element::Time;
use crate::sap::{Count, Peer, Sap};
use crate::text::Shown;

/// A trouble is shown with the peer for so long after it came last: milliseconds; our choice.
const SHOWN: u64 = 600_000;

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
    fn kind(self) -> &'static str {
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
    pub(in crate::sap) too_large: u64,
}

impl Troubles {
    /// In words.
    pub(in crate::sap) fn shown(&self) -> Option<&'static str> {
        self.last.map(|(trouble, _)| trouble.words())
    }

    /// A message has come.
    pub(in crate::sap) fn message_came(&mut self, now: Time) {
        self.last = self
            .last
            .filter(|(trouble, at)| !trouble.ends_with_a_message() && now.since(*at) < SHOWN);
    }
}

impl Sap {
    /// Something came from this address, perhaps with the id of a session in its head, that
    /// never became a message.
    pub fn trouble(
        &mut self,
        trouble: Trouble,
        remote: Option<IpAddr>,
        session: Option<&str>,
        now: Time,
    ) {
        // Anybody can name a session of a peer.
        let may_be = |peer: &&Peer| {
            let state = self.peers.get(&peer.domain);
            peer.is_from(remote) && state.is_some_and(|state| state.may_have_lost(peer, remote))
        };
        let claimed = session
            .and_then(|id| id.split_once('@'))
            .and_then(|(_, domain)| self.settings.peer_of(&domain.to_ascii_lowercase()))
            .filter(may_be)
            .map(|peer| peer.domain.clone());
        let is_there = |state: &PeerState| {
            let mut sessions = state.sessions.iter();
            remote.is_some() && sessions.any(|session| session.record.from == remote)
        };
        let peers: Vec<String> = match claimed {
            Some(peer) => vec![peer],
            None => {
                let there = self.peers.iter().filter(|(_, state)| is_there(state));
                there.map(|(domain, _)| domain.clone()).collect()
            }
        };
        if trouble == Trouble::TooLarge {
            self.count(Count::TooLarge);
        }
        let from = remote.map(|from| from.to_string()).unwrap_or_default();
        let kind = trouble.kind();
        if peers.is_empty()
            && let Some(left_out) = self.quiet.due(kind, now)
        {
            let session = session.unwrap_or_default();
            tracing::warn!(
                remote = from, ssp.session = %Shown(session.split('@').next_back().unwrap_or_default()), left_out,
                "somebody in vain: {}", trouble.words()
            );
        }
        for domain in peers {
            let Some(state) = self.peers.get_mut(&domain) else {
                continue;
            };
            state.troubles.last = Some((trouble, now));
            if trouble == Trouble::TooLarge {
                state.troubles.too_large += 1;
            }
            if let Some(left_out) = state.quiet.due(kind, now) {
                tracing::warn!(
                    ssp.peer = domain,
                    remote = from,
                    left_out,
                    "the peer is not heard: {}",
                    trouble.words()
                );
            }
        }
    }
}
