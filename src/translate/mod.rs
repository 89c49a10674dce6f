//! Meaning: SSP primitives to XMPP stanzas and back.
//!
//! ```text
//!   SendMessageRequest    ── message ──▶  <message/>         mappings/content.toml
//!   DeliveryStatusReport  ── receipt ──▶  <received/>, error
//!   InviteRequest         ─ invitation ▶  <invite/>, <x jid=''/>
//!   SearchRequest         ── search ───▶  jabber:iq:search
//!   UserProfile           ── card ─────▶  vCard
//!   NickList              ── roster ───▶  jabber:iq:roster
//!   BlockList             ─ block_list ▶  urn:xmpp:blocking
//!   PresenceSubList       ── presence ─▶  <presence/>, PEP   mappings/presence.toml
//!   Status                ── status ───▶  <error/>           mappings/status.toml
//!   wv:user@domain        ── address ──▶  user@domain        mappings/addresses.toml
//! ```
//!
//! [`Translator`] knows who is where and holds the tables; what is translated by it is a function of
//! its own. Everything here is a pure function over tables that an operator can change
//! (xmpp-mapping, 1 to 4 and 12). What must be remembered between two
//! stanzas is the gateway's business.

pub mod address;
pub mod block_list;
pub mod card;
pub mod command;
pub mod escape;
pub mod file;
pub mod invitation;
pub mod message;
pub mod presence;
pub mod privilege;
pub mod receipt;
pub mod room;
pub mod roster;
pub mod search;
pub mod stanza;
pub mod tables;
mod translator;
pub mod words;

pub use address::AddressError;
pub use tables::{Context, MappingError, Mappings};
pub use translator::{Mode, Translator};
