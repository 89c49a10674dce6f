//! Meaning: SSP primitives to XMPP stanzas and back.
//!
//! ```text
//!   SendMessageRequest    ── message ──▶  <message/>         mappings/content.toml
//!   DeliveryStatusReport  ── receipt ──▶  <received/>, error
//!   PresenceSubList       ── presence ─▶  <presence/>, PEP   mappings/presence.toml
//!   Status                ── status ───▶  <error/>           mappings/status.toml
//!   wv:user@domain        ── address ──▶  user@domain        mappings/addresses.toml
//! ```
//!
//! Everything here is a pure function over tables that an operator can change
//! (xmpp-mapping, 1 to 4 and 12). What must be remembered between two
//! stanzas is the gateway's business.

pub mod address;
pub mod content;
pub mod escape;
pub mod mappings;
pub mod message;
pub mod presence;
pub mod receipt;
pub mod stanza;
pub mod status;
pub mod words;

use std::sync::Arc;

use address::to_xmpp_domain;

pub use address::AddressError;
pub use mappings::{MappingError, Mappings};
pub use status::Context;

/// How users of the other side are named (xmpp-mapping, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Mode H: the same names on both sides; each SSP domain is a component.
    #[default]
    Names,
    /// Mode G: all SSP users appear below one component.
    Gateway,
}

/// What every translation needs to know: who is where, and the tables.
#[derive(Debug, Clone)]
pub struct Translator {
    /// How users are named.
    pub mode: Mode,
    /// The XMPP domain whose users appear in SSP under their own names (D).
    pub domain: String,
    /// In mode `Names` the SSP domains that appear in XMPP, in mode `Gateway`
    /// the one domain below which everybody appears; as XMPP writes them.
    pub components: Vec<String>,
    /// Room services of the XMPP domain; the rooms of the first have the short
    /// form of address (section 2.3).
    pub muc: Vec<String>,
    /// The tables.
    pub mappings: Arc<Mappings>,
}

impl Translator {
    /// With the built-in tables, in mode `Names`, and the customary room service.
    pub fn new(domain: &str, components: &[&str]) -> Self {
        Self {
            mode: Mode::Names,
            domain: domain.to_lowercase(),
            components: components.iter().map(|c| to_xmpp_domain(c)).collect(),
            muc: vec![format!("conference.{}", domain.to_lowercase())],
            mappings: Arc::new(Mappings::built_in()),
        }
    }

    /// The same in the given mode.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The gateway's own component in mode `Gateway`, empty if there is none.
    pub(crate) fn gateway_domain(&self) -> &str {
        self.components.first().map_or("", String::as_str)
    }
}
