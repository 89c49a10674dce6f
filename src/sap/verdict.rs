//! A message as the transport hands it over, and what the transport is to answer.

use std::net::IpAddr;
use std::time::Duration;

/// The HTTP answer to a POST, with an empty body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 200: the message is taken over.
    Accepted,
    /// 400: the body is not an SSP message.
    Malformed,
    /// 403: unknown session, or no peer of ours.
    Forbidden,
    /// 503, with the time after which to come again.
    Busy(Option<Duration>),
}

/// What the transport knows of a message.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// DNS names of a verified client certificate.
    pub client_names: Vec<String>,
    /// The host that the peer posted to, as it says.
    pub host: Option<String>,
    /// Repairs that were needed to read it.
    pub repairs: Vec<String>,
    /// The address it came from.
    pub remote: Option<IpAddr>,
    /// Its size in bytes.
    pub bytes: usize,
}
