//! Presence (presence-attributes; xmpp-mapping, 3.4).
//!
//! * [`mod@to_xmpp`] shows a `PresenceSubList` as presence stanzas and PEP events;
//! * [`mod@to_ssp`] gathers what is seen of an XMPP user and writes it as attributes;
//! * [`client`] is a user's client as service discovery shows it;
//! * [`avatar`] are the pictures that people show of themselves;
//! * [`card_of`] is what a watcher knows, as a card;
//! * [`location`] converts coordinates and time zones.

pub mod avatar;
mod card;
pub mod client;
pub mod location;
mod resource;
pub mod to_ssp;
pub mod to_xmpp;

pub use card::{card_of, picture};
pub use to_ssp::{MAX_LINK, MAX_NAME, MAX_STATUS, PUBLISHED, Resource, Seen, withdrawn};
pub use to_xmpp::{Shown, to_xmpp};

#[cfg(test)]
mod tests;
