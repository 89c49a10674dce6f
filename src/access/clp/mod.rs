//! Text sessions: the command line protocol (CLP), for phones that have only text.
//!
//! The language is that of [`line`](super::line), as in `wvgate chat`. It comes over a connection of
//! its own, plain or over TLS ([`connection`]), or in short messages, by the HTTP interface of a
//! gateway to which the operator has given a secret ([`desk`]). Either way a session is a client of
//! its user like any other.
//!
//! ```text
//!   terminal ──lines──▶ connection ──┐
//!                                    ├──▶ talk ──▶ seat ──▶ the user's domain
//!   phone ──SMS──▶ gateway ──GET──▶ desk ──▶ conversation ──┘
//!         ◀──SMS── gateway ◀──GET── outbox ◀───┘
//! ```
//!
//! What a user is told is acknowledged when it was written to the connection, or taken by the gateway,
//! and not before: what is not acknowledged comes again, in the next session of the user.

mod connection;
mod conversation;
mod desk;
mod incoming;
mod listener;
mod outbox;
mod pieces;
mod records;
mod seat;
mod talk;

pub(super) use desk::Desk;
pub(super) use listener::Listener;
