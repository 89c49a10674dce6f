//! What the state machines of both roles say (wire profile, 6).

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::primitive::session::RedirectAddress;
use crate::sap::association::record::SessionRecord;
use crate::sap::settings::Peer;
use crate::ssp::Mode;

/// A setup message to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which step of the six, for the log.
    pub number: u8,
    /// Mode of the `SetupTransaction`.
    pub mode: Mode,
    /// Its transaction id.
    pub id: String,
    /// The setup primitive.
    pub primitive: Primitive,
    /// When it is posted, at the earliest.
    pub at: Time,
}

/// Whether a session id is of another domain than the peer's: it is found by that
/// (wire profile, 5.3). One without domain is nobody's.
pub(super) fn is_foreign(peer: &Peer, id: &str) -> bool {
    let domain = id.split_once('@').map_or("", |(_, domain)| domain);
    let domain = domain.to_ascii_lowercase();
    !domain.is_empty() && !peer.is(&domain) && peer.real() != domain
}

/// What a handshake wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing; wait for the peer.
    Wait,
    /// The peer is to get this, and the handshake waits for its answer.
    Send(Step),
    /// The session stands and may be used for receiving; for sending too, unless
    /// a step is still to be posted.
    Established(SessionRecord, Option<Step>),
    /// Over, for this reason. A step may tell the peer.
    Failed(Failure, Option<Step>),
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer's digest is not over our token.
    #[error("the peer's digest is wrong: it did not get our token, or the passwords differ")]
    Digest,
    /// The peer said no.
    #[error("the peer refused the login with status {code}")]
    Refused {
        /// The status that the peer gave.
        code: crate::imps::Code,
        /// Where to go instead.
        redirects: Vec<RedirectAddress>,
    },
    /// No acknowledgement after all repetitions.
    #[error("step {step} was not acknowledged: {why}")]
    NotAcknowledged {
        /// Number of the step, from 1.
        step: u8,
        /// What happened to the last try.
        why: String,
    },
    /// No progress within the time for a handshake.
    #[error("no answer from the peer within the time for a handshake")]
    TimedOut,
    /// The id that the peer issued would be somebody else's.
    #[error("the session id that the peer issued is of another domain")]
    ForeignSession,
    /// Something the role does not allow at this point.
    #[error("the peer broke the order of steps: {0}")]
    Misbehaved(&'static str),
}
