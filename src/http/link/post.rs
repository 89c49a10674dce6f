//! What a link is given to send, and what it tells of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::http::endpoint::Endpoint;

/// One message to send.
#[derive(Clone, Debug)]
pub struct Post {
    /// The owner's name for it; comes back in [`Posted`].
    pub id: u64,
    /// The whole body. Empty: a connection is tried, and nothing is sent.
    pub body: Bytes,
    /// Further headers: `x-wv-sessionid`, `x-wv-transactionid`. One whose value cannot stand in
    /// a header is left out, since no receiver may rely on them (wire profile, 2.1).
    pub headers: Vec<(&'static str, String)>,
    /// The peer's configured address, or the one that it named.
    pub target: Target,
}

/// Where a POST goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The peer's configured URLs, or what SRV says.
    Usual,
    /// Exactly this URL: a session's remembered one, or a redirect's. Plain http only if the
    /// settings allow it or the same origin is configured.
    Url(String),
}

/// What became of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostOutcome {
    /// A 2xx: the peer has it.
    Acknowledged,
    /// Another status, or a redirect that is not followed.
    Refused {
        /// The HTTP status, anything but 2xx.
        status: u16,
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The request was written, or part of it, and the connection closed without an answer. The
    /// peer may or may not have the message.
    Closed,
    /// No candidate could be reached; the peer does not have the message.
    Unreachable {
        /// For each candidate the step that failed (dns, connect, tls, http) and its causes.
        reason: String,
    },
    /// No answer in time. The peer may or may not have the message.
    TimedOut,
}

/// The report about one POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The POST's id.
    pub id: u64,
    /// What became of it.
    pub outcome: PostOutcome,
    /// Where it was acknowledged.
    pub at: Option<Arc<Endpoint>>,
}

impl Posted {
    /// The URL that acknowledged.
    pub fn url(&self) -> Option<String> {
        Some(self.at.as_ref()?.to_string())
    }
}
