//! SSP's transport: HTTP/1.1 over TCP, with or without TLS.
//!
//! This floor knows bytes only. A POST body goes up as [`server::Inbound`], the floor above gives
//! a [`server::Verdict`]; a [`link::Post`] comes down, and its fate goes up as [`link::Posted`].
//! Nothing here parses SSP, and an HTTP answer never carries any: it only acknowledges
//! (wire profile, 2.2). The two directions are independent of each other (2.3), so the server and
//! the links share nothing but the TLS material. What is served on another listener
//! ([`exchange::Answers`]) has the same bounds on connections.
//!
//! ```text
//!  peer ──TCP/TLS──▶ server ──Inbound──▶ Receiver         (what peers send to us)
//!  peer ◀──TCP/TLS── link   ◀──Post────  owner            (what we send to one peer)
//!                      │ dial: SRV, connect, TLS
//!                      └──Posted──▶ owner
//! ```

mod answer;
pub mod ask;
mod body;
pub mod chain;
mod conn;
pub mod devcerts;
mod dial;
pub mod endpoint;
pub mod exchange;
pub mod fetch;
mod fields;
pub mod hold;
pub mod known;
pub mod link;
pub(crate) mod places;
mod posts;
pub mod server;
pub mod shown;
pub mod srv;
mod stream;
pub mod tls;
mod trust;
pub mod upload;
mod watch;

/// The media type of every SSP message. Taken in any case and with any parameters; sent without
/// (wire profile, 2.1).
pub const CONTENT_TYPE: &str = "application/vnd.wv.ssp+xml";

/// An open connection that nobody uses gives back the buffers of HTTP after so long; our choice, much
/// longer than the pauses of a peer that is busy.
pub const REST_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Joins an error and all of its causes to one line, leaving out a cause whose words were said
/// already.
pub(crate) fn cause_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
